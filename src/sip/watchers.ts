// Whom a commit concerns: finds the subscriptions that watch what it changed, marks in each what to compare, and keeps the history for
// those who are told change by change.
import type { ChangeEvent } from '../documents/documents.ts';
import type { DocumentHistory, HistoryStep } from './document-history.ts';
import { type Addresses, addressesOf, componentKey, nodesKey, type ResourceEntry, selBelow } from './resource-entry.ts';
import { SubscriptionIndex } from './subscription-index.ts';
import type { WatchedSubscription } from './watched-subscription.ts';

export class Watchers {
  readonly #index = new SubscriptionIndex<WatchedSubscription>();
  readonly #history: DocumentHistory;

  constructor(history: DocumentHistory) {
    this.#history = history;
  }

  add(subscription: WatchedSubscription): void {
    this.#index.add(subscription, subscription.entries);
  }

  remove(subscription: WatchedSubscription): void {
    this.#index.remove(subscription, subscription.entries);
  }

  /** Lets a subscription watch other resources; what was marked belonged to the old ones. */
  replaceEntries(subscription: WatchedSubscription, entries: readonly ResourceEntry[]): void {
    this.remove(subscription);
    subscription.entries = entries;
    subscription.dirty = undefined;
    this.add(subscription);
  }

  /** The subscriptions that the commit concerns, each marked with what to compare, and no others. */
  concernedBy({ sequence, changes }: ChangeEvent): ReadonlySet<WatchedSubscription> {
    const concerned = new Set<WatchedSubscription>();
    for (const { key, groupId, previousGroupId, document } of changes) {
      for (const address of addressesOf(key, groupId)) this.#mark(address, { sequence, document }, concerned);
      if (previousGroupId === undefined) continue;
      // The document is at its place as before; the group of the old ID is gone.
      for (const address of addressesOf(key, previousGroupId)) {
        const left = address.resource.kind === 'group' ? undefined : document;
        this.#mark(address, { sequence, document: left }, concerned);
      }
    }
    return concerned;
  }

  #mark({ watch, resource, collections }: Addresses, step: HistoryStep, concerned: Set<WatchedSubscription>): void {
    const { sequence: since } = step;
    let stepwise = false;
    const mark = (subscription: WatchedSubscription, sel: string): void => {
      subscription.mark(watch, { sel, resource, since });
      concerned.add(subscription);
      stepwise ||= subscription.diffProcessing === 'xcap-patching';
    };
    for (const [subscription, entry] of this.#index.watching(watch)) mark(subscription, entry.sel);
    const nodes = nodesKey(watch);
    for (const [subscription] of this.#index.watching(nodes)) {
      for (const entry of subscription.entries) {
        if (entry.kind === 'component' && entry.watch === nodes) subscription.mark(componentKey(entry), entry);
      }
      concerned.add(subscription);
    }
    for (const collection of collections) {
      for (const [subscription, entry] of this.#index.watching(collection)) {
        if (entry.kind === 'collection') mark(subscription, selBelow(entry, resource));
      }
    }
    if (stepwise) this.#history.note(watch, step);
  }
}

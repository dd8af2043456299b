// Groups of partner systems: what the partner gave (source) and what policy made of it (served), always written together.

import type { ServedUsers } from '../identity/served.ts';
import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { JournalEntry, SourceRecord, Store } from '../store/store.ts';
import type { ApplicationUsage } from './application-usage.ts';
import type { Committer } from './committer.ts';
import { groupKey, keyText } from './document-key.ts';
import type { ForeignGroup, ForeignPutOutcome, Preconditions } from './documents.ts';
import { entityTag, preconditionsHold } from './entity-tag.ts';
import { groupIdRefusal } from './group-constraints.ts';
import type { DocumentJudge, Judged } from './judge.ts';
import type { KeyedQueue } from './keyed-queue.ts';
import type { DocumentReader } from './reader.ts';

const attempts = 5;

export interface ForeignGroupsOptions {
  readonly store: Store;
  readonly reader: DocumentReader;
  readonly committer: Committer;
  readonly judge: DocumentJudge;
  readonly queue: KeyedQueue;
  readonly served: Pick<ServedUsers, 'isHomed'>;
  readonly now: () => Date;
  /** The usage of group documents. */
  readonly usage: ApplicationUsage;
}

export class ForeignGroups {
  readonly #options: ForeignGroupsOptions;

  constructor(options: ForeignGroupsOptions) {
    this.#options = options;
  }

  /** Stores or replaces a foreign group; see Documents.putForeign. */
  async put(given: ForeignGroup, preconditions: Preconditions): Promise<ForeignPutOutcome> {
    const { judge, queue, reader, store, usage } = this.#options;
    const groupId = this.#foreignId(given.groupId);
    const group: ForeignGroup = {
      ...given,
      groupId,
      source: new Uint8Array(given.source),
    };
    judge.checkSize(group.source);
    check(preconditions, await store.source(groupId));
    if (given.served === undefined) {
      return queue.run(keyText(groupKey(groupId)), () => this.#hold(group, preconditions));
    }
    const bytes = new Uint8Array(given.served);
    // What is served already was judged when it was stored.
    const tag = entityTag(bytes);
    const held = await reader.findGroup(groupId);
    const judged = held?.tag === tag ? undefined : await judge.judgeGroup(usage, groupId, bytes);
    return queue.run(keyText(groupKey(groupId)), () => this.#store(group, { tag, bytes }, judged, preconditions));
  }

  /** Removes a foreign group; see Documents.deleteForeign. */
  async delete(address: string, actor: string, preconditions: Preconditions): Promise<void> {
    const groupId = canonicalUri(address);
    if (groupId === undefined) throw new Refusal('not-found');
    const { committer, queue, reader, store } = this.#options;
    const key = groupKey(groupId);
    await queue.run(keyText(key), async () => {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const source = await store.source(groupId);
        if (source === undefined) throw new Refusal('not-found');
        check(preconditions, source);
        const previous = await reader.document(key);
        const entry = this.#entry(actor, 'document-delete', groupId, { partner: source.partner, tag: source.tag });
        const outcome = await committer.commit(
          { key, previous },
          { sources: [{ write: 'delete', groupId, expected: source.tag }], journal: [entry] },
        );
        if (outcome.outcome === 'committed') return;
      }
      throw overtaken();
    });
  }

  /** Marks or unmarks the kept copy as stale; see Documents.markStale. The first instant of an unbroken stretch stays. */
  async markStale(address: string, since: string | undefined): Promise<void> {
    const groupId = canonicalUri(address);
    if (groupId === undefined) return;
    const { queue, store } = this.#options;
    await queue.run(keyText(groupKey(groupId)), async () => {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const source = await store.source(groupId);
        if (source === undefined || (source.staleSince === undefined) === (since === undefined)) return;
        const action = since === undefined ? 'source-current' : 'source-stale';
        const entry = this.#entry('system', action, groupId, { partner: source.partner });
        const outcome = await store.commit({
          sources: [{ write: 'put', source: { ...source, staleSince: since }, expected: source.tag }],
          journal: [entry],
        });
        if (outcome.outcome === 'committed') return;
      }
      throw overtaken();
    });
  }

  /** The canonical ID of a group that can be foreign. A group of our own domains has its home here and nowhere else. */
  #foreignId(address: string): string {
    const groupId = canonicalUri(address);
    if (groupId === undefined) throw new Refusal('constraint-failure', { phrase: 'The group ID is not a URI' });
    if (this.#options.served.isHomed(groupId)) throw new Refusal('partner-not-authoritative');
    return groupId;
  }

  /** Keeps the source alone: what is served stays until somebody releases it. */
  async #hold(group: ForeignGroup, preconditions: Preconditions): Promise<ForeignPutOutcome> {
    const { now, reader, store } = this.#options;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const previous = await store.source(group.groupId);
      check(preconditions, previous);
      const at = now().toISOString();
      const fresh = sourceOf(group, at);
      // The same bytes once more wait since they came first.
      const heldSince = previous?.tag === fresh.tag ? (previous.heldSince ?? at) : at;
      const outcome = await store.commit({
        sources: [
          {
            write: 'put',
            source: { ...fresh, heldSince, released: releasedBytes(previous) },
            expected: previous?.tag ?? null,
          },
        ],
        journal: group.journal ?? [
          this.#entry(group.actor, 'source-held', group.groupId, { partner: group.partner, tag: fresh.tag }),
        ],
      });
      if (outcome.outcome !== 'committed') continue;
      const servedTag = (await reader.findGroup(group.groupId))?.tag;
      return { created: previous === undefined, changed: false, tag: fresh.tag, servedTag };
    }
    throw overtaken();
  }

  async #store(
    group: ForeignGroup,
    served: { readonly tag: string; readonly bytes: Uint8Array },
    judged: Judged | undefined,
    preconditions: Preconditions,
  ): Promise<ForeignPutOutcome> {
    const servedTag = served.tag;
    const { committer, now, reader, store } = this.#options;
    const { groupId } = group;
    const key = groupKey(groupId);
    for (let attempt = 0; attempt < attempts; attempt++) {
      const previous = await store.source(groupId);
      check(preconditions, previous);
      const document = await reader.document(key);
      const source = waiting(group, previous) ?? sourceOf(group, now().toISOString());
      const outcomeOf = (changed: boolean): ForeignPutOutcome => {
        return { created: previous === undefined, changed, tag: source.tag, servedTag };
      };
      const changed = document?.tag !== servedTag;
      if (!changed && previous !== undefined && isSameSource(previous, source)) {
        if (group.journal !== undefined && group.journal.length > 0) await store.commit({ journal: group.journal });
        return outcomeOf(false);
      }
      const entry = this.#entry(group.actor, 'document-put', groupId, {
        partner: group.partner,
        tag: source.tag,
        servedTag,
      });
      // The served document is written even when it stays the same: its tag guards against a derivation by another policy meanwhile.
      const outcome = await committer.commit(
        {
          key,
          previous: document,
          stored: { ...served, groupId },
          known: judged ?? (changed ? undefined : document),
        },
        {
          sources: [{ write: 'put', source, expected: previous?.tag ?? null }],
          journal: group.journal ?? [entry],
        },
      );
      if (outcome.outcome === 'taken') throw groupIdRefusal('Another document here has this group ID');
      if (outcome.outcome === 'committed') return outcomeOf(changed);
    }
    throw overtaken();
  }

  #entry(actor: string, action: string, subject: string, detail: NonNullable<JournalEntry['detail']>): JournalEntry {
    return { at: this.#options.now().toISOString(), actor, action, subject, detail };
  }
}

function sourceOf(group: ForeignGroup, received: string): SourceRecord {
  return {
    groupId: group.groupId,
    partner: group.partner,
    bytes: group.source,
    tag: entityTag(group.source),
    primaryTag: group.primaryTag,
    policy: group.policy,
    policyVersion: group.policyVersion,
    appliedRules: group.appliedRules,
    received,
    sent: group.sent,
  };
}

/** What is served while newer bytes are held: those released last. */
function releasedBytes(previous: SourceRecord | undefined): Uint8Array | undefined {
  return previous?.heldSince === undefined ? previous?.bytes : previous.released;
}

/** The record of a source that goes on waiting while what was released before it is derived again. */
function waiting(group: ForeignGroup, previous: SourceRecord | undefined): SourceRecord | undefined {
  if (group.released === undefined || previous?.heldSince === undefined) return undefined;
  const { policy, policyVersion, appliedRules } = group;
  return { ...previous, policy, policyVersion, appliedRules, released: group.released };
}

/** Whether a source says nothing new; when it was received does not count. */
function isSameSource(one: SourceRecord, other: SourceRecord): boolean {
  return (
    one.tag === other.tag &&
    one.partner === other.partner &&
    one.primaryTag === other.primaryTag &&
    one.policy === other.policy &&
    one.policyVersion === other.policyVersion &&
    one.staleSince === other.staleSince &&
    one.heldSince === other.heldSince &&
    one.sent === other.sent &&
    one.appliedRules.join('\n') === other.appliedRules.join('\n')
  );
}

function check(preconditions: Preconditions, source: SourceRecord | undefined): void {
  if (!preconditionsHold(preconditions, source?.tag)) throw new Refusal('precondition-failed');
}

function overtaken(): Refusal {
  return new Refusal('unavailable', { retryAfter: 1, cause: 'other writers were faster each time' });
}

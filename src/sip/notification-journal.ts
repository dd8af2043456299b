// Journals who was notified of what: the NOTIFYs of a second that told the same state of a document are one entry with all their subscribers.
// A change that thousands are told of costs the journal a few entries, and the telling waits for none of them.
import { type Principal, principalName } from '../identity/principal.ts';
import { toldInBulkWrites } from '../interconnect/told-in-bulk.ts';
import type { Commit, JournalEntry, Store } from '../store/store.ts';
import type { Timer, TimerQueue } from './engine/timer-queue.ts';
import type { Resource } from './resource-entry.ts';

/** What one NOTIFY told of one document. */
export interface ToldState {
  readonly resource: Resource;
  /** Tag of its new state; undefined = it is gone. */
  readonly newTag: string | undefined;
}

export interface NotificationJournalOptions {
  readonly store: Pick<Store, 'commit'>;
  readonly timers: TimerQueue;
  readonly log: { error(fields: object, text: string): void };
}

interface Pending {
  readonly action: 'notified' | 'notification-failed';
  readonly subject: string;
  readonly detail: Readonly<Record<string, string | number>>;
  readonly subscribers: Set<string>;
}

/** How long notifications are gathered, milliseconds. */
const gathering = 1000;
/** Subscribers in one entry at most. */
const mostSubscribers = 200;
/** States that are gathered at once. */
const mostPending = 1000;
/** A NOTIFY that tells of more documents, such as the first of a large collection, is one entry for all. */
const mostNamed = 1000;
/** Entries, or what is kept of such a NOTIFY, in one commit: the store does one commit in one go. */
const atOnce = 200;

export class NotificationJournal {
  readonly #options: NotificationJournalOptions;
  #pending = new Map<string, Pending>();
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: NotificationJournalOptions) {
    this.#options = options;
  }

  /** Notes a NOTIFY and the status of its answer. */
  note(principal: Principal, told: readonly ToldState[], status: number): void {
    if (told.length === 0) return;
    const action = status >= 200 && status < 300 ? 'notified' : 'notification-failed';
    const subscriber = principalName(principal);
    const failed = action === 'notified' ? {} : { status };
    if (told.length > mostNamed) {
      this.#add(action, `notifications:${subscriber}`, { ...failed, documents: told.length }, subscriber);
      if (action === 'notified') this.#keep(subscriber, told);
      return;
    }
    for (const { resource, newTag } of told) {
      const subject = resource.kind === 'group' ? resource.groupId : pathOf(resource);
      this.#add(
        action,
        subject,
        { ...failed, ...(newTag === undefined ? { gone: 'yes' } : { tag: newTag }) },
        subscriber,
      );
    }
  }

  /** Writes what was gathered; resolves when it is durable or has failed. */
  async flush(): Promise<void> {
    this.#write();
    await this.#writing;
  }

  #add(action: Pending['action'], subject: string, detail: Pending['detail'], subscriber: string): void {
    const key = JSON.stringify([action, subject, detail]);
    const pending = this.#pending.get(key) ?? { action, subject, detail, subscribers: new Set() };
    pending.subscribers.add(subscriber);
    this.#pending.set(key, pending);
    if (pending.subscribers.size >= mostSubscribers || this.#pending.size >= mostPending) this.#write();
    else this.#timer ??= this.#options.timers.after(gathering, { onTimer: () => this.#write() });
  }

  #write(): void {
    if (this.#timer !== undefined) this.#timer.owner = undefined;
    this.#timer = undefined;
    if (this.#pending.size === 0) return;
    const at = new Date(this.#options.timers.now()).toISOString();
    const journal = [...this.#pending.values()].map(({ action, subject, detail, subscribers }): JournalEntry => {
      const names = { count: subscribers.size, subscribers: [...subscribers].join(' ') };
      return { at, actor: 'system', action, subject, detail: { ...detail, ...names } };
    });
    this.#pending = new Map();
    for (let from = 0; from < journal.length; from += atOnce) {
      const entries = journal.slice(from, from + atOnce);
      this.#commit({ journal: entries });
    }
  }

  /** Keeps for the provenance of each group that a subscriber was told of it. */
  #keep(subscriber: string, told: readonly ToldState[]): void {
    const at = new Date(this.#options.timers.now()).toISOString();
    const groups = told.flatMap(({ resource, newTag: tag }) =>
      resource.kind === 'group' ? [{ groupId: resource.groupId, tag }] : [],
    );
    for (let from = 0; from < groups.length; from += atOnce) {
      this.#commit({ records: toldInBulkWrites(subscriber, groups.slice(from, from + atOnce), at) });
    }
  }

  /** Commits behind all commits of before. */
  #commit(commit: Commit): void {
    const { store, log } = this.#options;
    const before = this.#writing;
    this.#writing = before
      .then(() => store.commit(commit))
      .then(
        () => undefined,
        (err: unknown) => log.error({ err }, 'notifications could not be journalled'),
      );
  }
}

function pathOf({ key }: Extract<Resource, { kind: 'document' }>): string {
  return key.tree === 'users' ? `${key.auid}/users/${key.xui}/${key.name}` : `${key.auid}/global/${key.name}`;
}

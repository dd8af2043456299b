// Journals who was notified of what: the NOTIFYs of a second that told the same state of a document are one entry with all their subscribers.
// A change that thousands are told of costs the journal a few entries, and the telling waits for none of them.
import { type Principal, principalName } from '../identity/principal.ts';
import type { JournalEntry, Store } from '../store/store.ts';
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
/** A NOTIFY that tells of more documents, such as the first of a collection, is one entry for all. */
const mostNamed = 20;

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
    const { store, timers, log } = this.#options;
    const at = new Date(timers.now()).toISOString();
    const journal = [...this.#pending.values()].map(({ action, subject, detail, subscribers }): JournalEntry => {
      const names = { count: subscribers.size, subscribers: [...subscribers].join(' ') };
      return { at, actor: 'system', action, subject, detail: { ...detail, ...names } };
    });
    this.#pending = new Map();
    const before = this.#writing;
    this.#writing = before
      .then(() => store.commit({ journal }))
      .then(
        () => undefined,
        (err: unknown) => log.error({ err }, 'notifications could not be journalled'),
      );
  }
}

function pathOf({ key }: Extract<Resource, { kind: 'document' }>): string {
  return key.tree === 'users' ? `${key.auid}/users/${key.xui}/${key.name}` : `${key.auid}/global/${key.name}`;
}

// Subscriptions in the store: what is kept of each, written at once where an answer depends on it and in batches otherwise.
import type { Principal } from '../identity/principal.ts';
import type { Store, SubscriptionRecord, SubscriptionWrite } from '../store/store.ts';
import type { DiffProcessing } from './document-patches.ts';
import type { DialogRecord } from './engine/dialog-record.ts';
import type { TimerOwner, TimerQueue } from './engine/timer-queue.ts';
import type { Rates } from './rate-control.ts';
import type { WatchedSubscription } from './watched-subscription.ts';

/** CSeq numbers reserved with one write, so that a restart never falls behind what was sent (RFC 3261 clause 12.2.1.1). */
const cseqBlock = 1_000;
/** A subscription that was told more than this is ended after a restart instead of resumed. */
const mostToldKept = 20_000;
/** Milliseconds after which batched writes go to the store. */
const batchDelay = 50;
/** Rows in one commit. */
const batchRows = 500;

/** The JSON of a row. */
export interface SubscriptionRow {
  readonly toTag: string;
  readonly principal: Principal;
  readonly eventId: string;
  readonly contact: string;
  readonly peer: string;
  readonly asserted?: string | undefined;
  readonly rates?: Rates | undefined;
  /** True when answers to NOTIFYs may change the rates. */
  readonly ratesByAnswer?: boolean | undefined;
  /** True after `Suppress-If-Match: *`. */
  readonly quenched?: boolean | undefined;
  readonly diffProcessing?: DiffProcessing | undefined;
  /** `uri` of each entry as subscribed. */
  readonly entries: readonly string[];
  readonly dialog: DialogRecord;
  readonly reserved: number;
  /** Tags told, by watch key; absent = full state is owed. */
  readonly told?: Readonly<Record<string, string>> | undefined;
  /** True when too much was told to be kept. */
  readonly tooMuchTold?: true | undefined;
}

/** Reads a row; undefined when it is not one of ours, for instance of another version. */
export function readRow(record: SubscriptionRecord): SubscriptionRow | undefined {
  try {
    const row = JSON.parse(record.state) as Partial<SubscriptionRow> | null;
    const complete =
      typeof row?.toTag === 'string' &&
      typeof row.principal?.role === 'string' &&
      typeof row.contact === 'string' &&
      typeof row.reserved === 'number' &&
      typeof row.dialog?.callId === 'string' &&
      Array.isArray(row.entries);
    return complete ? (row as SubscriptionRow) : undefined;
  } catch {
    return undefined;
  }
}

/** Milliseconds for which the dialog of a subscription that expired meanwhile is taken up: its last NOTIFY is still to be sent. */
const timeToEnd = 300_000;

/**
 * The dialogs of the stored subscriptions, for the engine to take up before it starts.
 * @param now milliseconds since 1970
 */
export async function subscriptionDialogs(
  store: Pick<Store, 'subscriptions'>,
  now: number,
): Promise<readonly DialogRecord[]> {
  const dialogs: DialogRecord[] = [];
  for (const record of await store.subscriptions()) {
    const row = readRow(record);
    if (row === undefined) continue;
    dialogs.push({
      ...row.dialog,
      ...(row.reserved > 0 ? { localCSeq: row.reserved } : {}),
      expiresAt: Math.max(record.expires * 1000, now + timeToEnd),
    });
  }
  return dialogs;
}

export interface SubscriptionRowsOptions {
  readonly store: Pick<Store, 'commit'>;
  readonly timers: TimerQueue;
  readonly log: { error(fields: object, text: string): void };
}

export class SubscriptionRows implements TimerOwner {
  readonly #options: SubscriptionRowsOptions;
  readonly #late = new Map<string, WatchedSubscription>();
  #armed = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: SubscriptionRowsOptions) {
    this.#options = options;
  }

  /**
   * Writes the row; resolves when it is durable. Rejects when the store fails.
   * @param full true when full state will be owed once the answer is out
   */
  async put(subscription: WatchedSubscription, full = owesFull(subscription)): Promise<void> {
    this.#late.delete(subscription.facts.id);
    const reserved = this.#reservation(subscription);
    await this.#commit([write(subscription, reserved, full)]);
    subscription.reserved = Math.max(subscription.reserved, reserved);
  }

  /** Writes the row soon, together with others. */
  putLater(subscription: WatchedSubscription): void {
    this.#late.set(subscription.facts.id, subscription);
    if (this.#armed) return;
    this.#armed = true;
    // Large rows are written less often, so that the store never gets more than some 10 MB a second of them.
    const size = subscription.told.size;
    this.#options.timers.after(Math.max(batchDelay, size / 10), this);
  }

  /** Resolves when nothing of this row waits to be written any more. */
  async settle(subscription: WatchedSubscription): Promise<void> {
    if (this.#late.has(subscription.facts.id)) await this.put(subscription);
    else await this.#running;
  }

  /** Deletes the row soon. */
  delete(subscription: WatchedSubscription): void {
    this.#late.delete(subscription.facts.id);
    this.#run([{ write: 'delete', id: subscription.facts.id }]);
  }

  /** Deletes rows at once. */
  async drop(ids: readonly string[]): Promise<void> {
    for (let from = 0; from < ids.length; from += batchRows) {
      await this.#commit(ids.slice(from, from + batchRows).map((id) => ({ write: 'delete', id })));
    }
  }

  onTimer(): void {
    this.#armed = false;
    this.#flushLate();
  }

  /** Writes what waits; resolves when all of it is durable. */
  async flush(): Promise<void> {
    this.#flushLate();
    await this.#running;
  }

  #flushLate(): void {
    const late = [...this.#late.values()];
    this.#late.clear();
    for (let from = 0; from < late.length; from += batchRows) {
      const batch = late.slice(from, from + batchRows).filter((subscription) => !subscription.removed);
      const reserved = batch.map((subscription) => this.#reservation(subscription));
      this.#run(
        batch.map((subscription, place) => write(subscription, reserved[place] ?? 0, owesFull(subscription))),
        () => {
          for (const [place, subscription] of batch.entries()) {
            subscription.reserved = Math.max(subscription.reserved, reserved[place] ?? 0);
          }
        },
      );
    }
  }

  /** A new block when the old one is half used, so that a NOTIFY seldom has to wait for it. */
  #reservation({ cseq, reserved }: WatchedSubscription): number {
    return cseq === 0 || reserved - cseq > cseqBlock / 2 ? reserved : cseq + cseqBlock;
  }

  #run(writes: readonly SubscriptionWrite[], written?: () => void): void {
    if (writes.length === 0) return;
    const done = this.#commit(writes).then(written, (error: unknown) => {
      this.#options.log.error({ error: String(error) }, 'subscriptions could not be stored');
    });
    this.#running = Promise.all([this.#running, done]).then(() => undefined);
  }

  async #commit(subscriptions: readonly SubscriptionWrite[]): Promise<void> {
    await this.#options.store.commit({ subscriptions });
  }
}

function write(subscription: WatchedSubscription, reserved: number, full: boolean): SubscriptionWrite {
  const { facts, state, told } = subscription;
  const tooMuchTold = told.size > mostToldKept;
  const row = {
    toTag: facts.toTag,
    principal: facts.principal,
    eventId: facts.eventId,
    contact: facts.contact,
    peer: facts.peer,
    asserted: facts.asserted,
    rates: subscription.rates,
    ...(subscription.ratesByAnswer ? { ratesByAnswer: true } : {}),
    ...(state.quenched ? { quenched: true } : {}),
    diffProcessing: subscription.diffProcessing,
    entries: subscription.entries.map((entry) => entry.sel),
    reserved,
    ...(tooMuchTold ? { tooMuchTold } : {}),
    ...(tooMuchTold || full ? {} : { told: Object.fromEntries(told) }),
  };
  // The dialog is text already: it is put in place of the closing brace.
  const text = `${JSON.stringify(row).slice(0, -1)},"dialog":${subscription.dialog}}`;
  return {
    write: 'put',
    subscription: { id: facts.id, expires: Math.ceil(state.expires / 1000), state: text },
  };
}

/** Full state is owed until a NOTIFY that told it was acknowledged. */
function owesFull({ state }: WatchedSubscription): boolean {
  return state.owed === 'full' || (state.outstanding && state.telling === 'full');
}

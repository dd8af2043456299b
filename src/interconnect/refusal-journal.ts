// Journals what partners were refused: the first few of a minute one by one, all others as a count for each cause.
// Whatever a partner asks for and however often, the journal grows by a few rows a minute and memory not at all.
import type { PartnerPrincipal } from '../identity/principal.ts';
import type { JournalEntry, Store } from '../store/store.ts';
import type { Clock } from './clock.ts';
import { causeOf, entry, type InterconnectionAction } from './journal.ts';

export type RefusedAction = Extract<
  InterconnectionAction,
  'request-refused' | 'provision-refused' | 'withdrawal-refused' | 'traffic-refused'
>;

export interface RefusalJournalOptions {
  readonly store: Pick<Store, 'commit'>;
  readonly clock: Clock;
  /** Hears of every refusal, for metrics. */
  readonly onRefused?: ((partner: string, code: string) => void) | undefined;
  /** Hears of counts that could not be written. */
  readonly onFault: (fault: unknown) => void;
}

/** Refusals of one partner since its first one. */
interface Minute {
  readonly actor: string;
  /** What was told one by one. */
  readonly told: Set<string>;
  /** What was not, by cause. */
  readonly counted: Map<string, { readonly detail: NonNullable<JournalEntry['detail']>; count: number }>;
  readonly cancel: () => void;
}

const minute = 60_000;
/** Refusals of a partner that are told one by one in a minute. */
const toldOneByOne = 10;
/** Causes that are counted apart in a minute; the rest is one count. */
const mostCauses = 8;
/** A peer chooses how long its group IDs are, and some causes quote it; characters. */
const longestText = 256;

export class RefusalJournal {
  readonly #options: RefusalJournalOptions;
  readonly #minutes = new Map<string, Minute>();
  #writing: Promise<void> = Promise.resolve();

  constructor(options: RefusalJournalOptions) {
    this.#options = options;
  }

  /** Notes that `action` on the group `subject` was refused to a partner because of `error`. A repetition within the minute only counts. */
  async note(from: PartnerPrincipal, action: RefusedAction, subject: string, error: unknown): Promise<void> {
    const now = this.#minutes.get(from.partner) ?? this.#begin(from);
    const { code, cause } = causeOf(error);
    this.#options.onRefused?.(from.partner, code === 'fault' ? code : knownCode(error));
    const detail = { partner: from.partner, code, cause: shortened(cause) };
    const group = shortened(subject);
    const key = JSON.stringify([action, group, detail]);
    if (now.told.has(key) || now.told.size >= toldOneByOne) {
      count(now, { ...detail, refused: action });
      return;
    }
    now.told.add(key);
    await this.#options.store.commit({ journal: [entry(this.#options.clock, from.identity, action, group, detail)] });
  }

  /** Writes what was counted so far; resolves when it is durable. */
  async stop(): Promise<void> {
    for (const partner of [...this.#minutes.keys()]) this.#end(partner);
    await this.#writing;
  }

  /** Resolves when no count is being written. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  #begin({ partner, identity }: PartnerPrincipal): Minute {
    const cancel = this.#options.clock.after(minute, () => this.#end(partner));
    const begun: Minute = { actor: identity, told: new Set(), counted: new Map(), cancel };
    this.#minutes.set(partner, begun);
    return begun;
  }

  #end(partner: string): void {
    const ended = this.#minutes.get(partner);
    if (ended === undefined) return;
    this.#minutes.delete(partner);
    ended.cancel();
    const { clock, onFault, store } = this.#options;
    // Not `partner:NAME`, where the planning of agreements looks for its own entries.
    const journal = [...ended.counted.values()].map(({ detail, count }) =>
      entry(clock, ended.actor, 'refusals-counted', `refusals:${partner}`, { ...detail, count }),
    );
    if (journal.length === 0) return;
    const before = this.#writing;
    this.#writing = before.then(() => store.commit({ journal })).then(() => undefined, onFault);
  }
}

function count({ counted }: Minute, detail: NonNullable<JournalEntry['detail']>): void {
  const own = JSON.stringify(detail);
  const known = counted.get(own);
  if (known !== undefined) {
    known.count += 1;
  } else if (counted.size < mostCauses) {
    counted.set(own, { detail, count: 1 });
  } else {
    const others = counted.get('others') ?? {
      detail: { partner: detail.partner ?? '', cause: 'other causes' },
      count: 0,
    };
    others.count += 1;
    counted.set('others', others);
  }
}

// Inside the agreement a refusal has a code of its own; outside it the code is uniform, and the cause tells
function knownCode(error: unknown): string {
  const { code, cause } = causeOf(error);
  return /^[a-z]+(-[a-z]+)+$/.test(cause) ? cause : code;
}

function shortened(text: string): string {
  return text.length <= longestText ? text : `${text.slice(0, longestText - 1)}…`;
}

// Journals what our own users and servers were refused: the first of a minute one by one, the others as one count for each cause.
// Whatever anybody tries and however often, the journal grows by a bounded number of entries a minute, and memory not at all.
import { type Principal, principalName } from '../identity/principal.ts';
import type { Refusal } from '../refusals.ts';
import type { JournalEntry, Store } from '../store/store.ts';

export interface RefusalNotesOptions {
  readonly store: Pick<Store, 'commit'>;
  readonly now: () => Date;
  /** Hears of notes that could not be written. */
  readonly onFault: (fault: unknown) => void;
}

/** What was asked for, as the face knows it. */
export interface RefusedRequest {
  readonly method: string;
  /** Where to; cut when it is long. */
  readonly target: string;
}

const minute = 60_000;
/** Entries one by one in a minute: of one caller, and of all. */
const ofOne = 10;
const ofAll = 100;
/** Causes that are counted apart. */
const mostCauses = 20;
/** Characters of a target or cause that are kept. */
const longestText = 500;

export class RefusalNotes {
  readonly #options: RefusalNotesOptions;
  #begun = Number.NEGATIVE_INFINITY;
  #told = new Map<string, number>();
  #all = 0;
  #counted = new Map<string, number>();

  constructor(options: RefusalNotesOptions) {
    this.#options = options;
  }

  /** Notes one refusal; the answer does not wait for it. */
  note(principal: Principal, { method, target }: RefusedRequest, refusal: Refusal): void {
    const now = this.#options.now();
    if (now.getTime() - this.#begun >= minute) this.#turn(now);
    const actor = principalName(principal);
    const told = this.#told.get(actor) ?? 0;
    if (told >= ofOne || this.#all >= ofAll) {
      const key = this.#counted.size < mostCauses || this.#counted.has(refusal.code) ? refusal.code : 'others';
      this.#counted.set(key, (this.#counted.get(key) ?? 0) + 1);
      return;
    }
    this.#told.set(actor, told + 1);
    this.#all += 1;
    const cause = shortened(refusal.detail.cause ?? refusal.phrase);
    this.#write([this.#entry(now, actor, 'request-refused', shortened(target), { method, code: refusal.code, cause })]);
  }

  /** Writes what was counted so far. */
  flush(): void {
    this.#turn(this.#options.now());
  }

  #turn(now: Date): void {
    const counted = [...this.#counted].map(([code, count]) =>
      this.#entry(now, 'system', 'refusals-counted', 'refusals:own', { code, count }),
    );
    this.#begun = now.getTime();
    this.#told = new Map();
    this.#all = 0;
    this.#counted = new Map();
    this.#write(counted);
  }

  #entry(
    at: Date,
    actor: string,
    action: string,
    subject: string,
    detail: NonNullable<JournalEntry['detail']>,
  ): JournalEntry {
    return { at: at.toISOString(), actor, action, subject, detail };
  }

  #write(journal: readonly JournalEntry[]): void {
    if (journal.length > 0) this.#options.store.commit({ journal }).catch(this.#options.onFault);
  }
}

function shortened(text: string): string {
  return text.length <= longestText ? text : `${text.slice(0, longestText - 1)}…`;
}

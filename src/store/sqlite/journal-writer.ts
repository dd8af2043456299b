// Appends to the journal inside the transaction of a commit: numbers each entry, hashes it onto the one before it, and remembers the end.
// What a transaction takes back is taken back here too, so that numbers and hashes have no gaps.

import { type ChainLink, chainStart, detailText, entryHash, newSalt } from '../journal-chain.ts';
import type { JournalEntry } from '../store.ts';
import type { Statements } from './statements.ts';

interface HeadRow {
  readonly sequence: number;
  readonly hash: string;
}

const noneErased = {};
const noEnd: HeadRow = { sequence: 0, hash: chainStart };

export class JournalWriter {
  readonly #statements: Statements;
  #head: ChainLink;
  #stored: ChainLink;

  constructor(statements: Statements) {
    this.#statements = statements;
    // Who took the end away is found by verification; service goes on
    const { sequence, hash } = (statements.journalHead.get() as HeadRow | undefined) ?? noEnd;
    // What somebody added behind the end keeps its number, so that it is found and stops no commit.
    const last = Number(statements.journalLast.get()?.sequence ?? 0);
    this.#head = { sequence: Math.max(sequence, last), hash };
    this.#stored = this.#head;
  }

  /** The last entry of the chain; to be given to `restore` when what follows is taken back. */
  get head(): ChainLink {
    return this.#head;
  }

  append(entry: JournalEntry): void {
    const { at, actor, action, subject } = entry;
    const detail = detailText(entry);
    const salt = newSalt();
    const sequence = this.#head.sequence + 1;
    const chained = { sequence, at, action, actor, subject, detail, salt, erased: noneErased };
    const hash = entryHash(this.#head.hash, chained);
    this.#statements.appendJournal.run(sequence, at, actor, action, subject, detail, salt, hash);
    this.#head = { sequence, hash };
  }

  /** Writes down where the chain ends, before the transaction does: what is removed behind it can be told. */
  seal(): void {
    if (this.#head === this.#stored) return;
    this.#statements.setJournalHead.run(this.#head.sequence, this.#head.hash);
    this.#stored = this.#head;
  }

  restore(head: ChainLink): void {
    this.#head = head;
  }

  /** After a transaction that failed as a whole, `head` is also what is stored. */
  abandon(head: ChainLink): void {
    this.#head = head;
    this.#stored = head;
  }
}

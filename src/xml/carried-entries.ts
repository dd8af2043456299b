// The entries of a list that an edit has left alone, carried over to the list after it under the numbers that their elements have now.

import type { MemberEntry, MemberList, MemberListChange } from './member-list.ts';
import type { ByteEdit } from './offset-edit.ts';
import type { ElementId, OffsetIndex } from './offset-index.ts';

/** The entries of a list before an edit, asked for in document order while the list after it is read. */
export class CarriedEntries {
  readonly #index: OffsetIndex;
  readonly #edit: ByteEdit;
  /** By how much the numbers of elements behind the edit have grown. */
  readonly #shift: number;
  readonly #before: MemberList;
  readonly #removed: MemberEntry[] = [];
  readonly #added: MemberEntry[] = [];
  #next = 0;

  /** `index`: of the document after `edit`, whose offsets are those before it; `count`: elements before it. */
  constructor(index: OffsetIndex, edit: ByteEdit, count: number, before: MemberList) {
    this.#index = index;
    this.#edit = edit;
    this.#shift = index.count - count;
    this.#before = before;
  }

  /** The entry of an element that the edit has left as it was, under the number that the element has now. */
  take(element: ElementId): MemberEntry | undefined {
    const shift = this.#shiftOf(element);
    if (shift === undefined) return undefined;
    const entry = this.#skipTo(element - shift);
    if (entry === undefined) return undefined;
    this.#next++;
    return shift === 0 ? entry : { ...entry, element };
  }

  /** Tells of an entry that had to be read. */
  add(entry: MemberEntry): void {
    this.#added.push(entry);
  }

  /** What has become of the list; nothing can be taken afterwards. */
  change(): MemberListChange {
    this.#skipTo(Number.POSITIVE_INFINITY);
    return { before: this.#before, removed: this.#removed, added: this.#added };
  }

  #shiftOf(element: ElementId): number | undefined {
    const { start, length } = this.#edit;
    if (this.#index.outerEnd(element) <= start) return 0;
    return this.#index.outerStart(element) >= start + length ? this.#shift : undefined;
  }

  /** The entry of an element before the edit, when it was one; entries that stand before it are gone. */
  #skipTo(element: ElementId): MemberEntry | undefined {
    const { entries } = this.#before;
    for (let entry = entries[this.#next]; entry !== undefined; entry = entries[this.#next]) {
      if (entry.element === element) return entry;
      if (entry.element > element) return undefined;
      this.#removed.push(entry);
      this.#next++;
    }
    return undefined;
  }
}

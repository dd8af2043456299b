// Where an element PUT inserts what its selector did not find: RFC 4825 clause 8.2.3, from the selector's last step and the name put.

import { Refusal } from '../refusals.ts';
import type { ElementFragment } from './fragment.ts';
import type { SelectorStep } from './node-selector.ts';
import type { ElementId, OffsetIndex } from './offset-index.ts';
import { findingNth } from './select.ts';
import { appendEdit, type Edit } from './splice.ts';

/** An edit that inserts; `opened` counts the bytes that an empty tag needs before the new element to hold it. */
export type Insertion = Edit & { readonly opened?: number };

/** Offset of the element in the bytes after its insertion, or after the edit that replaces it. */
export function expectedStart(edit: Insertion): number {
  return edit.start + (edit.opened ?? 0);
}

/**
 * Where a new element goes below `parent` (-1 for the document), in slices for long lists. Throws Refusal `cannot-insert` for a position
 * that cannot be reached.
 */
export function* findingInsertion(
  index: OffsetIndex,
  parent: ElementId,
  step: SelectorStep,
  fragment: ElementFragment,
): Generator<void, Insertion> {
  if (parent < 0) throw new Refusal('cannot-insert', { phrase: 'A document has one document element' });
  const { position } = step;
  const before = (sibling: ElementId): Edit => insertAt(index.outerStart(sibling), fragment);
  const behind = (sibling: ElementId): Edit => insertAt(index.outerEnd(sibling), fragment);
  const last = (): Insertion => {
    const edit = appendEdit(index, parent, fragment.bytes);
    // An empty tag is opened first: one byte, the ">", then stands before the new element.
    return index.isEmptyTag(parent) ? { ...edit, opened: 1 } : edit;
  };
  if (position === undefined) {
    const same = index.lastNamed(parent, fragment.namespace, fragment.localName);
    return same === undefined ? last() : behind(same);
  }
  if (position === 1) {
    const first = yield* findingNth(index, parent, step.name, 1);
    return first < 0 ? last() : before(first);
  }
  const previous = yield* findingNth(index, parent, step.name, position - 1);
  if (position < 1 || previous < 0) throw new Refusal('cannot-insert', { phrase: 'The position cannot be reached' });
  return behind(previous);
}

function insertAt(at: number, fragment: ElementFragment): Edit {
  return { start: at, end: at, replacement: fragment.bytes };
}

// Edits that rules plan on one state of a document: which bytes become what, and how the place is shown to people.
// White space is treated so that a removed line leaves no empty line behind.
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { appendEdit, type Edit } from '../xml/splice.ts';
import type { RuleChange } from './policy.ts';

/** One planned change: the edit of bytes, and how it is shown; `unlisted` when another edit shows it. */
export type PolicyEdit = Edit & RuleChange & { readonly unlisted?: true };

/** Shows where elements stand; remembers positions among siblings, so that naming many siblings stays linear. */
export class ElementPaths {
  readonly #index: OffsetIndex;
  readonly #positions = new Map<ElementId, ReadonlyMap<ElementId, number>>();
  /** Paths of elements that others stand in: siblings share theirs. */
  readonly #parents = new Map<ElementId, string>();

  constructor(index: OffsetIndex) {
    this.#index = index;
  }

  /** Readable path from the root: `group/list-service/list/entry[3]`; a position only where siblings share the name. */
  of(element: ElementId): string {
    const parent = this.#index.parent(element);
    if (parent < 0) return this.#index.localName(element);
    let around = this.#parents.get(parent);
    if (around === undefined) {
      around = this.of(parent);
      this.#parents.set(parent, around);
    }
    return `${around}/${this.#index.localName(element)}${this.#position(parent, element)}`;
  }

  #position(parent: ElementId, element: ElementId): string {
    let positions = this.#positions.get(parent);
    if (positions === undefined) {
      positions = siblingPositions(this.#index, parent);
      this.#positions.set(parent, positions);
    }
    const position = positions.get(element);
    return position === undefined ? '' : `[${position}]`;
  }
}

/** The edit that removes an element, together with its line when it stands alone on it. */
export function removal(index: OffsetIndex, paths: ElementPaths, element: ElementId): PolicyEdit {
  const start = index.outerStart(element);
  const end = index.outerEnd(element);
  return {
    start: ownLineStart(index.bytes, start, end),
    end,
    replacement: '',
    path: paths.of(element),
    before: index.source(start, end),
  };
}

/** The edit that gives an element without child elements another content (markup, already escaped). */
export function elementReplacement(
  index: OffsetIndex,
  paths: ElementPaths,
  element: ElementId,
  content: string,
): PolicyEdit {
  const path = paths.of(element);
  const before = index.source(index.outerStart(element), index.outerEnd(element));
  if (index.isEmptyTag(element)) {
    const edit = appendEdit(index, element, content);
    const after = `${index.source(index.outerStart(element), edit.start)}${edit.replacement.toString()}`;
    return { ...edit, path, before, after };
  }
  const start = index.openEnd(element);
  const end = index.closeStart(element);
  const open = index.source(index.outerStart(element), start);
  const close = index.source(end, index.outerEnd(element));
  return { start, end, replacement: content, path, before, after: `${open}${content}${close}` };
}

/** The edit that puts markup in as the last child of an element, on a line of its own where its siblings have theirs. */
export function insertion(index: OffsetIndex, paths: ElementPaths, parent: ElementId, markup: string): PolicyEdit {
  const last = index.children(parent).at(-1);
  const shown = { path: paths.of(parent), after: markup };
  if (last === undefined) return { ...appendEdit(index, parent, markup), ...shown };
  const at = index.outerEnd(last);
  return { start: at, end: at, replacement: `${indentation(index, last)}${markup}`, ...shown };
}

/** The edit that puts markup behind an element, on a line of its own where the element has its own. */
export function insertionBehind(
  index: OffsetIndex,
  paths: ElementPaths,
  before: ElementId,
  markup: string,
): PolicyEdit {
  const at = index.outerEnd(before);
  const path = paths.of(Math.max(index.parent(before), index.root));
  return { start: at, end: at, replacement: `${indentation(index, before)}${markup}`, path, after: markup };
}

/** The prefix by which elements of a namespace can be written inside an element, and the declaration that this needs. */
export function prefixFor(
  index: OffsetIndex,
  element: ElementId,
  namespace: string,
): { readonly prefix: string; readonly declaration: string } {
  for (const [prefix, uri] of index.namespacesInScope(element)) {
    if (uri === namespace) return { prefix: prefix === '' ? '' : `${prefix}:`, declaration: '' };
  }
  return { prefix: '', declaration: ` xmlns="${namespace}"` };
}

function indentation(index: OffsetIndex, element: ElementId): string {
  const start = index.outerStart(element);
  return index.source(lineStart(index.bytes, start) ?? start, start);
}

/** Positions from 1 of children among siblings of the same name; those that have the name alone are left out. */
function siblingPositions(index: OffsetIndex, parent: ElementId): ReadonlyMap<ElementId, number> {
  const counts = new Map<string, number>();
  const positions = new Map<ElementId, number>();
  const firsts = new Map<string, ElementId>();
  for (let child = index.firstChild(parent); child >= 0; child = index.nextSibling(child)) {
    const name = index.localName(child);
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    if (count === 1) firsts.set(name, child);
    else positions.set(child, count);
    if (count === 2) positions.set(firsts.get(name) ?? child, 1);
  }
  return positions;
}

function ownLineStart(bytes: Uint8Array, start: number, end: number): number {
  let behind = end;
  while (bytes[behind] === 0x20 || bytes[behind] === 0x09) behind++;
  const endTagBehind = bytes[behind] === 0x3c && bytes[behind + 1] === 0x2f;
  const aloneBehind = bytes[behind] === 0x0a || bytes[behind] === 0x0d || endTagBehind;
  return aloneBehind ? (lineStart(bytes, start) ?? start) : start;
}

/** Offset of the line end before `start` when only blanks stand between; undefined otherwise. */
function lineStart(bytes: Uint8Array, start: number): number | undefined {
  let at = start - 1;
  while (bytes[at] === 0x20 || bytes[at] === 0x09) at--;
  if (bytes[at] !== 0x0a && bytes[at] !== 0x0d) return undefined;
  return bytes[at] === 0x0a && bytes[at - 1] === 0x0d ? at - 1 : at;
}

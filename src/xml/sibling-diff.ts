// Turns what lies between two neighbours that stay into operations: nodes removed, nodes added, and the text around them.
// Text nodes are gaps between the other nodes; they merge when what parts them goes (RFC 5261 4.3.5, 4.5.6).

import { sameBytes } from './canonical.ts';
import { type ChildNode, childNodes, textValue } from './child-nodes.ts';
import type { AlignedPair } from './diff-alignment.ts';
import type { DiffPath } from './diff-path.ts';
import type { DraftOperation, DraftPiece } from './draft-operation.ts';
import type { ElementId, OffsetIndex } from './offset-index.ts';

/** The child nodes of an element: those that are no text, and the texts between them. */
export class SiblingList {
  readonly index: OffsetIndex;
  readonly items: readonly ChildNode[];
  /** The text before each item, and the one behind the last. */
  readonly gaps: readonly (ChildNode | undefined)[];
  readonly #start: number;
  readonly #end: number;
  #texts: readonly number[] | undefined;
  #positions: readonly number[] | undefined;

  constructor(index: OffsetIndex, parent: ElementId) {
    this.index = index;
    this.#start = index.openEnd(parent);
    this.#end = index.closeStart(parent);
    const items: ChildNode[] = [];
    const gaps: (ChildNode | undefined)[] = [undefined];
    for (const node of childNodes(index, parent)) {
      if (node.kind === 'text') gaps[items.length] = node;
      else {
        items.push(node);
        gaps.push(undefined);
      }
    }
    this.items = items;
    this.gaps = gaps;
  }

  /** Value of a gap; '' where there is no text. */
  gap(place: number): string {
    const node = this.gaps[place];
    return node === undefined ? '' : textValue(this.index, node);
  }

  /** How many texts come before a gap. Counted once for all gaps: a patch may name every one of them. */
  textsBefore(place: number): number {
    if (this.#texts === undefined) {
      let seen = 0;
      this.#texts = this.gaps.map((gap) => (gap === undefined ? seen : seen++));
    }
    return this.#texts[place] ?? 0;
  }

  /** Place of an item, from 1, among those of its kind. */
  position(place: number): number {
    if (this.#positions === undefined) {
      const seen = { element: 0, comment: 0, instruction: 0, text: 0 };
      this.#positions = this.items.map(({ kind }) => ++seen[kind]);
    }
    return this.#positions[place] ?? 0;
  }

  #startOf(place: number): number {
    return this.items[place]?.start ?? this.#end;
  }

  #endOf(place: number): number {
    return this.items[place]?.end ?? this.#start;
  }

  /** Whether an item and the text before it are written as in another list. */
  sameThrough(place: number, other: SiblingList, otherPlace: number): boolean {
    const from = this.#endOf(place - 1);
    const otherFrom = other.#endOf(otherPlace - 1);
    return sameBytes(this.index, from, this.#endOf(place), other.index, otherFrom, other.#endOf(otherPlace));
  }

  /** Whether an item and the text behind it are written as in another list. */
  sameFrom(place: number, other: SiblingList, otherPlace: number): boolean {
    const to = this.#startOf(place + 1);
    const otherTo = other.#startOf(otherPlace + 1);
    return sameBytes(this.index, this.#startOf(place), to, other.index, other.#startOf(otherPlace), otherTo);
  }
}

/** What lies between two pairs of nodes that stay: behind `after`, before `before`; beyond the ends stand for the ends. */
export interface Stretch {
  /** The parent. */
  readonly path: DiffPath;
  readonly pathOf: (node: ChildNode & { readonly kind: 'element' }, place: number) => DiffPath;
  readonly old: SiblingList;
  readonly now: SiblingList;
  readonly after: AlignedPair;
  readonly before: AlignedPair;
}

/** The last step of a selector for a comment or processing instruction, by its place among its kind. */
export function plainStep(list: SiblingList, place: number): string {
  const kind = list.items[place]?.kind === 'comment' ? 'comment' : 'processing-instruction';
  return `${kind}()[${list.position(place)}]`;
}

/** Operations for a stretch, last node first. */
export function gapDrafts(stretch: Stretch): readonly DraftOperation[] {
  const { old, now, after, before } = stretch;
  const added = now.items.slice(after[1] + 1, before[1]);
  const opening = now.gap(after[1] + 1);
  const closing = now.gap(before[1]);
  const fits = (text: string): boolean =>
    added.length === 0 ? text === opening : closing.endsWith(text) || opening.startsWith(text);
  const drafts: DraftOperation[] = [];
  let left = old.gap(before[0]);
  for (let place = before[0] - 1; place > after[0]; place--) {
    const removal = removalDraft(stretch, place, left, place === after[0] + 1 ? fits : undefined);
    drafts.push(removal.draft);
    left = removal.left;
  }
  if (added.length === 0) {
    if (left !== opening) drafts.push(textDraft(stretch, left, opening, after[1] + 1));
    return drafts;
  }
  return [...drafts, ...additionDrafts(stretch, added, left)];
}

const isBlank = (text: string): boolean => /^[ \t\r\n]+$/.test(text);

/** Removes a node with as much white space around it as makes the text that is left fit. */
function removalDraft(
  stretch: Stretch,
  place: number,
  behind: string,
  fits: ((text: string) => boolean) | undefined,
): { readonly draft: DraftOperation; readonly left: string } {
  const { ws, left } = wayToRemove(stretch.old.gap(place), behind, fits);
  return { draft: { directive: 'remove', ...target(stretch, place), ws }, left };
}

interface Removal {
  readonly ws: 'before' | 'after' | 'both' | undefined;
  readonly left: string;
}

/** `fits` is known for the last node to go only; the others take the line break before them along. */
function wayToRemove(ahead: string, behind: string, fits: ((text: string) => boolean) | undefined): Removal {
  const plain: Removal = { ws: undefined, left: ahead + behind };
  const before: Removal = { ws: 'before', left: behind };
  if (fits === undefined) return isBlank(ahead) ? before : plain;
  const ways: Removal[] = [plain];
  if (isBlank(ahead)) ways.push(before);
  if (isBlank(behind)) ways.push({ ws: 'after', left: ahead });
  if (isBlank(ahead) && isBlank(behind)) ways.push({ ws: 'both', left: '' });
  return ways.find(({ left }) => fits(left)) ?? plain;
}

/** Selects an item of the old list. */
function target({ old, path, pathOf }: Stretch, place: number): Pick<DraftOperation, 'path' | 'below'> {
  const node = old.items[place];
  return node?.kind === 'element' ? { path: pathOf(node, place) } : { path, below: plainStep(old, place) };
}

/** The last step of a selector for the text that begins a stretch. */
function textStep({ old, now, after }: Stretch): string {
  if (old.items.length === 0 && now.items.length === 0) return 'text()';
  return `text()[${old.textsBefore(after[0] + 1) + 1}]`;
}

/** Where to add at the beginning of a stretch. */
function insertionPoint(stretch: Stretch, left: string): Pick<DraftOperation, 'path' | 'below' | 'pos'> {
  const { old, path, after, before } = stretch;
  if (left === '' && before[0] === old.items.length) return { path };
  return after[0] < 0 ? { path, pos: 'prepend' } : { ...target(stretch, after[0]), pos: 'after' };
}

/** Makes one text out of another; `place` is the gap of the new list that shows it. */
function textDraft(stretch: Stretch, from: string, to: string, place: number): DraftOperation {
  if (to === '') return { directive: 'remove', path: stretch.path, below: textStep(stretch) };
  const node = stretch.now.gaps[place];
  const content = [node ?? to];
  if (from === '') return { directive: 'add', ...insertionPoint(stretch, from), content };
  return { directive: 'replace', path: stretch.path, below: textStep(stretch), content };
}

/** Adds nodes next to the text that is left: before it when it can end the new content, behind it when it can begin it. */
function additionDrafts(stretch: Stretch, added: readonly ChildNode[], left: string): readonly DraftOperation[] {
  const { now, path, old, after, before } = stretch;
  const opening = now.gap(after[1] + 1);
  const closing = now.gap(before[1]);
  const inner: DraftPiece[] = [];
  for (const [number, node] of added.entries()) {
    const gap = number === 0 ? undefined : now.gaps[after[1] + 1 + number];
    if (gap !== undefined) inner.push(gap);
    inner.push(node);
  }
  const elements = added.flatMap((node) => (node.kind === 'element' ? [node.element] : []));
  const first = now.gaps[after[1] + 1] ?? '';
  const last = now.gaps[before[1]] ?? '';
  const add = (
    where: Pick<DraftOperation, 'path' | 'below' | 'pos'>,
    start: DraftPiece,
    end: DraftPiece,
  ): DraftOperation => ({ directive: 'add', ...where, content: [start, ...inner, end], elements });
  if (closing.endsWith(left)) {
    const end = left === '' ? last : closing.slice(0, closing.length - left.length);
    return [add(insertionPoint(stretch, left), first, end)];
  }
  if (opening.startsWith(left)) {
    const atEnd = before[0] === old.items.length;
    const where = atEnd ? { path } : { path, below: textStep(stretch), pos: 'after' as const };
    return [add(where, opening.slice(left.length), last)];
  }
  return [textDraft(stretch, left, closing, before[1]), add(insertionPoint(stretch, closing), first, '')];
}

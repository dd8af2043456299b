// Finds what turns one element into another: operations on its namespaces, attributes and child nodes, drawn up from the last child
// to the first, so that what comes before an operation is still as it was. Where replacing the element is shorter, it is replaced.

import { sameBytes, sameNodeBytes } from './canonical.ts';
import { type ChildNode, plainContent } from './child-nodes.ts';
import { type AlignedPair, type AlignmentItem, alignSiblings } from './diff-alignment.ts';
import { type DiffPath, type KeyTables, keyOf } from './diff-path.ts';
import { type DraftOperation, draftSize } from './draft-operation.ts';
import type { AttributeView, ElementId, OffsetIndex } from './offset-index.ts';
import { gapDrafts, plainStep, SiblingList } from './sibling-diff.ts';

/** Two documents and how far alignment may go. */
export interface DiffTask {
  readonly before: OffsetIndex;
  readonly after: OffsetIndex;
  /** Cells of one alignment table. */
  readonly cells: number;
  readonly keys: KeyTables;
}

/** Operations for one element: new namespace declarations come before all others of the patch. */
export interface ElementDrafts {
  readonly declarations: readonly DraftOperation[];
  readonly changes: readonly DraftOperation[];
}

/** Elements whose bytes are longer are aligned by name and place, not by content. */
const longestLabel = 2048;

/** Operations that turn one element into the other; undefined when only replacing it does. */
export function elementDrafts(
  task: DiffTask,
  element: ElementId,
  partner: ElementId,
  path: DiffPath,
): ElementDrafts | undefined {
  const { before, after } = task;
  const named = after.is(partner, before.namespace(element), before.localName(element));
  if (!named || before.prefix(element) !== after.prefix(partner)) return undefined;
  const declared = declarationDrafts(task, element, partner, path);
  if (declared === undefined) return undefined;
  const children = childDrafts(task, element, partner, path);
  return {
    declarations: [...declared.added, ...children.declarations],
    changes: [...children.changes, ...attributeDrafts(task, element, partner, path), ...declared.removed],
  };
}

/** RFC 5261 4.2.3: default namespaces cannot be patched; prefixes come first and go last, so that content can use them. */
function declarationDrafts(
  { before, after }: DiffTask,
  element: ElementId,
  partner: ElementId,
  path: DiffPath,
): { readonly added: readonly DraftOperation[]; readonly removed: readonly DraftOperation[] } | undefined {
  const own = before.namespaceDeclarations(element);
  if (own.length === 0 && after.namespaceDeclarations(partner).length === 0) return { added: [], removed: [] };
  const parent = after.parent(partner);
  const scope = new Map(parent < 0 ? [] : after.namespacesInScope(parent));
  for (const { prefix, uri } of own) scope.set(prefix, uri);
  if (scope.get('') === '') scope.delete('');
  const wanted = after.namespacesInScope(partner);
  if (scope.get('') !== wanted.get('')) return undefined;
  const added: DraftOperation[] = [];
  const removed: DraftOperation[] = [];
  for (const [prefix, uri] of wanted) {
    const bound = scope.get(prefix);
    if (bound !== undefined && bound !== uri) return undefined;
    if (bound === undefined) added.push({ directive: 'add', path, type: `namespace::${prefix}`, content: [uri] });
  }
  for (const prefix of scope.keys()) {
    if (wanted.has(prefix)) continue;
    if (!own.some((declaration) => declaration.prefix === prefix)) return undefined;
    removed.push({ directive: 'remove', path, below: `namespace::${prefix}` });
  }
  return { added, removed };
}

function attributeDrafts(
  { before, after }: DiffTask,
  element: ElementId,
  partner: ElementId,
  path: DiffPath,
): readonly DraftOperation[] {
  const name = (a: AttributeView): string => (a.prefix === '' ? a.localName : `${a.prefix}:${a.localName}`);
  const wanted = new Map(after.attributes(partner).map((a) => [`${name(a)} ${a.namespace}`, a]));
  const drafts: DraftOperation[] = [];
  for (const old of before.attributes(element)) {
    const key = `${name(old)} ${old.namespace}`;
    const now = wanted.get(key);
    wanted.delete(key);
    if (now?.value === old.value) continue;
    const at = { path, below: `@${name(old)}`, binding: old };
    drafts.push(
      now === undefined ? { ...at, directive: 'remove' } : { ...at, directive: 'replace', content: [now.value] },
    );
  }
  for (const added of wanted.values()) {
    const { value } = added;
    // 4.3: the content of such an add is one text node, and those have at least one character; 4.4.2 allows to empty the value.
    drafts.push({
      directive: 'add',
      path,
      type: `@${name(added)}`,
      binding: added,
      content: [value === '' ? 'x' : value],
    });
    if (value === '') drafts.push({ directive: 'replace', path, below: `@${name(added)}`, binding: added });
  }
  return drafts;
}

function childDrafts(task: DiffTask, element: ElementId, partner: ElementId, path: DiffPath): ElementDrafts {
  const { before, after } = task;
  const same = sameBytes(
    before,
    before.openEnd(element),
    before.closeStart(element),
    after,
    after.openEnd(partner),
    after.closeStart(partner),
  );
  if (same) return { declarations: [], changes: [] };
  const old = new SiblingList(before, element);
  const now = new SiblingList(after, partner);
  const declarations: (readonly DraftOperation[])[] = [];
  const changes: (readonly DraftOperation[])[] = [];
  const { pairs, first, end } = alignedPairs(task, old, now);
  const partnerOf = new Map(pairs);
  const pathOf = (node: ChildNode & { readonly kind: 'element' }, place: number): DiffPath => {
    const counterpart = now.items[place < first ? place : (partnerOf.get(place) ?? -1)];
    const stays = counterpart?.kind === 'element' ? counterpart.element : undefined;
    return {
      outer: path,
      before,
      element: node.element,
      now: { after, parent: partner, partner: stays, keys: task.keys },
    };
  };
  let next: AlignedPair = end;
  for (const pair of [...pairs].reverse().concat([[first - 1, first - 1]])) {
    changes.push(gapDrafts({ path, pathOf, old, now, after: pair, before: next }));
    next = pair;
    if (pair[0] < first) break;
    const drafts = pairDrafts(task, old, pair, now.items[pair[1]], path, pathOf);
    declarations.push(drafts.declarations);
    changes.push(drafts.changes);
  }
  return { declarations: declarations.flat(), changes: changes.flat() };
}

/** Pairs between the equal beginning (up to `first`) and the equal end (from `end`) of two lists. */
function alignedPairs(
  { before, after, cells }: DiffTask,
  old: SiblingList,
  now: SiblingList,
): { readonly pairs: readonly AlignedPair[]; readonly first: number; readonly end: AlignedPair } {
  const shorter = Math.min(old.items.length, now.items.length);
  let first = 0;
  while (first < shorter && old.sameThrough(first, now, first)) first++;
  let tail = 0;
  while (tail < shorter - first && old.sameFrom(old.items.length - 1 - tail, now, now.items.length - 1 - tail)) tail++;
  const end: AlignedPair = [old.items.length - tail, now.items.length - tail];
  const items = (index: OffsetIndex, list: SiblingList, to: number): readonly AlignmentItem[] =>
    list.items.slice(first, to).map((node) => alignmentItem(index, node));
  const pairs = alignSiblings(items(before, old, end[0]), items(after, now, end[1]), cells);
  return { pairs: pairs.map(([i, j]) => [i + first, j + first]), first, end };
}

function alignmentItem(index: OffsetIndex, node: ChildNode): AlignmentItem {
  if (node.kind !== 'element') return { kind: node.kind, label: index.source(node.start, node.end) };
  const kind = `element ${index.namespace(node.element)} ${index.localName(node.element)}`;
  const key = keyOf(index, node.element);
  if (key !== undefined) return { kind, label: `${kind} ${key.name}=${key.value}` };
  return { kind, label: node.end - node.start > longestLabel ? kind : `${kind} ${index.source(node.start, node.end)}` };
}

/** What turns a node into its counterpart. */
function pairDrafts(
  task: DiffTask,
  old: SiblingList,
  [place]: AlignedPair,
  counterpart: ChildNode | undefined,
  outer: DiffPath,
  pathOf: (node: ChildNode & { readonly kind: 'element' }, place: number) => DiffPath,
): ElementDrafts {
  const { before, after } = task;
  const node = old.items[place];
  const nothing = { declarations: [], changes: [] };
  if (node === undefined || counterpart === undefined) return nothing;
  if (sameNodeBytes(before, node, after, counterpart)) return nothing;
  const content = [counterpart];
  if (node.kind !== 'element' || counterpart.kind !== 'element') {
    if (plainContent(before, node) === plainContent(after, counterpart)) return nothing;
    return {
      declarations: [],
      changes: [{ directive: 'replace', path: outer, below: plainStep(old, place), content }],
    };
  }
  const path = pathOf(node, place);
  const whole: DraftOperation = { directive: 'replace', path, content, elements: [counterpart.element] };
  const drafts = elementDrafts(task, node.element, counterpart.element, path);
  if (drafts === undefined) return { declarations: [], changes: [whole] };
  const size = [...drafts.declarations, ...drafts.changes].reduce((sum, draft) => sum + draftSize(draft), 0);
  return size > draftSize(whole) ? { declarations: [], changes: [whole] } : drafts;
}

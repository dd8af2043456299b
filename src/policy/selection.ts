// The rules that act on what an XPath selects: set, remove, insert. Each plans edits on one state of a document.
// What binds both systems is only touched when the rule says `endToEnd: true`.
import { Refusal } from '../refusals.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { attributeRemovalEdit, escapeText } from '../xml/splice.ts';
import { type CompiledXPath, select, XPathError, type XPathNode } from '../xml/xpath.ts';
import { type ElementPaths, elementReplacement, insertion, type PolicyEdit, removal } from './edits.ts';
import { endToEndAround, endToEndWithin, isGroupIdAttribute } from './end-to-end.ts';
import type { Fragment } from './fragment.ts';
import { attributeEdit } from './identity-edits.ts';

/** Plans the edits that give all selected elements (as text) and attributes the value. */
export function planSet(
  index: OffsetIndex,
  paths: ElementPaths,
  selection: CompiledXPath,
  value: string,
  endToEnd: boolean,
): readonly PolicyEdit[] {
  return planValues(index, paths, selection, endToEnd, () => value);
}

/** Plans the edits that give each selected element (as text) and attribute the value that `newValue` makes of the present one. */
export function planValues(
  index: OffsetIndex,
  paths: ElementPaths,
  selection: CompiledXPath,
  endToEnd: boolean,
  newValue: (value: string, path: string) => string | undefined,
): readonly PolicyEdit[] {
  return selected(selection, index).flatMap((node) => {
    if (!endToEnd) refuseEndToEnd(touchedBySetting(index, node));
    return node.kind === 'attribute'
      ? setAttribute(index, paths, node, newValue)
      : setText(index, paths, node.element, newValue);
  });
}

/** Plans the removal of all selected elements and attributes. */
export function planRemove(
  index: OffsetIndex,
  paths: ElementPaths,
  selection: CompiledXPath,
  endToEnd: boolean,
): readonly PolicyEdit[] {
  const nodes = selected(selection, index);
  const elements = new Set(nodes.filter((node) => node.kind === 'element').map((node) => node.element));
  return nodes.flatMap((node) => {
    if (node.kind === 'text') throw cannot('remove', 'text; select its element');
    if (!endToEnd) refuseEndToEnd(touchedByRemoving(index, node));
    // What stands in an element that goes as a whole needs no edit of its own.
    if (standsIn(index, node.kind === 'attribute' ? node.element : index.parent(node.element), elements)) return [];
    return node.kind === 'attribute' ? removeAttribute(index, paths, node) : removeElement(index, paths, node.element);
  });
}

/** Plans the insertion of a fragment as the last child of every selected element. */
export function planInsert(
  index: OffsetIndex,
  paths: ElementPaths,
  selection: CompiledXPath,
  fragment: Fragment,
  endToEnd: boolean,
): readonly PolicyEdit[] {
  return selected(selection, index).map((node) => {
    if (node.kind !== 'element') throw cannot('insert', 'into something that is no element');
    if (!endToEnd) refuseEndToEnd(endToEndAround(index, node.element) ?? fragment.endToEnd);
    return insertion(index, paths, node.element, fragment.markupAt(index, node.element));
  });
}

/** What a selection selects. Throws Refusal `constraint-failure` for nodes that no rule acts on. */
export function selected(selection: CompiledXPath, index: OffsetIndex): readonly XPathNode[] {
  try {
    return select(selection, index);
  } catch (error) {
    if (error instanceof XPathError) throw new Refusal('constraint-failure', { phrase: error.message });
    throw error;
  }
}

function setText(
  index: OffsetIndex,
  paths: ElementPaths,
  element: ElementId,
  newValue: (value: string, path: string) => string | undefined,
): readonly PolicyEdit[] {
  if (index.firstChild(element) >= 0) throw cannot('set', `${paths.of(element)}, which has elements`);
  const present = index.text(element);
  const value = newValue(present, paths.of(element));
  if (value === undefined || present === value) return [];
  return [elementReplacement(index, paths, element, escapeText(value))];
}

function setAttribute(
  index: OffsetIndex,
  paths: ElementPaths,
  node: Extract<XPathNode, { kind: 'attribute' }>,
  newValue: (value: string, path: string) => string | undefined,
): readonly PolicyEdit[] {
  const attribute = index.attributeView(node.element, node.localName, node.namespace);
  if (attribute === undefined) return [];
  const value = newValue(attribute.value, attributePath(paths, node));
  if (value === undefined || attribute.value === value) return [];
  return [attributeEdit(index, paths, node.element, attribute, value)];
}

function removeElement(index: OffsetIndex, paths: ElementPaths, element: ElementId): readonly PolicyEdit[] {
  if (element === index.root) throw cannot('remove', 'the document element');
  return [removal(index, paths, element)];
}

function removeAttribute(
  index: OffsetIndex,
  paths: ElementPaths,
  node: Extract<XPathNode, { kind: 'attribute' }>,
): readonly PolicyEdit[] {
  const attribute = index.attributeView(node.element, node.localName, node.namespace);
  if (attribute === undefined) return [];
  const before = index.source(attribute.start, attribute.end);
  return [{ ...attributeRemovalEdit(index, attribute), path: attributePath(paths, node), before }];
}

function touchedBySetting(index: OffsetIndex, node: XPathNode): string | undefined {
  if (node.kind === 'attribute' && isGroupIdAttribute(index, node.element, node.namespace, node.localName)) {
    return 'list-service/@uri';
  }
  return endToEndAround(index, node.element);
}

function touchedByRemoving(index: OffsetIndex, node: XPathNode): string | undefined {
  return touchedBySetting(index, node) ?? (node.kind === 'element' ? endToEndWithin(index, node.element) : undefined);
}

/** Refuses to touch a part that binds both systems. */
export function refuseEndToEnd(name: string | undefined): void {
  if (name === undefined) return;
  throw new Refusal('constraint-failure', { phrase: `${name} binds both systems and needs endToEnd: true to change` });
}

function standsIn(index: OffsetIndex, from: ElementId, elements: ReadonlySet<ElementId>): boolean {
  for (let at = from; at >= 0; at = index.parent(at)) if (elements.has(at)) return true;
  return false;
}

function attributePath(paths: ElementPaths, node: Extract<XPathNode, { kind: 'attribute' }>): string {
  return `${paths.of(node.element)}/@${node.localName}`;
}

function cannot(kind: string, what: string): Refusal {
  return new Refusal('constraint-failure', { phrase: `${kind} cannot act on ${what}` });
}

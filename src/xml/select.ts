// Evaluates node selectors over the offset index. RFC 4825 clause 6.3: each step must end with exactly one element;
// a position counts before the attribute test, only elements count, names and values compare as they are. Long lists in slices.

import { findingStartTags } from './attribute-search.ts';
import type { NodeSelector, SelectorName, SelectorStep } from './node-selector.ts';
import type { AttributeView, ElementId, OffsetIndex } from './offset-index.ts';
import { atOnce } from './turns.ts';

/** How a step ends: with one element, none, or several. */
export type StepOutcome = ElementId | 'none' | 'several';

/** How far the steps of a selector lead. */
export interface ElementSelection {
  readonly outcome: StepOutcome;
  /** Steps that ended with one element. */
  readonly matched: number;
}

export type SelectedNode =
  | { readonly kind: 'element'; readonly element: ElementId }
  | { readonly kind: 'attribute'; readonly element: ElementId; readonly attribute: AttributeView }
  | { readonly kind: 'namespaces'; readonly element: ElementId };

/** Children between two places where a search can be interrupted. */
const childrenAtOnce = 1024;

/** The node that a selector names; undefined when it names none, or no single one. */
export function selectNode(index: OffsetIndex, selector: NodeSelector): SelectedNode | undefined {
  return atOnce(selectingNode(index, selector));
}

/** The same in slices, for long lists. */
export function* selectingNode(index: OffsetIndex, selector: NodeSelector): Generator<void, SelectedNode | undefined> {
  const { outcome: element } = yield* selectingElement(index, selector.steps);
  if (typeof element !== 'number') return undefined;
  if (selector.terminal === undefined) return { kind: 'element', element };
  if (selector.terminal.kind === 'namespaces') return { kind: 'namespaces', element };
  const { localName, namespace } = selector.terminal.name;
  const attribute = index.attributeView(element, localName, namespace);
  return attribute && { kind: 'attribute', element, attribute };
}

/** Follows steps from the document. */
export function selectElement(index: OffsetIndex, steps: readonly SelectorStep[]): ElementSelection {
  return atOnce(selectingElement(index, steps));
}

/** The same in slices, for long lists. */
export function* selectingElement(
  index: OffsetIndex,
  steps: readonly SelectorStep[],
): Generator<void, ElementSelection> {
  let outcome: StepOutcome = 'none';
  for (let number = 0; number < steps.length; number++) {
    const step = steps[number] as SelectorStep;
    outcome = number === 0 ? selectRoot(index, step) : yield* selectingChild(index, outcome as ElementId, step);
    if (typeof outcome !== 'number') return { outcome, matched: number };
  }
  return { outcome, matched: steps.length };
}

/** The first step starts at the document, whose only child element is the document element. */
function selectRoot(index: OffsetIndex, step: SelectorStep): StepOutcome {
  const root = index.root;
  const position = step.position ?? 1;
  return position === 1 && hasName(index, root, step.name) && passes(index, root, step) ? root : 'none';
}

/** Applies one step to the children of an element, in slices. */
export function* selectingChild(
  index: OffsetIndex,
  parent: ElementId,
  step: SelectorStep,
): Generator<void, StepOutcome> {
  if (step.position !== undefined) {
    const positioned = yield* findingNth(index, parent, step.name, step.position);
    return positioned >= 0 && passes(index, positioned, step) ? positioned : 'none';
  }
  if (step.attribute !== undefined) return yield* byAttribute(index, parent, step.name, step.attribute);
  let found: StepOutcome = 'none';
  let seen = 0;
  for (let child = index.firstChild(parent); child >= 0; child = index.nextSibling(child)) {
    if (++seen % childrenAtOnce === 0) yield;
    if (!hasName(index, child, step.name)) continue;
    if (found !== 'none') return 'several';
    found = child;
  }
  return found;
}

/** Finds the n-th child element (from 1) with a name, or of all, in slices; -1 when there are fewer. */
export function* findingNth(
  index: OffsetIndex,
  parent: ElementId,
  name: SelectorName | '*',
  position: number,
): Generator<void, ElementId> {
  let seen = 0;
  let matching = 0;
  for (let child = index.firstChild(parent); child >= 0; child = index.nextSibling(child)) {
    if (hasName(index, child, name) && ++matching === position) return child;
    if (++seen % childrenAtOnce === 0) yield;
  }
  return -1;
}

function hasName(index: OffsetIndex, element: ElementId, name: SelectorName | '*'): boolean {
  return name === '*' || index.is(element, name.namespace, name.localName);
}

function passes(index: OffsetIndex, element: ElementId, step: SelectorStep): boolean {
  const test = step.attribute;
  return test === undefined || index.attribute(element, test.name.localName, test.name.namespace) === test.value;
}

/** Children by the value of one attribute; `several` marks a value that more than one child carries. */
type ValueTable = ReadonlyMap<string, StepOutcome>;

const tables = new WeakMap<OffsetIndex, Map<string, ValueTable | number>>();
/** Looks before a table is worth its making; an edit looks twice at a document that the next edit replaces. */
const looks = 3;
/** Tables kept for one document; each may hold every value of a long list. */
const tablesKept = 4;

interface AttributeTest {
  readonly name: SelectorName;
  readonly value: string;
}

/** The first questions are answered by looking; a document that is asked often gets a table, so that long lists answer at once. */
function* byAttribute(
  index: OffsetIndex,
  parent: ElementId,
  name: SelectorName | '*',
  test: AttributeTest,
): Generator<void, StepOutcome> {
  const elementKey = name === '*' ? name : `${name.namespace} ${name.localName}`;
  const key = `${parent} ${elementKey} ${test.name.namespace} ${test.name.localName}`;
  let kept = tables.get(index);
  if (kept === undefined) {
    kept = new Map();
    tables.set(index, kept);
  }
  const known = kept.get(key) ?? 0;
  if (typeof known === 'number' && known < looks) {
    if (known > 0 || kept.size < tablesKept) kept.set(key, known + 1);
    return yield* lookingFor(index, parent, name, test);
  }
  const table = typeof known === 'number' ? yield* makingTable(index, parent, name, test.name) : known;
  kept.set(key, table);
  return table.get(test.value) ?? 'none';
}

function* lookingFor(
  index: OffsetIndex,
  parent: ElementId,
  name: SelectorName | '*',
  { name: attribute, value }: AttributeTest,
): Generator<void, StepOutcome> {
  const among = (yield* findingStartTags(index, parent, value)) ?? childrenOf(index, parent);
  let found: StepOutcome = 'none';
  let seen = 0;
  for (const child of among) {
    if (++seen % childrenAtOnce === 0) yield;
    if (!hasName(index, child, name)) continue;
    if (index.attribute(child, attribute.localName, attribute.namespace) !== value) continue;
    if (found !== 'none') return 'several';
    found = child;
  }
  return found;
}

function* childrenOf(index: OffsetIndex, parent: ElementId): Iterable<ElementId> {
  for (let child = index.firstChild(parent); child >= 0; child = index.nextSibling(child)) yield child;
}

function* makingTable(
  index: OffsetIndex,
  parent: ElementId,
  name: SelectorName | '*',
  attribute: SelectorName,
): Generator<void, ValueTable> {
  const table = new Map<string, StepOutcome>();
  let seen = 0;
  for (let child = index.firstChild(parent); child >= 0; child = index.nextSibling(child)) {
    if (++seen % childrenAtOnce === 0) yield;
    if (!hasName(index, child, name)) continue;
    const value = index.attribute(child, attribute.localName, attribute.namespace);
    if (value !== undefined) table.set(value, table.has(value) ? 'several' : child);
  }
  return table;
}

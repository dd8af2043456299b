// Evaluates node selectors over the offset index. RFC 4825 clause 6.3: each step must end with exactly one element;
// a position counts before the attribute test, only elements count, names and values compare as they are.

import type { NodeSelector, SelectorName, SelectorStep } from './node-selector.ts';
import type { AttributeView, ElementId, OffsetIndex } from './offset-index.ts';

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

/** The node that a selector names; undefined when it names none, or no single one. */
export function selectNode(index: OffsetIndex, selector: NodeSelector): SelectedNode | undefined {
  const { outcome: element } = selectElement(index, selector.steps);
  if (typeof element !== 'number') return undefined;
  if (selector.terminal === undefined) return { kind: 'element', element };
  if (selector.terminal.kind === 'namespaces') return { kind: 'namespaces', element };
  const { localName, namespace } = selector.terminal.name;
  const attribute = index.attributeView(element, localName, namespace);
  return attribute && { kind: 'attribute', element, attribute };
}

/** Follows steps from the document. */
export function selectElement(index: OffsetIndex, steps: readonly SelectorStep[]): ElementSelection {
  let outcome: StepOutcome = 'none';
  for (const [number, step] of steps.entries()) {
    outcome = number === 0 ? selectRoot(index, step) : selectChild(index, outcome as ElementId, step);
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

/** Applies one step to the children of an element. */
export function selectChild(index: OffsetIndex, parent: ElementId, step: SelectorStep): StepOutcome {
  if (step.position !== undefined) {
    const positioned = nthChild(index, parent, step.name, step.position);
    return positioned >= 0 && passes(index, positioned, step) ? positioned : 'none';
  }
  if (step.attribute !== undefined) return byAttribute(index, parent, step.name, step.attribute);
  let found: StepOutcome = 'none';
  for (let child = index.firstChild(parent); child >= 0; child = index.nextSibling(child)) {
    if (!hasName(index, child, step.name)) continue;
    if (found !== 'none') return 'several';
    found = child;
  }
  return found;
}

/** The n-th child element (from 1) with a name, or of all; -1 when there are fewer. */
export function nthChild(index: OffsetIndex, parent: ElementId, name: SelectorName | '*', position: number): ElementId {
  let seen = 0;
  for (let child = index.firstChild(parent); child >= 0; child = index.nextSibling(child)) {
    if (hasName(index, child, name) && ++seen === position) return child;
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
function byAttribute(
  index: OffsetIndex,
  parent: ElementId,
  name: SelectorName | '*',
  test: AttributeTest,
): StepOutcome {
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
    return lookFor(index, parent, name, test);
  }
  const table = typeof known === 'number' ? valueTable(index, parent, name, test.name) : known;
  kept.set(key, table);
  return table.get(test.value) ?? 'none';
}

function lookFor(index: OffsetIndex, parent: ElementId, name: SelectorName | '*', test: AttributeTest): StepOutcome {
  let found: StepOutcome = 'none';
  for (let child = index.firstChild(parent); child >= 0; child = index.nextSibling(child)) {
    if (!hasName(index, child, name)) continue;
    if (index.attribute(child, test.name.localName, test.name.namespace) !== test.value) continue;
    if (found !== 'none') return 'several';
    found = child;
  }
  return found;
}

function valueTable(
  index: OffsetIndex,
  parent: ElementId,
  name: SelectorName | '*',
  attribute: SelectorName,
): ValueTable {
  const table = new Map<string, StepOutcome>();
  for (let child = index.firstChild(parent); child >= 0; child = index.nextSibling(child)) {
    if (!hasName(index, child, name)) continue;
    const value = index.attribute(child, attribute.localName, attribute.namespace);
    if (value !== undefined) table.set(value, table.has(value) ? 'several' : child);
  }
  return table;
}

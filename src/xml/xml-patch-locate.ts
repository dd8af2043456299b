// Evaluates the selector of a patch operation: exactly one node must be found (RFC 5261 4.1).

import { type ChildNode, childNodes, documentNode, instructionTarget, stringValueIs } from './child-nodes.ts';
import { namespaces } from './names.ts';
import type { AttributeView, ElementId, NamespaceDeclaration, OffsetIndex } from './offset-index.ts';
import { PatchFailed } from './patch-operation.ts';
import type { ExpandedName, PatchPredicate, PatchSelector, PatchStep, PatchTerminal } from './xml-patch-selector.ts';

/** The node that an operation acts on. A plain node comes with its siblings, among which it has a number. */
export type LocatedNode =
  | { readonly kind: 'element'; readonly element: ElementId }
  | { readonly kind: 'attribute'; readonly element: ElementId; readonly attribute: AttributeView }
  | { readonly kind: 'namespace'; readonly element: ElementId; readonly declaration: NamespaceDeclaration }
  | {
      readonly kind: 'text' | 'comment' | 'instruction';
      /** -1: a child of the document. */
      readonly parent: ElementId;
      readonly siblings: readonly ChildNode[];
      readonly number: number;
    };

/** Finds the node. Throws PatchFailed `unlocated-node` for none or several. */
export function locateNode(index: OffsetIndex, selector: PatchSelector): LocatedNode {
  let found: readonly ElementId[] = selector.id === undefined ? [documentNode] : withId(index, selector.id);
  for (const step of selector.steps) {
    found = found.flatMap((context) => applyStep(index, context, step));
  }
  const terminal = selector.terminal;
  if (terminal === undefined) return { kind: 'element', element: single(found) };
  return single(found.flatMap((parent) => terminalNodes(index, parent, terminal)));
}

function single<T>(nodes: readonly T[]): T {
  const [first] = nodes;
  if (first === undefined) throw new PatchFailed('unlocated-node', 'The selector locates no node');
  if (nodes.length > 1) throw new PatchFailed('unlocated-node', 'The selector locates several nodes');
  return first;
}

/** Without schema and DTD, xml:id is the one attribute known to have the type ID (RFC 5261 4.1). */
function withId(index: OffsetIndex, id: string): readonly ElementId[] {
  const found: ElementId[] = [];
  for (let element = 0; element < index.count; element++) {
    if (index.attribute(element, 'id', namespaces.xml)?.trim() === id) found.push(element);
  }
  return found;
}

function applyStep(index: OffsetIndex, context: ElementId, { name, predicates }: PatchStep): readonly ElementId[] {
  let found: readonly ElementId[] = childElements(index, context, name);
  for (const predicate of predicates) {
    if (predicate.kind === 'position') found = found.slice(Math.max(predicate.position - 1, 0), predicate.position);
    else found = found.filter((element) => passes(index, element, predicate));
  }
  return found;
}

function childElements(index: OffsetIndex, context: ElementId, name: ExpandedName | '*'): readonly ElementId[] {
  const first = context === documentNode ? index.root : index.firstChild(context);
  const found: ElementId[] = [];
  for (let child = first; child >= 0; child = index.nextSibling(child)) {
    if (name === '*' || index.is(child, name.namespace, name.localName)) found.push(child);
  }
  return found;
}

function passes(index: OffsetIndex, element: ElementId, predicate: PatchPredicate): boolean {
  switch (predicate.kind) {
    case 'attribute':
      return index.attribute(element, predicate.name.localName, predicate.name.namespace) === predicate.value;
    case 'child':
      return childElements(index, element, predicate.name).some((child) =>
        stringValueIs(index, child, predicate.value),
      );
    case 'self':
      return stringValueIs(index, element, predicate.value);
    default:
      return false;
  }
}

function terminalNodes(index: OffsetIndex, parent: ElementId, terminal: PatchTerminal): readonly LocatedNode[] {
  switch (terminal.kind) {
    case 'attribute': {
      const { localName, namespace } = terminal.name;
      const attribute = parent < 0 ? undefined : index.attributeView(parent, localName, namespace);
      return attribute === undefined ? [] : [{ kind: 'attribute', element: parent, attribute }];
    }
    case 'namespace': {
      // 4.4.3, 4.5.3: the declaration must stand on the located element itself
      const declarations = parent < 0 ? [] : index.namespaceDeclarations(parent);
      const declaration = declarations.find(({ prefix }) => prefix === terminal.prefix);
      return declaration === undefined ? [] : [{ kind: 'namespace', element: parent, declaration }];
    }
    default:
      return plainNodes(index, parent, terminal);
  }
}

function plainNodes(
  index: OffsetIndex,
  parent: ElementId,
  { kind, target, position }: PatchTerminal & { readonly kind: 'text' | 'comment' | 'instruction' },
): readonly LocatedNode[] {
  const siblings = childNodes(index, parent);
  const found: LocatedNode[] = [];
  for (const [number, node] of siblings.entries()) {
    if (node.kind !== kind) continue;
    if (target !== undefined && instructionTarget(index, node) !== target) continue;
    found.push({ kind, parent, siblings, number });
  }
  return position === undefined ? found : found.slice(Math.max(position - 1, 0), position);
}

// Patch operations of RFC 5261 as data: read from a diff document, or composed by xml-diff.ts.
// An operation keeps its selector and content as written, with the namespaces that were in scope on its element.

import { childNodes, textValue } from './child-nodes.ts';
import type { ElementId, OffsetIndex } from './offset-index.ts';

/** One `add`, `replace` or `remove` element. Attribute values are as written; applying checks them. */
export interface PatchOperation {
  readonly directive: 'add' | 'replace' | 'remove';
  readonly sel: string;
  /** `add`: `before`, `after` or `prepend`. */
  readonly pos?: string | undefined;
  /** `add`: `@name` or `namespace::prefix`. */
  readonly type?: string | undefined;
  /** `remove`: `before`, `after` or `both`. */
  readonly ws?: string | undefined;
  /** Namespaces in scope on the operation element by prefix; '' is the default namespace, absent when there is none. */
  readonly namespaces: ReadonlyMap<string, string>;
  /** Markup inside the operation element, octet for octet. */
  readonly content: string;
}

/** Error elements of RFC 5261 5.1 that this patcher reports or may be told of. */
export type PatchError =
  | 'invalid-attribute-value'
  | 'invalid-character-set'
  | 'invalid-diff-format'
  | 'invalid-entity-declaration'
  | 'invalid-namespace-prefix'
  | 'invalid-namespace-uri'
  | 'invalid-node-types'
  | 'invalid-patch-directive'
  | 'invalid-root-element-operation'
  | 'invalid-xml-prolog-operation'
  | 'invalid-whitespace-directive'
  | 'unlocated-node'
  | 'unsupported-id-function'
  | 'unsupported-xml-id';

/** Why a patch does not apply: the error element, the number of the operation (from 0), and words for people. */
export interface PatchFailure {
  readonly error: PatchError;
  readonly operation: number;
  readonly phrase: string;
}

/** Thrown inside the patcher and turned into a PatchFailure at its door. */
export class PatchFailed extends Error {
  override readonly name = 'PatchFailed';
  readonly error: PatchError;

  constructor(error: PatchError, phrase: string) {
    super(phrase);
    this.error = error;
  }
}

const directives: ReadonlySet<string> = new Set(['add', 'replace', 'remove']);

/**
 * Reads the operations among the children of an element of a diff document: those in its own namespace, RFC 5874 3 ignores the others.
 * The carrier must have come in through readXml. A failure names what is no operation (`invalid-patch-directive`) or breaks the
 * schema of RFC 5261 8 (`invalid-diff-format`).
 */
export function readPatchOperations(
  carrier: OffsetIndex,
  parent: ElementId,
): { readonly operations: readonly PatchOperation[] } | { readonly failure: PatchFailure } {
  const operations: PatchOperation[] = [];
  for (let child = carrier.firstChild(parent); child >= 0; child = carrier.nextSibling(child)) {
    if (carrier.namespace(child) !== carrier.namespace(parent)) continue;
    const fail = (error: PatchError, phrase: string) => ({ failure: { error, operation: operations.length, phrase } });
    const directive = carrier.localName(child);
    if (!isDirective(directive)) return fail('invalid-patch-directive', `${directive} is no patch operation`);
    const sel = carrier.attribute(child, 'sel');
    if (sel === undefined) return fail('invalid-diff-format', 'The operation has no sel');
    if (directive === 'remove' && !isBlank(carrier, child)) return fail('invalid-diff-format', 'remove has content');
    operations.push({
      directive,
      sel,
      pos: directive === 'add' ? carrier.attribute(child, 'pos') : undefined,
      type: directive === 'add' ? carrier.attribute(child, 'type') : undefined,
      ws: directive === 'remove' ? carrier.attribute(child, 'ws') : undefined,
      namespaces: carrier.namespacesInScope(child),
      content: directive === 'remove' ? '' : carrier.source(carrier.openEnd(child), carrier.closeStart(child)),
    });
  }
  return { operations };
}

function isDirective(name: string): name is PatchOperation['directive'] {
  return directives.has(name);
}

function isBlank(carrier: OffsetIndex, element: ElementId): boolean {
  return childNodes(carrier, element).every((node) => node.kind === 'text' && textValue(carrier, node).trim() === '');
}

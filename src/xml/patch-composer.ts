// Writes patch operations as the elements that stand in an xcap-diff `document` (RFC 5874 3, RFC 5261 8).

import { escapeAttributeValue } from './character-data.ts';
import { declarationOf } from './patch-content.ts';
import type { PatchOperation } from './patch-operation.ts';

/** Markup for `DocumentDiff.patch` of composeXcapDiff, and the namespaces to declare around it. */
export interface ComposedPatch {
  readonly patch: string;
  readonly namespaces: ReadonlyMap<string, string>;
}

/** A prefix for the elements of xcap-diff that no operation uses: `d`, or `d1`, `d2`, … */
export function patchPrefix(patches: Iterable<readonly PatchOperation[]>): string {
  const taken = new Set<string>();
  for (const operations of patches)
    for (const { namespaces } of operations) for (const p of namespaces.keys()) taken.add(p);
  let prefix = 'd';
  for (let number = 1; taken.has(prefix); number++) prefix = `d${number}`;
  return prefix;
}

/**
 * Composes operations for a carrier whose own elements have `prefix`, which no operation may use (see patchPrefix; RangeError). The
 * document's default namespace stays the default, as in RFC 5874 A.2; what one operation binds otherwise is declared on its element.
 */
export function composePatch(operations: readonly PatchOperation[], prefix = 'd'): ComposedPatch {
  const shared = new Map<string, string>();
  for (const { namespaces } of operations) {
    for (const [name, uri] of namespaces) if (!shared.has(name)) shared.set(name, uri);
  }
  if (shared.has(prefix)) throw new RangeError(`an operation uses the prefix ${prefix} itself`);
  const patch = operations.map((operation) => element(operation, prefix, shared)).join('');
  return { patch, namespaces: shared };
}

function element(operation: PatchOperation, prefix: string, shared: ReadonlyMap<string, string>): string {
  const { directive, sel, pos, type, ws, namespaces, content } = operation;
  const own = [...namespaces].filter(([name, uri]) => shared.get(name) !== uri);
  if (shared.has('') && !namespaces.has('')) own.push(['', '']);
  const declarations = own.map(([name, uri]) => declarationOf(name, uri)).join('');
  const attributes = Object.entries({ sel, pos, type, ws })
    .map(([name, value]) => (value === undefined ? '' : ` ${name}="${attributeValue(value)}"`))
    .join('');
  const start = `<${prefix}:${directive}${declarations}${attributes}`;
  return content === '' ? `${start}/>` : `${start}>${content}</${prefix}:${directive}>`;
}

/** Selectors quote with apostrophes, which need no escaping between quotation marks. */
function attributeValue(value: string): string {
  return escapeAttributeValue(value).replaceAll('&apos;', "'");
}

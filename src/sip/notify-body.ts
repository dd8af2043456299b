// The body of a NOTIFY: an xcap-diff document that names what changed (RFC 5874), documents by their tags or with a patch.
import { composeXcapDiff, type DiffComponent } from '../xml/compose.ts';
import { composePatch, type PatchOperation, patchPrefix } from '../xml/xml-diff.ts';
import type { ToldResource } from './state-teller.ts';

let lastKey = '';
let lastBody = '';

/**
 * Composes the xcap-diff of some changes; without any, the empty one that says so.
 * @param xcapRoot with its final slash
 */
export function notifyBody(xcapRoot: string, changes: readonly ToldResource[]): string {
  const key = [
    xcapRoot,
    ...changes.flatMap(({ target, previousTag, newTag, patch }) => [
      target.sel,
      previousTag,
      newTag,
      patch === undefined ? '' : 'patch',
    ]),
  ].join('\n');
  // One change concerns many subscribers who are told the same.
  if (key === lastKey) return lastBody;
  const patched = changes.flatMap(({ patch }) => (patch === undefined || patch.length === 0 ? [] : [patch]));
  const prefix = patched.length === 0 ? undefined : freePrefix(changes, patchPrefix(patched));
  lastBody = composeXcapDiff(
    xcapRoot,
    changes.map((change) => componentOf(change, prefix)),
    prefix,
  );
  lastKey = key;
  return lastBody;
}

/** RFC 5874 3: documents are told by their tags, components by their content. */
function componentOf(change: ToldResource, prefix: string | undefined): DiffComponent {
  const { previousTag, newTag, node, patch } = change;
  const { sel, node: watched } = change.target;
  if (watched === undefined) {
    const document = { kind: 'document', sel, previousTag, newTag } as const;
    if (patch === undefined) return document;
    // RFC 5874 3: another tag for the same content
    if (patch.length === 0) return { ...document, bodyNotChanged: true };
    return prefix === undefined ? document : { ...document, ...composePatch(patch, prefix) };
  }
  if (node?.kind === 'element') return { kind: 'element', sel, exists: true, shown: node.shown };
  if (node?.kind === 'attribute') return { kind: 'attribute', sel, exists: true, value: node.value };
  return { kind: watched.selector.terminal === undefined ? 'element' : 'attribute', sel, exists: false };
}

/** Octets that a patch takes in a body. */
export function patchOctets(patch: readonly PatchOperation[]): number {
  if (patch.length === 0) return 32;
  const { patch: markup, namespaces } = composePatch(patch, patchPrefix([patch]));
  let octets = Buffer.byteLength(markup);
  for (const [prefix, uri] of namespaces ?? []) octets += 16 + prefix.length + 6 * Buffer.byteLength(uri);
  return octets;
}

/** The prefix, unless a shown element borrows it for something else: then patches are left out. */
function freePrefix(changes: readonly ToldResource[], prefix: string): string | undefined {
  const taken = changes.some(({ node }) => node?.kind === 'element' && node.shown?.borrowed.has(prefix) === true);
  return taken ? undefined : prefix;
}

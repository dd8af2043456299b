// The body of a NOTIFY: an xcap-diff document that names what changed (RFC 5874), in the mode no-patching.
import { composeXcapDiff } from '../xml/compose.ts';
import type { ToldDocument } from './state-teller.ts';

let lastKey = '';
let lastBody = '';

/**
 * Composes the xcap-diff of some changes; without any, the empty one that says so.
 * @param xcapRoot with its final slash
 */
export function notifyBody(xcapRoot: string, documents: readonly ToldDocument[]): string {
  const key = [
    xcapRoot,
    ...documents.flatMap(({ target, previousTag, newTag }) => [target.sel, previousTag, newTag]),
  ].join('\n');
  // One change concerns many subscribers who are told the same.
  if (key === lastKey) return lastBody;
  lastBody = composeXcapDiff(
    xcapRoot,
    documents.map(({ target, previousTag, newTag }) => ({ kind: 'document', sel: target.sel, previousTag, newTag })),
  );
  lastKey = key;
  return lastBody;
}

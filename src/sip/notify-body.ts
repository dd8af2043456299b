// The body of a NOTIFY: an xcap-diff document that names what changed (RFC 5874), documents in the mode no-patching.
import { composeXcapDiff, type DiffComponent } from '../xml/compose.ts';
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
    ...changes.flatMap(({ target, previousTag, newTag }) => [target.sel, previousTag, newTag]),
  ].join('\n');
  // One change concerns many subscribers who are told the same.
  if (key === lastKey) return lastBody;
  lastBody = composeXcapDiff(xcapRoot, changes.map(componentOf));
  lastKey = key;
  return lastBody;
}

/** RFC 5874 3: documents are told by their tags, components by their content. */
function componentOf({ target: { sel, node: watched }, previousTag, newTag, node }: ToldResource): DiffComponent {
  if (watched === undefined) return { kind: 'document', sel, previousTag, newTag };
  if (node?.kind === 'element') return { kind: 'element', sel, exists: true, shown: node.shown };
  if (node?.kind === 'attribute') return { kind: 'attribute', sel, exists: true, value: node.value };
  return { kind: watched.selector.terminal === undefined ? 'element' : 'attribute', sel, exists: false };
}

// The body of a NOTIFY: an xcap-diff document that names what changed (RFC 5874), documents by their tags or with patches.
import { composeXcapDiff, type DiffComponent } from '../xml/compose.ts';
import { composePatch, patchPrefix } from '../xml/xml-diff.ts';
import type { DocumentStep } from './change-chain.ts';
import type { ToldResource } from './state-teller.ts';

let lastKey = '';
let lastBody = '';

/** One element of the diff. */
interface Item {
  readonly change: ToldResource;
  readonly step: Omit<DocumentStep, 'sequence'>;
  readonly sequence: number;
}

/**
 * Composes the xcap-diff of some changes; without any, the empty one that says so.
 * @param xcapRoot with its final slash
 */
export function notifyBody(xcapRoot: string, changes: readonly ToldResource[]): string {
  const items = itemsOf(changes);
  const key = [
    xcapRoot,
    ...items.flatMap(({ change, step }) => [
      change.target.sel,
      step.previousTag,
      step.newTag,
      step.patch === undefined ? '' : 'patch',
      // Left out where it is too large for the subscriber
      change.node?.kind === 'element' && change.node.shown === undefined ? 'not shown' : '',
    ]),
  ].join('\n');
  // One change concerns many subscribers who are told the same.
  if (key === lastKey) return lastBody;
  const patched = items.flatMap(({ step: { patch } }) => (patch === undefined || patch.length === 0 ? [] : [patch]));
  const prefix = patched.length === 0 ? undefined : freePrefix(changes, patchPrefix(patched));
  lastBody = composeXcapDiff(
    xcapRoot,
    items.map((item) => componentOf(item, prefix)),
    prefix,
  );
  lastKey = key;
  return lastBody;
}

/** RFC 5875 4.7: changes told one by one stand in the order in which they happened, of whatever document they are. */
function itemsOf(changes: readonly ToldResource[]): readonly Item[] {
  const items = changes.flatMap((change): Item[] =>
    change.steps === undefined
      ? [{ change, step: { ...change, patch: change.patch }, sequence: 0 }]
      : change.steps.map((step) => ({ change, step, sequence: step.sequence })),
  );
  if (changes.every(({ steps }) => steps === undefined)) return items;
  return items.sort((one, other) => (one.sequence === other.sequence ? 0 : one.sequence < other.sequence ? -1 : 1));
}

/** RFC 5874 3: documents are told by their tags, components by their content. */
function componentOf({ change, step }: Item, prefix: string | undefined): DiffComponent {
  const { sel, node: watched } = change.target;
  const { node } = change;
  if (watched === undefined) {
    const { previousTag, newTag, patch } = step;
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

/** The prefix, unless a shown element borrows it for something else: then patches are left out. */
function freePrefix(changes: readonly ToldResource[], prefix: string): string | undefined {
  const taken = changes.some(({ node }) => node?.kind === 'element' && node.shown?.borrowed.has(prefix) === true);
  return taken ? undefined : prefix;
}

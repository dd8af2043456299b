// Patches between two versions of a document, for the `document` elements of an xcap-diff (RFC 5874) in RFC 5261 operations.
//
// diffDocuments(before, after, limits) compares any two versions; operationOfEdit(before, after, selector) knows that one XCAP request
// has put or deleted one node. Either answers operations that have been applied to `before` and found to bring the canonical form of
// `after`, or undefined: then only the tags are told and the subscriber fetches the document, as RFC 5874 3 allows.
// patchPrefix and composePatch (patch-composer.ts) turn operations into `DocumentDiff.patch` and `.namespaces` for composeXcapDiff:
//
//   const operations = diffDocuments(before, after);
//   const prefix = patchPrefix([operations]);
//   composeXcapDiff(root, [{ kind: 'document', sel, previousTag, newTag, ...composePatch(operations, prefix) }], prefix);

import { sameCanonicalForm } from './canonical.ts';
import { childNodes, documentNode, plainContent } from './child-nodes.ts';
import { pathTo } from './diff-path.ts';
import { type DraftOperation, draftSize, writeDraft } from './draft-operation.ts';
import { elementDrafts } from './element-diff.ts';
import type { XmlLimits } from './limits.ts';
import type { NodeSelector } from './node-selector.ts';
import { type ElementId, OffsetIndex } from './offset-index.ts';
import type { PatchOperation } from './patch-operation.ts';
import { selectNode } from './select.ts';
import { applyPatch } from './xml-patch.ts';

export { type ComposedPatch, composePatch, patchPrefix } from './patch-composer.ts';
export type { PatchOperation } from './patch-operation.ts';

/** Beyond these a patch is not worth its cost. */
export interface DiffLimits {
  /** Operations of one patch. */
  readonly operations: number;
  /** Bytes of one patch, its selectors and content. */
  readonly patchBytes: number;
  /** Bytes that checking may look through: about operations times document size. It bounds the time spent. */
  readonly applyBytes: number;
  /** Cells of one alignment table. */
  readonly alignmentCells: number;
}

export const defaultDiffLimits: DiffLimits = {
  operations: 256,
  patchBytes: 64 * 1024,
  applyBytes: 8 * 1024 * 1024,
  alignmentCells: 4096,
};

/** Both documents have been accepted already; nothing is to be refused again. */
const accepted: XmlLimits = {
  documentBytes: Number.MAX_SAFE_INTEGER,
  elementDepth: Number.MAX_SAFE_INTEGER,
  elements: Number.MAX_SAFE_INTEGER,
  attributesPerElement: Number.MAX_SAFE_INTEGER,
  nameLength: Number.MAX_SAFE_INTEGER,
  namespacesInScope: Number.MAX_SAFE_INTEGER,
};

/**
 * Operations that turn one document into another; none when their canonical forms are equal (RFC 5874: `body-not-changed`).
 * Undefined when no patch within the limits does, or one that RFC 5261 cannot express.
 */
export function diffDocuments(
  before: OffsetIndex,
  after: OffsetIndex,
  limits: DiffLimits = defaultDiffLimits,
): readonly PatchOperation[] | undefined {
  if (!sameSurroundings(before, after)) return undefined;
  const task = { before, after, cells: limits.alignmentCells, keys: new Map() };
  const drafts = elementDrafts(task, before.root, after.root, pathTo(before, before.root));
  if (drafts === undefined) return undefined;
  return written(before, after, [...drafts.declarations, ...drafts.changes], limits);
}

/** Comments and processing instructions beside the document element; changes there are not patched. */
function sameSurroundings(before: OffsetIndex, after: OffsetIndex): boolean {
  const around = (index: OffsetIndex): readonly string[] =>
    childNodes(index, documentNode).map((node) =>
      node.kind === 'element' ? '' : node.kind + plainContent(index, node),
    );
  return around(before).join('\0') === around(after).join('\0');
}

/** Writes drafts out and proves them: applied to the old bytes they must bring the canonical form of the new ones. */
function written(
  before: OffsetIndex,
  after: OffsetIndex,
  drafts: readonly DraftOperation[],
  limits: DiffLimits,
): readonly PatchOperation[] | undefined {
  const size = drafts.reduce((sum, draft) => sum + draftSize(draft), 0);
  const tooMuch = size > limits.patchBytes || drafts.length * before.bytes.length > limits.applyBytes;
  // One operation is always worth trying: it costs no more than taking the edit in did.
  if (drafts.length > 1 ? tooMuch || drafts.length > limits.operations : size > limits.patchBytes) return undefined;
  const operations = drafts.map((draft) => writeDraft(after, draft));
  const workBytes = Math.max(limits.applyBytes, before.bytes.length) * 33;
  const outcome = applyPatch(before, operations, { xml: accepted, workBytes });
  if ('failure' in outcome) return undefined;
  if (Buffer.compare(outcome.patched, after.bytes) === 0) return operations;
  return sameCanonicalForm(OffsetIndex.of(outcome.patched, accepted), after) ? operations : undefined;
}

/**
 * The one operation that tells what an XCAP PUT or DELETE of a node has done, given the documents before and after it. Undefined for
 * other selectors, and when one operation within the limits does not bring the new document.
 */
export function operationOfEdit(
  before: OffsetIndex,
  after: OffsetIndex,
  selector: NodeSelector,
  limits: DiffLimits = defaultDiffLimits,
): PatchOperation | undefined {
  const draft = editDraft(before, after, selector);
  return draft && written(before, after, [draft], limits)?.[0];
}

function editDraft(before: OffsetIndex, after: OffsetIndex, selector: NodeSelector): DraftOperation | undefined {
  const old = selectNode(before, selector);
  const now = selectNode(after, selector);
  if (old?.kind === 'namespaces' || now?.kind === 'namespaces') return undefined;
  if (old?.kind === 'attribute' || now?.kind === 'attribute') {
    const attribute = old?.kind === 'attribute' ? old.attribute : now?.kind === 'attribute' ? now.attribute : undefined;
    const element = old?.element ?? now?.element;
    if (attribute === undefined || element === undefined) return undefined;
    const { prefix, localName } = attribute;
    const name = `@${prefix === '' ? '' : `${prefix}:`}${localName}`;
    const at = { path: pathTo(before, element), binding: attribute };
    if (now?.kind !== 'attribute') return { ...at, directive: 'remove', below: name };
    const content = [now.attribute.value];
    if (old !== undefined) return { ...at, directive: 'replace', below: name, content };
    return now.attribute.value === '' ? undefined : { ...at, directive: 'add', type: name, content };
  }
  if (now === undefined) return old && { directive: 'remove', path: pathTo(before, old.element) };
  if (old === undefined) return additionDraft(before, after, now.element);
  const content = [{ start: after.outerStart(now.element), end: after.outerEnd(now.element) }];
  return { directive: 'replace', path: pathTo(before, old.element), content, elements: [now.element] };
}

/** A new element next to a neighbour that both documents have; up to it, elements have the same numbers in both. */
function additionDraft(before: OffsetIndex, after: OffsetIndex, element: ElementId): DraftOperation | undefined {
  const parent = after.parent(element);
  if (parent < 0) return undefined;
  const siblings = childNodes(after, parent);
  const place = siblings.findIndex((node) => node.kind === 'element' && node.element === element);
  const content = [{ start: after.outerStart(element), end: after.outerEnd(element) }];
  const added = { directive: 'add', content, elements: [element] } as const;
  const next = siblings[place + 1];
  if (next === undefined) return { ...added, path: pathTo(before, parent) };
  const previous = siblings[place - 1];
  if (previous === undefined) return { ...added, path: pathTo(before, parent), pos: 'prepend' };
  if (previous.kind === 'element') return { ...added, path: pathTo(before, previous.element), pos: 'after' };
  if (next.kind !== 'element') return undefined;
  const size = after.count - before.count;
  return { ...added, path: pathTo(before, next.element - size), pos: 'before' };
}

// Reads a received xcap-diff document (RFC 5874) over the offset index, because shown elements and patches are needed octet for octet.
// What an extension adds is ignored.

import { Refusal } from '../refusals.ts';
import { namespaces } from './names.ts';
import type { ElementId, OffsetIndex } from './offset-index.ts';

export interface ReceivedDocumentDiff {
  readonly kind: 'document';
  readonly element: ElementId;
  readonly sel: string;
  /** Entity tags without quotes, as received. */
  readonly newTag?: string | undefined;
  readonly previousTag?: string | undefined;
  readonly content: 'none' | 'body-not-changed' | 'patch';
}

export interface ReceivedNodeDiff {
  readonly kind: 'element' | 'attribute';
  readonly element: ElementId;
  readonly sel: string;
  readonly exists: boolean;
  /** `element`: the element shown, when it is. */
  readonly shown?: ElementId | undefined;
  /** `attribute`: its value. */
  readonly value?: string | undefined;
}

export interface ReceivedDiff {
  /** XCAP root as received; every `sel` resolves against it. */
  readonly root: string;
  readonly components: readonly (ReceivedDocumentDiff | ReceivedNodeDiff)[];
}

/** Reads a diff. Throws Refusal `bad-request` when the document is none, or lacks `xcap-root` or a `sel`. */
export function readXcapDiff(index: OffsetIndex): ReceivedDiff {
  const root = index.attribute(index.root, 'xcap-root');
  if (!index.is(index.root, namespaces.xcapDiff, 'xcap-diff') || root === undefined) {
    throw new Refusal('bad-request', { phrase: 'The body is no xcap-diff document' });
  }
  const components: (ReceivedDocumentDiff | ReceivedNodeDiff)[] = [];
  for (const element of index.children(index.root)) {
    if (index.namespace(element) !== namespaces.xcapDiff) continue;
    const kind = index.localName(element);
    if (kind === 'document') components.push(readDocument(index, element));
    else if (kind === 'element' || kind === 'attribute') components.push(readNode(index, element, kind));
  }
  return { root, components };
}

function selOf(index: OffsetIndex, element: ElementId): string {
  const sel = index.attribute(element, 'sel');
  if (sel === undefined) throw new Refusal('bad-request', { phrase: 'A part of the xcap-diff document has no sel' });
  return sel;
}

function readDocument(index: OffsetIndex, element: ElementId): ReceivedDocumentDiff {
  const operations = index.children(element).filter((child) => index.namespace(child) === namespaces.xcapDiff);
  const unchanged = operations.some((child) => index.localName(child) === 'body-not-changed');
  return {
    kind: 'document',
    element,
    sel: selOf(index, element),
    newTag: index.attribute(element, 'new-etag'),
    previousTag: index.attribute(element, 'previous-etag'),
    content: unchanged ? 'body-not-changed' : operations.length > 0 ? 'patch' : 'none',
  };
}

function readNode(index: OffsetIndex, element: ElementId, kind: 'element' | 'attribute'): ReceivedNodeDiff {
  const exists = !['0', 'false'].includes(index.attribute(element, 'exists')?.trim() ?? '');
  const shown = kind === 'element' ? index.children(element)[0] : undefined;
  const value = kind === 'attribute' && exists ? index.text(element) : undefined;
  return { kind, element, sel: selOf(index, element), exists, shown, value };
}

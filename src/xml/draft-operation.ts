// Patch operations in the making: cheap to draw up, written out only once it is clear that they will be sent.

import { escapeText } from './character-data.ts';
import { shownElement } from './compose.ts';
import { type DiffPath, writePath } from './diff-path.ts';
import { namespaces } from './names.ts';
import type { ElementId, OffsetIndex } from './offset-index.ts';
import type { PatchOperation } from './patch-operation.ts';

/** A stretch of the new document, or decoded text. */
export type DraftPiece = { readonly start: number; readonly end: number } | string;

export interface DraftOperation {
  readonly directive: PatchOperation['directive'];
  /** The element that is meant, or whose child or attribute `below` names. */
  readonly path: DiffPath;
  readonly below?: string | undefined;
  readonly pos?: 'before' | 'after' | 'prepend' | undefined;
  readonly type?: string | undefined;
  readonly ws?: 'before' | 'after' | 'both' | undefined;
  /** A prefix that `below` or `type` uses. */
  readonly binding?: { readonly prefix: string; readonly namespace: string } | undefined;
  readonly content?: readonly DraftPiece[] | undefined;
  /** Elements of the new document that the content shows. */
  readonly elements?: readonly ElementId[] | undefined;
}

/** What an operation takes beside its content, bytes, roughly. */
const overhead = 90;

/** About how many bytes a draft will take. */
export function draftSize({ content = [] }: DraftOperation): number {
  return content.reduce((sum, p) => sum + (typeof p === 'string' ? p.length : p.end - p.start), overhead);
}

/** Writes a draft out, with the namespaces that its selector and content use. */
export function writeDraft(after: OffsetIndex, draft: DraftOperation): PatchOperation {
  const { directive, path, below, pos, type, ws, binding, content = [], elements = [] } = draft;
  const used = new Map<string, string>();
  for (const element of elements) addBorrowed(after, element, used);
  if (binding !== undefined && binding.prefix !== '' && binding.namespace !== namespaces.xml) {
    used.set(binding.prefix, binding.namespace);
  }
  const element = writePath(path, used);
  const sel = below === undefined ? element : `${element}/${below}`;
  used.delete('xml');
  if (used.get('') === '') used.delete('');
  const written = content.map((piece) =>
    typeof piece === 'string' ? escapeText(piece) : after.source(piece.start, piece.end),
  );
  return { directive, sel, pos, type, ws, namespaces: used, content: written.join('') };
}

function addBorrowed(after: OffsetIndex, element: ElementId, used: Map<string, string>): void {
  for (const [prefix, uri] of shownElement(after, element).borrowed) used.set(prefix, uri);
  // Without default namespace around it, unprefixed content must stay without one.
  if (after.namespaceOf(Math.max(after.parent(element), 0), '') === '') used.set('', '');
}

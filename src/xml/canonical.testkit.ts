// Canonical XML 1.0 with comments as libxml2 writes it: the independent measure for what patches and diffs bring about.

import { withDocument } from './libxml.ts';

/** The canonical form of a document. Throws Refusal `not-well-formed`. */
export function canonicalForm(bytes: Uint8Array): string {
  return withDocument(bytes, (document) => document.canonicalizeToString({ mode: 0, withComments: true }));
}

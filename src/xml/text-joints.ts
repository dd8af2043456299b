// Splices whole nodes in and out of a document. Text that comes together where a node goes must not read as something else:
// as a CDATA end, which text may not contain, or as one line end where there were two. Its second part is then written as a reference.

import type { OffsetIndex } from './offset-index.ts';
import { type Edit, splice } from './splice.ts';

/** Splices whole nodes in and out; edits are sorted by offset. */
export function spliceNodes(index: OffsetIndex, edits: readonly Edit[]): Uint8Array {
  const bytes = splice(index.bytes, edits);
  const mends = new Map<number, string>();
  let shift = 0;
  for (const { start, end, replacement: put } of edits) {
    // Beside the document element there is no text, only white space.
    if (start < index.outerStart(index.root) || start >= index.outerEnd(index.root)) continue;
    const length = typeof put === 'string' ? Buffer.byteLength(put) : put.length;
    for (const joint of new Set([start + shift, start + shift + length])) {
      if (bytes[joint - 1] === 0x0d && bytes[joint] === 0x0a) mends.set(joint, '&#10;');
      for (const at of [joint, joint + 1]) {
        if (bytes[at] === 0x3e && bytes[at - 1] === 0x5d && bytes[at - 2] === 0x5d) mends.set(at, '&gt;');
      }
    }
    shift += length - (end - start);
  }
  if (mends.size === 0) return bytes;
  const ordered = [...mends].sort(([one], [other]) => one - other);
  return splice(
    bytes,
    ordered.map(([at, mend]) => ({ start: at, end: at + 1, replacement: mend })),
  );
}

// What a patch may cost: never more than fetching the document.
import { expect, test } from '@jest/globals';
import type { ServedDocument } from '../documents/documents.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { OffsetIndex } from '../xml/offset-index.ts';
import { diffDocuments } from '../xml/xml-diff.ts';
import { changeChain } from './change-chain.ts';
import { DocumentPatches, type DocumentVersion, largestPatched, patchOctets } from './document-patches.ts';

// A patch that shows elements of these declares their namespaces, and how they are escaped counts six-fold
const namespaces = Array.from({ length: 4 }, (_, index) => `urn:example:${index}${'n'.repeat(200)}`);
const declarations = namespaces.map((uri, index) => ` xmlns:p${index}="${uri}"`).join('');

function version(tag: string, value: number, padding: number): DocumentVersion {
  const elements = namespaces.map((_, index) => `<p${index}:e${value}>${value}</p${index}:e${value}>`).join('');
  const bytes = Buffer.from(`<r${declarations}>${elements}<!--${'x'.repeat(padding)}--></r>`);
  return { tag, index: OffsetIndex.of(bytes, defaultXmlLimits) };
}

/** Whether the change is shown in a document with so many characters in it that stay. */
function isShown(padding: number): boolean {
  const patches = new DocumentPatches();
  patches.keep('w', version('t1', 1, padding));
  return patches.between('w', 't1', version('t2', 2, padding)) !== undefined;
}

test('RFC 5875 4.7: one patch may take as many octets as the document and 1,000, not one more', () => {
  // So much that nobody replaces the whole instead
  const wide = 20_000;
  const operations = diffDocuments(version('t1', 1, wide).index, version('t2', 2, wide).index);
  if (operations === undefined) throw new Error('no patch');
  const padding = patchOctets(operations) - version('t2', 2, 0).index.bytes.length - 1_000;
  expect(padding).toBeGreaterThan(0);
  expect(isShown(padding)).toBe(true);
  expect(isShown(padding - 1)).toBe(false);
});

test('RFC 5875 4.3: in a chain of changes one that costs too much is told by its tags, those before and behind by patches', async () => {
  const patches = new DocumentPatches();
  // The same elements change in all of them; in the second there is less beside them than their patch takes
  const versions = [version('t1', 1, 9_000), version('t2', 2, 9_000), version('t3', 3, 0), version('t4', 3, 100)];
  const [told, ...later] = versions;
  if (told === undefined) throw new Error('nothing was told');
  patches.keep('w', told);
  const byTag = new Map(later.map((one) => [one.tag, one]));
  const chain = await changeChain({
    watch: 'w',
    toldTag: told.tag,
    steps: later.map(({ tag }, sequence) => ({ sequence, document: { tag } as ServedDocument })),
    current: later.at(-1),
    viewed: async ({ tag }) => byTag.get(tag),
    patches,
  });
  expect(chain.map(({ previousTag, newTag, patch }) => [previousTag, newTag, patch !== undefined])).toEqual([
    ['t1', 't2', true],
    ['t2', 't3', false],
    ['t3', 't4', true],
  ]);
});

test('documents above 256 kB are neither kept nor compared', () => {
  const most = largestPatched - version('t1', 1, 0).index.bytes.length;
  expect(isShown(most)).toBe(true);
  expect(isShown(most + 1)).toBe(false);
});

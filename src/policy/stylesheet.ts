// The stylesheet rule: hands the document to the operator's XSLT and takes the result as the document. Bytes are the stylesheet's then;
// what binds both systems still stays unless the rule says `endToEnd: true`.
import { Refusal } from '../refusals.ts';
import { sameCanonicalForm } from '../xml/canonical.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { readXml } from '../xml/xml-document.ts';
import type { PolicyEdit } from './edits.ts';
import { endToEndParts } from './end-to-end.ts';
import type { PolicyContext } from './policy.ts';
import { firstLine, type StylesheetProcessor } from './stylesheet-processor.ts';

/** Bytes that a stylesheet may make of a document. */
const longestResult = 16 * 1024 * 1024;

let processor: StylesheetProcessor | undefined;

/** Gives this thread the processor that its stylesheet rules use. */
export function useStylesheetProcessor(loaded: StylesheetProcessor | undefined): void {
  processor = loaded;
}

/** Plans the one edit of a stylesheet rule. Throws Refusal `constraint-failure` with what the stylesheet says or what its result lacks. */
export function planStylesheet(
  index: OffsetIndex,
  program: string,
  context: PolicyContext,
  endToEnd: boolean,
): readonly PolicyEdit[] {
  if (processor === undefined) throw new Error('stylesheets run in worker threads only, and this one has no processor');
  const { groupId, partner, direction } = context;
  const input = Buffer.from(index.bytes.buffer, index.bytes.byteOffset, index.bytes.byteLength)
    .toString()
    .replace(/^\uFEFF/, '');
  let result: string;
  try {
    result = processor.run(program, input, { groupId, partner, direction });
  } catch (error) {
    throw new Refusal('constraint-failure', { phrase: `the stylesheet fails: ${firstLine(error)}` });
  }
  if (result === input) return [];
  const bytes = Buffer.from(result);
  if (bytes.byteLength > longestResult) {
    throw new Refusal('constraint-failure', { phrase: `the stylesheet makes more than ${longestResult} bytes` });
  }
  const made = readXml(bytes, { ...defaultXmlLimits, documentBytes: longestResult, elementDepth: 128 });
  // A stylesheet writes white space, quotes and prefixes its own way: when nothing else is new, the document stays as it was.
  if (sameCanonicalForm(index, made)) return [];
  if (!endToEnd) refuseChangedParts(index, made);
  const end = index.bytes.byteLength;
  return [
    {
      start: 0,
      end,
      replacement: bytes,
      path: index.localName(index.root),
      before: shown(index, index.root),
      after: result,
    },
  ];
}

function refuseChangedParts(index: OffsetIndex, result: OffsetIndex): void {
  const before = endToEndParts(index);
  const after = endToEndParts(result);
  const [changed] = [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => before.get(name) !== after.get(name),
  );
  if (changed === undefined) return;
  throw new Refusal('constraint-failure', {
    phrase: `${changed} binds both systems and needs endToEnd: true to change`,
  });
}

function shown(index: OffsetIndex, element: ElementId): string {
  return index.source(index.outerStart(element), index.outerEnd(element));
}

// Markup that a policy file brings into documents: checked once when the file is loaded, written so that its prefixes
// mean the same wherever it lands.
import { Refusal } from '../refusals.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { readXml } from '../xml/xml-document.ts';
import { xpathPrefixes } from '../xml/xpath.ts';
import { endToEndAround, endToEndWithin } from './end-to-end.ts';

export interface Fragment {
  /** Name of the end-to-end part that the fragment is or contains. */
  readonly endToEnd: string | undefined;
  /** The markup as it must be written inside this element. */
  markupAt(index: OffsetIndex, parent: ElementId): string;
}

/** Reads exactly one element, in which the prefixes of policies are bound. Throws Error that says what is wrong. */
export function readFragment(markup: string): Fragment {
  const declarations = Object.entries(xpathPrefixes).map(([prefix, uri]) => ` xmlns:${prefix}="${uri}"`);
  const wrapped = wrappedIndex(`<wrapper${declarations.join('')}>${markup.trim()}</wrapper>`);
  const [element, ...others] = wrapped.children(wrapped.root);
  if (element === undefined || others.length > 0 || wrapped.text(wrapped.root).trim() !== '') {
    throw new Error('must be exactly one element');
  }
  const all = [element, ...wrapped.descendants(element)];
  const bare = all.find((one) => wrapped.namespace(one) === '');
  if (bare !== undefined) throw new Error(`element ${wrapped.localName(bare)} needs a prefix`);
  const used = new Set(
    all.flatMap((one) => [wrapped.prefix(one), ...wrapped.attributes(one).map(({ prefix }) => prefix)]),
  );
  const own = new Set(wrapped.namespaceDeclarations(element).map(({ prefix }) => prefix));
  const needed = Object.entries(xpathPrefixes).filter(([prefix]) => used.has(prefix) && !own.has(prefix));
  const text = wrapped.source(wrapped.outerStart(element), wrapped.outerEnd(element));
  const nameEnd = wrapped.tagNameEnd(element) - wrapped.outerStart(element);
  const head = Buffer.from(text).subarray(0, nameEnd).toString();
  const tail = text.slice(head.length);
  return {
    endToEnd: endToEndAround(wrapped, element) ?? endToEndWithin(wrapped, element),
    markupAt: (index, parent) => {
      const missing = needed.filter(([prefix, uri]) => index.namespaceOf(parent, prefix) !== uri);
      return `${head}${missing.map(([prefix, uri]) => ` xmlns:${prefix}="${uri}"`).join('')}${tail}`;
    },
  };
}

function wrappedIndex(markup: string): OffsetIndex {
  try {
    return readXml(Buffer.from(markup), defaultXmlLimits);
  } catch (error) {
    if (error instanceof Refusal) throw new Error(`is not well-formed: ${error.phrase}`);
    throw error;
  }
}

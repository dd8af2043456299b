// Documents that trip XML tools, and the reading of a document by saxes as an independent oracle.
// Used by the tests of the offset index and of everything built on it.

import { SaxesParser } from 'saxes';
import type { OffsetIndex } from './offset-index.ts';

/** Well-formed documents by what is tricky about them. */
export const trickyDocuments: Readonly<Record<string, string>> = {
  'empty tag': '<a/>',
  'empty element': '<a></a>',
  'spaces in tags': '<a  x = "1"\n y=\'2\' ><b / ></b ></a\t>'.replace('<b / >', '<b  />').replace('</b >', ''),
  'default namespace': '<a xmlns="urn:1"><b/><b xmlns="urn:2"><c/></b><b xmlns=""><c/></b></a>',
  'prefix and default for one namespace': '<p:a xmlns:p="urn:1" xmlns="urn:1"><a/><p:a/></p:a>',
  'redeclared prefix': '<p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"><p:c/></p:b><p:d/></p:a>',
  'redeclared on an empty tag': '<p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"/><p:c/></p:a>',
  'attribute namespaces': '<a xmlns:p="urn:1" xmlns:q="urn:2" p:x="1" q:x="2" x="3"/>',
  'declaration behind its use': '<a><p:b p:x="1" xmlns:p="urn:1"/></a>',
  'greater-than in a value': '<a x=">" y=\'/>\'><b z="a>b"/></a>',
  'quotes in values': `<a x='"' y="'"/>`,
  references: '<a x="&lt;&amp;&#65;&#x42;&quot;">&lt;b&gt;&amp;&apos;&#x1F600;</a>',
  'white space in values': '<a x="a\tb\nc\r\nd\re&#10;f&#13;g  h"/>',
  'line ends in text': '<a>1\r\n2\r3\n4&#13;5</a>',
  CDATA: '<a>x<![CDATA[<b>&amp;]]]]><![CDATA[>]]>y<![CDATA[]]></a>',
  comments: '<!-- <x> --><a><!-- </a> --><b/><!--- --><!----></a><!-- end -->',
  'processing instructions': '<?xml version="1.0"?><?x <a>?><a><?y ?>t<?z </a>?></a><?e?>',
  'text around children': '<a>1<b>2</b>3<c/>4</a>',
  'names with dots, dashes and colons': '<a.b-c_d xmlns:e.f-g="urn:1"><e.f-g:h.i-j/></a.b-c_d>',
  'non-ASCII names': '<größe größe="ü"><Δ/></größe>',
  'astral characters': '<a x="😀">😀<b>𝄞</b></a>',
  'byte order mark': '\ufeff<a>x</a>',
  'xml prefix': '<a xml:lang="en" xml:space="preserve"> <b xml:lang=""/></a>',
  'names starting like xmlns': '<a xmlnsx="1" xmln="2"><b xmlnsy="3"/></a>',
  'namespace with a reference': '<a xmlns="urn:a&amp;b"><b/></a>',
  'many siblings': `<a>${'<b x="1"/>'.repeat(2000)}</a>`,
  'deep nesting': `${'<a>'.repeat(60)}t${'</a>'.repeat(60)}`,
};

/** One element as any namespace-aware parser sees it. */
export interface SeenElement {
  readonly prefix: string;
  readonly localName: string;
  readonly namespace: string;
  readonly parent: number;
  readonly attributes: readonly (readonly [namespace: string, prefix: string, localName: string, value: string])[];
  readonly declarations: readonly (readonly [prefix: string, uri: string])[];
  text: string;
}

/** Elements in document order as saxes reads them. Throws on what saxes refuses. */
export function readWithSaxes(document: string): readonly SeenElement[] {
  const parser = new SaxesParser({ xmlns: true, position: false });
  const seen: SeenElement[] = [];
  const open: number[] = [];
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', (tag) => {
    const all = Object.values(tag.attributes);
    seen.push({
      prefix: tag.prefix,
      localName: tag.local,
      namespace: tag.uri,
      parent: open.at(-1) ?? -1,
      attributes: all.filter((a) => !isDeclared(a)).map((a) => [a.uri, a.prefix, a.local, a.value] as const),
      declarations: all.filter(isDeclared).map((a) => [a.prefix === '' ? '' : a.local, a.value] as const),
      text: '',
    });
    open.push(seen.length - 1);
  });
  parser.on('closetag', () => open.pop());
  const add = (text: string): void => {
    const top = seen[open.at(-1) ?? -1];
    if (top !== undefined) top.text += text;
  };
  parser.on('text', add);
  parser.on('cdata', add);
  parser.write(document).close();
  return seen;
}

function isDeclared(attribute: { readonly prefix: string; readonly local: string }): boolean {
  return attribute.prefix === 'xmlns' || (attribute.prefix === '' && attribute.local === 'xmlns');
}

/** The same reading taken from an index. */
export function readWithIndex(index: OffsetIndex): readonly SeenElement[] {
  return Array.from({ length: index.count }, (_, element) => ({
    prefix: index.prefix(element),
    localName: index.localName(element),
    namespace: index.namespace(element),
    parent: index.parent(element),
    attributes: index.attributes(element).map((a) => [a.namespace, a.prefix, a.localName, a.value] as const),
    declarations: index.namespaceDeclarations(element).map((d) => [d.prefix, d.uri] as const),
    text: index.text(element),
  }));
}

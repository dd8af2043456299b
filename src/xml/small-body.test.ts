import { describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { defaultXmlLimits } from './limits.ts';
import type { ElementId, OffsetIndex } from './offset-index.ts';
import { readXcapDiff } from './received-diff.ts';
import {
  readAccessToken,
  readGmopOperation,
  readResourceList,
  readSmallBody,
  type SmallElement,
} from './small-body.ts';
import { trickyDocuments } from './tricky.testkit.ts';
import { readXml } from './xml-document.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const refusalOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
  return 'accepted';
};

function treeOf(index: OffsetIndex, element: ElementId): SmallElement {
  return {
    namespace: index.namespace(element),
    localName: index.localName(element),
    attributes: new Map(
      index
        .attributes(element)
        .filter((a) => a.prefix === '')
        .map((a) => [a.localName, a.value]),
    ),
    children: index.children(element).map((child) => treeOf(index, child)),
    text: index.text(element),
  };
}

describe('small bodies', () => {
  test.each(Object.entries(trickyDocuments))(
    'fast-xml-parser with our names and values reads what the index reads: %s',
    (_, document) => {
      const index = readXml(bytes(document), defaultXmlLimits);
      expect(readSmallBody(bytes(document), defaultXmlLimits)).toEqual(treeOf(index, index.root));
    },
  );

  test('RFC 5875 4.4: entries at any depth, everything else ignored, values stay text', () => {
    const list =
      '<r:resource-lists xmlns:r="urn:ietf:params:xml:ns:resource-lists"><r:list><r:entry uri="a/b?x=1&amp;y"/><r:entry-ref ref="c"/>' +
      '<r:list name="in"><r:entry uri=" 007 "><r:display-name>x</r:display-name></r:entry></r:list><r:external anchor="d"/><entry uri="e" xmlns="urn:other"/><r:entry/></r:list></r:resource-lists>';
    expect(readResourceList(bytes(list), defaultXmlLimits)).toEqual(['a/b?x=1&y', '007']);
    expect(refusalOf(() => readResourceList(bytes('<resource-lists/>'), defaultXmlLimits))).toBe('bad-request');
    expect(refusalOf(() => readResourceList(bytes('<!DOCTYPE a><a/>'), defaultXmlLimits))).toBe('constraint-failure');
    expect(refusalOf(() => readResourceList(bytes('<a>'), defaultXmlLimits))).toBe('not-well-formed');
  });

  test.each([
    [
      'mcptt',
      '<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><mcptt-access-token type="Normal"><mcpttString> eyJ.a.b\n</mcpttString></mcptt-access-token></mcptt-Params></mcpttinfo>',
      'eyJ.a.b',
    ],
    [
      'mcvideo',
      '<v:mcvideoinfo xmlns:v="urn:3gpp:ns:mcvideoInfo:1.0"><v:mcvideo-Params><v:mcvideo-access-token><v:mcvideoString>t</v:mcvideoString></v:mcvideo-access-token></v:mcvideo-Params></v:mcvideoinfo>',
      't',
    ],
    [
      'mcdata',
      '<mcdatainfo xmlns="urn:3gpp:ns:mcdataInfo:1.0"><mcdata-Params><mcdata-access-token><mcdataString>t</mcdataString></mcdata-access-token></mcdata-Params></mcdatainfo>',
      't',
    ],
    [
      'encrypted',
      '<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><mcptt-access-token type="Encrypted"><mcpttString>t</mcpttString></mcptt-access-token></mcptt-Params></mcpttinfo>',
      undefined,
    ],
    ['none', '<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"/>', undefined],
    [
      'token of another namespace',
      '<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><x:mcptt-access-token xmlns:x="urn:x"><x:mcpttString>t</x:mcpttString></x:mcptt-access-token></mcptt-Params></mcpttinfo>',
      undefined,
    ],
  ])('TS 24.379 F.1: access token: %s', (_, document, token) => {
    expect(readAccessToken(bytes(document), defaultXmlLimits)).toBe(token);
  });

  test.each([
    [
      '<document xmlns="urn:3gpp:ns:mcpttGMOP:1.0"><request><get-excluding-memberlist/></request></document>',
      'get-excluding-memberlist',
    ],
    [
      '<document xmlns="urn:3gpp:ns:mcpttGMOP:1.0"><request><group-regroup-creation/></request></document>',
      'group-regroup-creation',
    ],
    ['<document xmlns="urn:3gpp:ns:mcpttGMOP:1.0"><request><x xmlns="urn:x"/></request></document>', undefined],
  ])('TS 24.481: group management operation of %s', (document, operation) => {
    expect(readGmopOperation(bytes(document), defaultXmlLimits)).toBe(operation);
  });

  test('bodies of another kind, and names that poison objects, are refused', () => {
    expect(refusalOf(() => readAccessToken(bytes('<a/>'), defaultXmlLimits))).toBe('bad-request');
    expect(refusalOf(() => readGmopOperation(bytes('<document/>'), defaultXmlLimits))).toBe('bad-request');
    for (const content of ['<response><get-excluding-memberlist/></response>', '<request/>', '']) {
      const nothing = bytes(`<document xmlns="urn:3gpp:ns:mcpttGMOP:1.0">${content}</document>`);
      expect(refusalOf(() => readGmopOperation(nothing, defaultXmlLimits))).toBe('bad-request');
    }
    expect(refusalOf(() => readSmallBody(bytes('<a><__proto__/></a>'), defaultXmlLimits))).toBe('bad-request');
  });
});

describe('received xcap-diff', () => {
  const read = (content: string) =>
    readXcapDiff(
      readXml(
        bytes(
          `<d:xcap-diff xmlns:d="urn:ietf:params:xml:ns:xcap-diff" xmlns:x="urn:x" xcap-root="https://a/">${content}</d:xcap-diff>`,
        ),
        defaultXmlLimits,
      ),
    );

  test('RFC 5874 3: documents with tags, patches and unchanged bodies; elements and attributes; extensions ignored', () => {
    const diff = read(
      '<d:document sel="a" new-etag="1" x:y="z"/><d:document sel="b" previous-etag="2"><x:y/></d:document><d:document sel="c" previous-etag="1" new-etag="2"><d:body-not-changed/></d:document>' +
        '<d:document sel="e"><d:add sel="*"/></d:document><d:element sel="f"><x:y/></d:element><d:element sel="g" exists=" 0 "/><d:element sel="h"/>' +
        '<d:attribute sel="i">v &amp; w</d:attribute><d:attribute sel="j" exists="false"/><x:document sel="k"/><d:unknown/>',
    );
    expect(diff.root).toBe('https://a/');
    expect(diff.components.map(({ element: _, ...component }) => component)).toEqual([
      { kind: 'document', sel: 'a', newTag: '1', content: 'none' },
      { kind: 'document', sel: 'b', previousTag: '2', content: 'none' },
      { kind: 'document', sel: 'c', newTag: '2', previousTag: '1', content: 'body-not-changed' },
      { kind: 'document', sel: 'e', content: 'patch' },
      { kind: 'element', sel: 'f', exists: true, shown: 9 },
      { kind: 'element', sel: 'g', exists: false },
      { kind: 'element', sel: 'h', exists: true },
      { kind: 'attribute', sel: 'i', exists: true, value: 'v & w' },
      { kind: 'attribute', sel: 'j', exists: false },
    ]);
  });

  test('a document that is no diff is refused', () => {
    expect(refusalOf(() => read('<d:document/>'))).toBe('bad-request');
    expect(refusalOf(() => readXcapDiff(readXml(bytes('<xcap-diff xcap-root="a"/>'), defaultXmlLimits)))).toBe(
      'bad-request',
    );
    expect(
      refusalOf(() =>
        readXcapDiff(readXml(bytes('<xcap-diff xmlns="urn:ietf:params:xml:ns:xcap-diff"/>'), defaultXmlLimits)),
      ),
    ).toBe('bad-request');
  });
});

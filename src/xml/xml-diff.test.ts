import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalForm } from './canonical.testkit.ts';
import { sameCanonicalForm } from './canonical.ts';
import { composeXcapDiff } from './compose.ts';
import { groupOf, groupWithMembers, serviceOf } from './group-samples.testkit.ts';
import { defaultXmlLimits } from './limits.ts';
import { namespaces } from './names.ts';
import { deleteNode, locatePut, putNode } from './node-edit.ts';
import { bindSelector, parseNodeSelector } from './node-selector.ts';
import type { OffsetIndex } from './offset-index.ts';
import { readXcapDiff } from './received-diff.ts';
import { splice } from './splice.ts';
import { trickyDocuments } from './tricky.testkit.ts';
import { composePatch, defaultDiffLimits, diffDocuments, operationOfEdit, patchPrefix } from './xml-diff.ts';
import { readXml } from './xml-document.ts';
import { applyPatch, type PatchOperation, readPatchOperations } from './xml-patch.ts';

const indexOf = (document: string | Uint8Array): OffsetIndex => readXml(Buffer.from(document), defaultXmlLimits);
const example = (number: number): string =>
  readFileSync(new URL(`../../test/examples/example-group-${number}.xml`, import.meta.url), 'utf8');

/** Sends operations through an xcap-diff document and applies what arrives. */
function transported(before: OffsetIndex, operations: readonly PatchOperation[]): Uint8Array {
  const prefix = patchPrefix([operations]);
  const component = { kind: 'document', sel: 'x', previousTag: 'a', newTag: 'b' } as const;
  const diff = composeXcapDiff('http://h/', [{ ...component, ...composePatch(operations, prefix) }], prefix);
  const carrier = indexOf(diff);
  const received = readXcapDiff(carrier).components[0];
  expect(received).toMatchObject({ kind: 'document', content: operations.length === 0 ? 'none' : 'patch' });
  const read = readPatchOperations(carrier, received?.element ?? -1);
  const outcome = 'failure' in read ? read : applyPatch(before, read.operations);
  if ('failure' in outcome) throw new Error(`${outcome.failure.error}: ${outcome.failure.phrase}\n${diff}`);
  return outcome.patched;
}

function expectPatch(before: string | Uint8Array, after: string | Uint8Array): readonly PatchOperation[] {
  const old = indexOf(before);
  const operations = diffDocuments(old, indexOf(after));
  expect(operations).toBeDefined();
  expect(canonicalForm(transported(old, operations ?? []))).toBe(canonicalForm(Buffer.from(after)));
  return operations ?? [];
}

const selectors = (operations: readonly PatchOperation[]): readonly string[] =>
  operations.map(({ directive, sel, pos, type, ws }) =>
    [directive, sel, pos ?? '', type ?? '', ws ?? ''].join(' ').trimEnd(),
  );

const members = (...names: readonly string[]): Uint8Array =>
  serviceOf(
    `\n  <list>${names.map((name) => `\n    <entry uri="sip:${name}@blue.example"><m:user-priority>7</m:user-priority></entry>`).join('')}\n  </list>`,
  );

describe('RFC 5874 A.2: small changes become small patches', () => {
  test('a member that joins is added behind the one before', () => {
    const operations = expectPatch(members('a', 'b'), members('a', 'x', 'b'));
    expect(selectors(operations)).toEqual(["add group/list-service/list/entry[@uri='sip:a@blue.example'] after"]);
    expect(operations[0]?.content).toMatch(/^\n {4}<entry uri="sip:x@blue.example">.*<\/entry>$/);
  });

  test('a member that leaves takes its line along', () => {
    expect(selectors(expectPatch(members('a', 'b', 'c'), members('a', 'c')))).toEqual([
      "remove group/list-service/list/entry[@uri='sip:b@blue.example']   before",
    ]);
  });

  test('the last member leaves and the list closes', () => {
    expectPatch(members('a'), serviceOf('\n  <list/>'));
    expectPatch(serviceOf('\n  <list/>'), members('a'));
  });

  test('a changed value is a replaced text, found by the key of its member', () => {
    const after = Buffer.from(members('a', 'b'))
      .toString()
      .replace(/7(?=<\/m:user-priority><\/entry>\n {2}<)/, '9');
    expect(selectors(expectPatch(members('a', 'b'), after))).toEqual([
      "replace group/list-service/list/entry[@uri='sip:b@blue.example']/m:user-priority/text()",
    ]);
  });

  test('members that change places are removed and added, selected by position while two have the key', () => {
    const operations = expectPatch(members('a', 'b', 'c', 'd'), members('d', 'a', 'b', 'c'));
    expect(operations.map(({ directive }) => directive).sort()).toEqual(['add', 'remove']);
    expectPatch(members('a', 'b', 'c', 'd'), members('d', 'c', 'b', 'a'));
  });

  test('an attribute that appears empty is added, then emptied (RFC 5261 4.3, 4.4.2)', () => {
    const long = 'text '.repeat(100);
    expect(selectors(expectPatch(`<a><b>${long}</b></a>`, `<a><b x="">${long}</b></a>`))).toEqual([
      'add a/b  @x',
      'replace a/b/@x',
    ]);
  });

  test('nothing changed: no operation', () => {
    expect(diffDocuments(indexOf('<a x="1" y="2"></a>'), indexOf('<a  y="2" x="1"/>'))).toEqual([]);
  });

  test('a patch has prefixes of its own when the document uses d', () => {
    const before = '<d:a xmlns:d="urn:1"><d:b/><c/></d:a>';
    const operations = expectPatch(before, '<d:a xmlns:d="urn:1"><d:b>1</d:b><c/></d:a>');
    expect(patchPrefix([operations])).toBe('d1');
    expect(() => composePatch(operations)).toThrow(RangeError);
  });
});

describe('RFC 5261 4.2: namespaces of selectors and content', () => {
  test.each([
    [
      'no default namespace inside one',
      '<a xmlns="urn:1"><b xmlns=""><c/></b></a>',
      '<a xmlns="urn:1"><b xmlns=""><c/><d/></b></a>',
    ],
    [
      'another default inside',
      '<a xmlns="urn:1"><b xmlns="urn:2"><c/></b></a>',
      '<a xmlns="urn:1"><b xmlns="urn:2"><c>1</c><d/></b></a>',
    ],
    [
      'one prefix, two namespaces',
      '<p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"/></p:a>',
      '<p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"><p:c/></p:b></p:a>',
    ],
    ['a prefix that comes', '<a><b/></a>', '<a xmlns:p="urn:1"><b p:x="1"/><p:c/></a>'],
    ['a prefix that goes', '<a xmlns:p="urn:1"><b p:x="1"/><p:c/></a>', '<a><b/></a>'],
    ['a namespace that changes below the root', '<a><p:b xmlns:p="urn:1"/></a>', '<a><p:b xmlns:p="urn:2"/></a>'],
    [
      'an attribute that takes another prefix',
      '<a xmlns:p="urn:1" xmlns:q="urn:1"><b p:x="1"/></a>',
      '<a xmlns:p="urn:1" xmlns:q="urn:1"><b q:x="1"/></a>',
    ],
    ['xml:lang', '<a><b/></a>', '<a><b xml:lang="en"/></a>'],
    [
      'names in xsi:type',
      '<a xmlns:x="http://www.w3.org/2001/XMLSchema-instance" xmlns:t="urn:t"/>',
      '<a xmlns:x="http://www.w3.org/2001/XMLSchema-instance" xmlns:t="urn:t"><b x:type="t:y"/></a>',
    ],
  ])('%s', (_, before, after) => {
    expectPatch(before, after);
  });

  test('another default namespace or name of the document element cannot be patched', () => {
    expect(diffDocuments(indexOf('<a xmlns="urn:1"/>'), indexOf('<a xmlns="urn:2"/>'))).toBeUndefined();
    expect(diffDocuments(indexOf('<a/>'), indexOf('<b/>'))).toBeUndefined();
  });
});

describe('RFC 5261 4.3.5, 4.5.6: mixed content', () => {
  test.each([
    ['<a>x<b/>y</a>', '<a>xy</a>'],
    ['<a>xy</a>', '<a>x<b/>y</a>'],
    ['<a>x<b/>y<c/>z</a>', '<a>p<c/>q<b/>r</a>'],
    ['<a><!--1-->t<?p q?><b/></a>', '<a><?p r?>t<b/><!--1--><!--2--></a>'],
    ['<a>1<b/>2<b/>3<b/>4</a>', '<a>1<b/>4</a>'],
    ['<a>]]<b/>&gt;</a>', '<a>]]&gt;</a>'],
    ['<a>x&#13;<b/>\ny</a>', '<a>x&#13;\ny</a>'],
    ['<a><![CDATA[<]]><b/>  </a>', '<a>  <b/><![CDATA[>]]></a>'],
    ['<a><b/><b/><b/></a>', '<a><b/><c/><b/></a>'],
    ['<a/>', '<a> </a>'],
    ['<a> </a>', '<a/>'],
  ])('%s becomes %s', (before, after) => {
    expectPatch(before, after);
    expectPatch(after, before);
  });
});

describe('RFC 5261 3: canonical form is compared as libxml2 writes it', () => {
  const documents = [
    ...Object.values(trickyDocuments).filter((d) => d.length < 5000),
    '<a x="1"/>',
    '<a><?p  q ?></a>',
    '<a><?p q ?></a>',
    '<a><?p?></a>',
    '<a><?p ?></a>',
    '<a xmlns:p="urn:1"><b/></a>',
    '<a xmlns:p="urn:1"><b xmlns:p="urn:1"/></a>',
  ];
  test('for every two of the tricky documents', () => {
    for (const one of documents) {
      for (const other of documents) {
        const same = canonicalForm(Buffer.from(one)) === canonicalForm(Buffer.from(other));
        expect({ one, other, same: sameCanonicalForm(indexOf(one), indexOf(other)) }).toEqual({ one, other, same });
      }
    }
  });
});

/** A tree that fast-check can vary: written out it is a document of few names, so that alignment has something to mistake. */
interface Tree {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly (Tree | string)[];
}

const writeTree = (node: Tree | string): string => {
  if (typeof node === 'string') return node;
  const attributes = Object.entries(node.attributes).map(([name, value]) => ` ${name}="${value}"`);
  return `<${node.name}${attributes.join('')}>${node.children.map(writeTree).join('')}</${node.name}>`;
};

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.record({
    name: fc.constantFrom('entry', 'm:v', 'list', 'x'),
    attributes: fc.dictionary(fc.constantFrom('uri', 'id', 'm:k', 'n'), fc.constantFrom('a', 'b', 'c', "it's", ''), {
      maxKeys: 2,
    }),
    children: fc.array(
      fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constantFrom(
          ' ',
          '\n  ',
          't',
          'u',
          '&amp;',
          ']]',
          '&gt;',
          '<!--c-->',
          '<!--d-->',
          '<?p q?>',
          '<![CDATA[]]>',
          '<![CDATA[<]]>',
        ),
        tie('tree'),
      ),
      { maxLength: 6 },
    ),
  }),
}));

const rooted = (children: readonly Tree[]): string =>
  `<group xmlns="urn:g" xmlns:m="urn:m">${children.map(writeTree).join('')}</group>`;

describe('a patch applied to the old document brings the canonical form of the new one', () => {
  test('for any two small documents', () => {
    fc.assert(
      fc.property(fc.array(tree, { maxLength: 4 }), fc.array(tree, { maxLength: 4 }), (one, other) => {
        expectPatch(rooted(one), rooted(other));
      }),
      { numRuns: 400 },
    );
  });

  test('for several edits of a real group document', () => {
    const documents = [1, 2, 3].map(example).map((text) => ({ text, index: indexOf(text) }));
    const edit = fc.tuple(fc.nat(), fc.constantFrom('remove', 'double', 'text', 'attribute', 'comment', 'swap'));
    fc.assert(
      fc.property(fc.constantFrom(...documents), fc.array(edit, { minLength: 1, maxLength: 6 }), (document, edits) => {
        expectPatch(document.text, edits.reduce(edited, document.index).bytes);
      }),
      { numRuns: 200 },
    );
  });
});

/** One random edit of a document. */
function edited(index: OffsetIndex, [place, kind]: readonly [number, string]): OffsetIndex {
  const element = 1 + (place % (index.count - 1));
  if (index.count < 3) return index;
  const [start, end] = [index.outerStart(element), index.outerEnd(element)];
  const own = index.source(start, end);
  const put = (replacement: string, to = end): OffsetIndex =>
    indexOf(splice(index.bytes, [{ start, end: to, replacement }]));
  switch (kind) {
    case 'remove':
      return put('');
    case 'double':
      return put(`${own}\n${own}`);
    case 'comment':
      return put(`<!-- ${place} -->${own}`);
    case 'attribute':
      return put(
        `${own.slice(0, index.tagNameEnd(element) - start)} new${place}="1"${own.slice(index.tagNameEnd(element) - start)}`,
      );
    case 'swap': {
      const next = index.nextSibling(element);
      return next < 0
        ? index
        : put(
            `${index.source(index.outerStart(next), index.outerEnd(next))}${index.source(end, index.outerStart(next))}${own}`,
            index.outerEnd(next),
          );
    }
    default:
      return index.isEmptyTag(element)
        ? index
        : indexOf(
            splice(index.bytes, [
              { start: index.openEnd(element), end: index.openEnd(element), replacement: String(place) },
            ]),
          );
  }
}

describe('limits: what is not worth a patch is none', () => {
  test('more operations or bytes than allowed', () => {
    const [before, after] = [indexOf(members('a', 'b', 'c')), indexOf(members('x', 'b', 'y'))];
    expect(diffDocuments(before, after)).toHaveLength(2);
    expect(diffDocuments(before, after, { ...defaultDiffLimits, operations: 1 })).toBeUndefined();
    expect(diffDocuments(before, after, { ...defaultDiffLimits, patchBytes: 100 })).toBeUndefined();
    expect(diffDocuments(before, after, { ...defaultDiffLimits, applyBytes: 100 })).toBeUndefined();
  });

  test.each([
    ['many equal siblings against others', `<a>${'<b/>'.repeat(20000)}</a>`, `<a>${'<c/>'.repeat(20000)}</a>`],
    ['many equal siblings, one fewer', `<a>${'<b/>'.repeat(20000)}</a>`, `<a>${'<b/>'.repeat(19999)}</a>`],
    ['a list turned round', `<a>${keys(5000).join('')}</a>`, `<a>${keys(5000).reverse().join('')}</a>`],
    ['every text changed', `<a>${'t<b/>'.repeat(20000)}</a>`, `<a>${'u<b/>'.repeat(20000)}</a>`],
    ['every text and node gone', `<a>${'t<b/>'.repeat(100000)}</a>`, '<a/>'],
    ['deep nesting', `${'<a>'.repeat(60)}x${'</a>'.repeat(60)}`, `${'<a>'.repeat(60)}y${'</a>'.repeat(60)}`],
  ])('%s is settled in time', (_, before, after) => {
    const [old, now] = [indexOf(before), indexOf(after)];
    const start = performance.now();
    const operations = diffDocuments(old, now);
    expect(performance.now() - start).toBeLessThan(2000);
    if (operations !== undefined) expect(Buffer.from(transported(old, operations)).equals(now.bytes)).toBe(true);
  });
});

function keys(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `<entry uri="${i}"/>`);
}

describe('an XCAP request is told as one operation', () => {
  const select = (...segments: readonly string[]) =>
    bindSelector(parseNodeSelector(segments), {
      defaultNamespace: namespaces.listService,
      bindings: [{ prefix: 'm', namespace: namespaces.mcpttGroupInfo }],
    });
  const list = ['group', 'list-service', 'list'];
  const entry = (name: string) => [...list, `entry[@uri="sip:${name}@blue.example"]`];
  const before = indexOf(members('a', 'b'));
  const put = (segments: readonly string[], body: string): OffsetIndex => {
    const selector = select(...segments);
    return putNode(before, selector, locatePut(before, selector), Buffer.from(body), { limits: defaultXmlLimits })
      .index;
  };
  const tell = (segments: readonly string[], after: OffsetIndex): readonly string[] => {
    const operation = operationOfEdit(before, after, select(...segments));
    expect(operation).toBeDefined();
    if (operation === undefined) return [];
    expect(Buffer.from(transported(before, [operation])).equals(after.bytes)).toBe(true);
    return selectors([operation]);
  };

  test.each([
    [
      'element added',
      entry('x'),
      '<entry uri="sip:x@blue.example"/>',
      "add group/list-service/list/entry[@uri='sip:b@blue.example'] after",
    ],
    [
      'first of its name in a list',
      [...list, 'entry[1][@uri="sip:x@blue.example"]'],
      '<entry uri="sip:x@blue.example"/>',
      "add group/list-service/list/entry[@uri='sip:a@blue.example'] before",
    ],
    [
      'element replaced',
      entry('a'),
      '<entry uri="sip:a@blue.example"/>',
      "replace group/list-service/list/entry[@uri='sip:a@blue.example']",
    ],
    ['attribute added', [...list, '@m:x'], '"1&amp;2"', 'add group/list-service/list  @m:x'],
    [
      'attribute replaced',
      [...entry('a'), '@uri'],
      '"sip:a@blue.example"',
      "replace group/list-service/list/entry[@uri='sip:a@blue.example']/@uri",
    ],
  ])('%s', (_, segments, body, expected) => {
    expect(tell(segments, put(segments, body))).toEqual([expected]);
  });

  test('element deleted', () => {
    const segments = entry('a');
    const after = deleteNode(before, select(...segments), defaultXmlLimits).index;
    expect(tell(segments, after)).toEqual(["remove group/list-service/list/entry[@uri='sip:a@blue.example']"]);
  });

  test('a second change behind the edit is not hidden', () => {
    expect(operationOfEdit(before, indexOf(members('a', 'c', 'x')), select(...entry('x')))).toBeUndefined();
  });
});

test('one member of a large group changes: found and checked without much ado', () => {
  const before = indexOf(groupWithMembers(9000));
  const after = indexOf(Buffer.from(before.bytes).toString().replace('>User 4500<', '>Lena<'));
  const start = performance.now();
  const operations = diffDocuments(before, after);
  expect(performance.now() - start).toBeLessThan(1000);
  expect(operations).toHaveLength(1);
});

test('a document that names nothing of another stays whole', () => {
  expect(expectPatch(groupOf('<x:a/>'), groupOf('<x:b/>'))).toHaveLength(1);
});

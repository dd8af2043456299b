// Names in namespaces that the server understands, RFC 4825 clause 8.2.5.
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { checkElementNames, closedNamespaces } from './known-names.ts';
import { defaultXmlLimits } from './limits.ts';
import { deleteNode } from './node-edit.ts';
import { bindSelector, parseNodeSelector } from './node-selector.ts';
import { OffsetIndex } from './offset-index.ts';

const indexOf = (text: string): OffsetIndex => OffsetIndex.of(Buffer.from(text));
const refused = (index: OffsetIndex): string | undefined => {
  try {
    checkElementNames(index);
    return undefined;
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'schema-validation-error') throw error;
    return /}([^']*)'/.exec(error.phrase)?.[1];
  }
};

test.each(['common-policy', 'resource-lists', 'xcap-caps', 'xcap-directory'])(
  'the names are those of the schema %s',
  (schema) => {
    const text = readFileSync(new URL(`../../schemas/${schema}.xsd`, import.meta.url), 'utf8');
    const [, namespace = ''] = /targetNamespace="([^"]*)"/.exec(text) ?? [];
    const names = [...text.matchAll(/<xs:element name="([^"]*)"/g)].map(([, name]) => name);
    expect([...(closedNamespaces.get(namespace) ?? [])].toSorted()).toEqual([...new Set(names)].toSorted());
  },
);

test.each([
  ['<a xmlns="urn:a"><b xmlns="urn:ietf:params:xml:ns:common-policy"/></a>', 'b'],
  ['<a><p:one xmlns:p="urn:ietf:params:xml:ns:common-policy"/></a>', undefined],
  ['<a><x/><y xmlns="urn:ietf:params:xml:ns:xcap-caps"><z/></y></a>', 'y'],
  ['<auid xmlns="urn:oma:xml:xdm:xcap-directory"/>', 'auid'],
  ['<a xmlns="urn:3gpp:ns:mcpttGroupInfo:1.0"><later/></a>', undefined],
  ['<a xmlns="urn:unknown"><b/></a>', undefined],
])('%s: %s', (text, name) => {
  expect(refused(indexOf(text))).toBe(name);
});

test('an element that has been deleted does not count any more', () => {
  const index = indexOf('<a><b xmlns="urn:ietf:params:xml:ns:common-policy"/></a>');
  const selector = bindSelector(parseNodeSelector(['a', '*']), { bindings: [] });
  expect(refused(index)).toBe('b');
  expect(refused(deleteNode(index, selector, defaultXmlLimits).index)).toBeUndefined();
});

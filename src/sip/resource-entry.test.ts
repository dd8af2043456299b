import { describe, expect, test } from '@jest/globals';
import { addressesOf, isBelow, parseEntry, selBelow, watchKey } from './resource-entry.ts';

const root = 'http://xcap.blue.example/xcap-root/';
const group = 'org.openmobilealliance.groups/global/byGroupID/sip:tg1@red.example';
const watchOf = (uri: string): string | undefined => {
  const entry = parseEntry(uri, root);
  return entry?.kind === 'component' ? 'component' : entry?.watch;
};

describe('TS 24.481 7.2.10.2: a group by its ID', () => {
  test.each([
    group,
    'org.openmobilealliance.groups/global/byGroupID/sip%3Atg1%40red.example',
    'org.openmobilealliance.groups/global/byGroupID/sip:tg1@RED.example',
    'org.openmobilealliance.groups/global/byGroup/sip:tg1@red.example',
    `/${group}`,
    `/xcap-root/${group}`,
    `${root}${group}`,
    `HTTP://XCAP.blue.example/xcap-root/${group}`,
    `http://xcap.blue.example:80/xcap-root/${group}`,
    `http://xcap.blue.example:/xcap-root/${group}`,
  ])('%s', (uri) => {
    expect(watchOf(uri)).toBe('group sip:tg1@red.example');
  });

  test.each([
    `http://xcap.blue.example:443/xcap-root/${group}`,
    `https://xcap.blue.example/xcap-root/${group}`,
    `http://xcap.blue.example:8080/xcap-root/${group}`,
  ])('RFC 3986 6.2.3: only the port of the scheme is no difference: %s', (uri) => {
    expect(watchOf(uri)).toBeUndefined();
  });

  test('RFC 5875 4.6: sel repeats the octets of the entry', () => {
    const written = 'org.openmobilealliance.groups/global/byGroup/sip%3Atg1%40RED.example';
    expect(parseEntry(written, root)?.sel).toBe(written);
  });

  test('RFC 5874 4: sel of an absolute or slashed entry is relative to the XCAP root', () => {
    for (const uri of [`${root}${group}`, `/${group}`, `/xcap-root/${group}`])
      expect(parseEntry(uri, root)?.sel).toBe(group);
  });
});

describe('RFC 4825 6: documents', () => {
  test('users tree with a canonical XUI and sub-directories', () => {
    const entry = parseEntry('resource-lists/users/sip%3AJoe%40BLUE.example/dir/in%2Fdex', root);
    expect(entry?.kind === 'resource' && entry.resource).toEqual({
      kind: 'document',
      key: { auid: 'resource-lists', tree: 'users', xui: 'sip:Joe@blue.example', name: 'dir/in%2Fdex' },
    });
  });

  test('RFC 4825 6.2: a slash inside a segment is data, in directories and in sel too', () => {
    const collection = parseEntry('resource-lists/users/sip:joe@blue.example/a%2Fb/', root);
    const inside = parseEntry('resource-lists/users/sip:joe@blue.example/a%2Fb/index', root);
    const beside = parseEntry('resource-lists/users/sip:joe@blue.example/a/b/index', root);
    if (collection?.kind !== 'collection' || inside?.kind !== 'resource' || beside?.kind !== 'resource') {
      throw new Error('an entry was not understood');
    }
    expect(isBelow(collection, inside.resource)).toBe(true);
    expect(isBelow(collection, beside.resource)).toBe(false);
    expect(selBelow(collection, inside.resource)).toBe('resource-lists/users/sip:joe@blue.example/a%2Fb/index');
  });

  test('global tree', () => {
    const entry = parseEntry('xcap-caps/global/index', root);
    expect(entry?.kind === 'resource' && entry.resource).toEqual({
      kind: 'document',
      key: { auid: 'xcap-caps', tree: 'global', xui: '', name: 'index' },
    });
  });

  test('RFC 4825 6.3: the first ~~ separates, however it is written', () => {
    for (const uri of [`${group}/~~/group`, `${group}/%7E%7E/group`, `${group}/~~/g:a?xmlns(g=urn:x)`]) {
      expect(parseEntry(uri, root)).toMatchObject({ kind: 'component', sel: uri, resource: { kind: 'group' } });
    }
  });
});

test.each([
  '',
  '/',
  'http://other.example/xcap-root/xcap-caps/global/index',
  'http://xcap.blue.example/other/xcap-caps/global/index',
  'xcap-caps',
  'xcap-caps/other/index',
  'xcap-caps/users/sip:a@b.example',
  'xcap-caps//index',
  'xcap-caps/global/../index',
  'xcap-caps/global/%2E%2E/index',
  'xcap-caps/global/a%00b',
  'xcap-caps/global/%zz',
  'xcap-caps/global/%ff',
  'xcap-caps/global/index?query',
  'xcap-caps/global/index#part',
  'xcap-caps/global/in dex',
  `${group}/~~`,
  'org.openmobilealliance.groups/global/byGroupID/nogroup',
  `${group}/more`,
  `xcap-caps/global/${'x'.repeat(5000)}`,
])('RFC 4825 6: %p names nothing here', (uri) => {
  expect(parseEntry(uri, root)).toBeUndefined();
});

describe('RFC 5875 4.1: collections', () => {
  test.each<[string, string, string]>([
    ['org.openmobilealliance.groups/global/byGroupID/', 'sip:tg1@red.example', 'sip:tg1@red.example'],
    ['org.openmobilealliance.groups/global/byGroup/', 'sip:tg1@red.example', 'sip:tg1@red.example'],
    ['org.openmobilealliance.groups/global/', 'sip:t/g?1@red.example', 'byGroupID/sip:t%2Fg%3F1@red.example'],
    ['org.openmobilealliance.groups/', 'tel:+491', 'global/byGroupID/tel:+491'],
  ])('%s holds the foreign group %s', (uri, groupId, rest) => {
    const collection = parseEntry(uri, root);
    if (collection?.kind !== 'collection') throw new Error('no collection');
    const key = {
      auid: 'org.openmobilealliance.groups',
      tree: 'global',
      xui: '',
      name: `byGroupID/${groupId}`,
    } as const;
    const found = addressesOf(key, groupId).find((address) => address.collections.includes(collection.watch));
    expect(found && selBelow(collection, found.resource)).toBe(uri + rest);
  });

  test.each<[string, string]>([
    ['resource-lists/', 'users/sip:joe@blue.example/a/b%20c'],
    ['resource-lists/users/', 'sip:joe@blue.example/a/b%20c'],
    ['resource-lists/users/sip%3Ajoe%40blue.example/', 'a/b%20c'],
    ['resource-lists/users/sip:joe@blue.example/a/', 'b%20c'],
  ])('%s holds a document of the users tree', (uri, rest) => {
    const collection = parseEntry(uri, root);
    if (collection?.kind !== 'collection') throw new Error('no collection');
    const key = { auid: 'resource-lists', tree: 'users', xui: 'sip:joe@blue.example', name: 'a/b c' } as const;
    const [address] = addressesOf(key, undefined);
    expect(address?.collections).toContain(collection.watch);
    expect(address && selBelow(collection, address.resource)).toBe(uri + rest);
  });

  test('a home group is at its two addresses, and once below the AUID', () => {
    const key = {
      auid: 'org.openmobilealliance.groups',
      tree: 'users',
      xui: 'sip:a@blue.example',
      name: 'tg1',
    } as const;
    const addresses = addressesOf(key, 'sip:tg1@blue.example');
    expect(addresses.map((address) => address.watch)).toEqual([
      watchKey({ kind: 'document', key }),
      'group sip:tg1@blue.example',
    ]);
    const below = parseEntry('org.openmobilealliance.groups/', root);
    const watch = below?.kind === 'collection' ? below.watch : '';
    expect(addresses.filter((address) => address.collections.includes(watch))).toHaveLength(1);
  });
});

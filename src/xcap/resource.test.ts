// Request targets become typed resources: RFC 4825 clause 6, and what must not be read two ways.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { documentName, keyUri, nameSegments } from '../documents/document-key.ts';
import { Refusal } from '../refusals.ts';
import { parseRequestTarget, xcapRoot } from './resource.ts';

const root = xcapRoot('http://gms.blue.example:8080/xcap-root');
const groups = '/xcap-root/org.openmobilealliance.groups';

function parse(target: string): unknown {
  return parseRequestTarget(target, root);
}

function refusal(target: string): string {
  try {
    parse(target);
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
  return 'accepted';
}

describe('RFC 4825 6.1: the XCAP root', () => {
  test.each([
    ['http://gms.blue.example:8080/xcap-root/', '/xcap-root/a/global/x'],
    ['https://gms.blue.example', '/a/global/x'],
    ['https://gms.blue.example/', '/a/global/x'],
    ['https://gms.blue.example/deep/r%C3%B6ot', '/deep/r%c3%b6ot/a/global/x'],
  ])('%s serves %s', (uri, target) => {
    expect(parseRequestTarget(target, xcapRoot(uri))).toEqual({
      resource: 'document',
      key: { auid: 'a', tree: 'global', xui: '', name: 'x' },
    });
  });

  test.each(['/', '/xcap-root', '/xcap-root/', '/other/a/global/x', '/a/global/x', '/xcap-rootx/a/global/x', '', '*'])(
    '%j names no resource',
    (target) => {
      expect(refusal(target)).toBe('not-found');
    },
  );

  test.each([
    ['http://gms.blue.example:8080/xcap-root/a/global/x', 'accepted'],
    ['HTTP://GMS.Blue.example:8080/xcap-root/a/global/x', 'accepted'],
    ['https://gms.blue.example:8080/xcap-root/a/global/x', 'accepted'],
    ['http://gms.red.example:8080/xcap-root/a/global/x', 'not-found'],
    ['http://gms.blue.example/xcap-root/a/global/x', 'not-found'],
    ['http://u@gms.blue.example:8080/xcap-root/a/global/x', 'not-found'],
    ['ftp://gms.blue.example:8080/xcap-root/a/global/x', 'not-found'],
  ])('RFC 9112 3.2.2: the absolute form %s is %s', (target, outcome) => {
    expect(refusal(target)).toBe(outcome);
  });
});

describe('RFC 4825 6.2: the document selector', () => {
  test.each([
    ['sip:ines@blue.example', 'index', 'sip:ines@blue.example', 'index'],
    ['sip%3aines%40BLUE.example', 'index', 'sip:ines@blue.example', 'index'],
    ['sip:a%2Fb@blue.example', 'index', 'sip:a/b@blue.example', 'index'],
    ['sip:a@blue.example', 'a%2Fb', 'sip:a@blue.example', 'a%2Fb'],
    ['sip:a@blue.example', 'dir/index', 'sip:a@blue.example', 'dir/index'],
    ['sip:a@blue.example', '%E2%82%AC.xml', 'sip:a@blue.example', '€.xml'],
    ['sip:a@blue.example', 'a%2520b', 'sip:a@blue.example', 'a%20b'],
    ['sip:a@blue.example', '\u00e2\u0082\u00ac', 'sip:a@blue.example', '€'],
  ])('users/%s/%s', (rawXui, rawName, xui, name) => {
    expect(parse(`${groups}/users/${rawXui}/${rawName}`)).toEqual({
      resource: 'document',
      key: { auid: 'org.openmobilealliance.groups', tree: 'users', xui, name },
    });
  });

  test('the query does not belong to the path', () => {
    expect(parse('/xcap-root/a/global/x?y/~~/z')).toEqual(parse('/xcap-root/a/global/x'));
  });

  test.each([
    ['/xcap-root/a/other/x', 'not-found'],
    ['/xcap-root/a/Global/x', 'not-found'],
    ['/xcap-root/a/global', 'not-found'],
    ['/xcap-root/a/global/', 'not-found'],
    ['/xcap-root//a/global/x', 'not-found'],
    ['//xcap-root/a/global/x', 'not-found'],
    ['/xcap-root/a/users/sip:a@blue.example', 'not-found'],
    ['/xcap-root/a/users/sip:a@blue.example/', 'not-found'],
    ['/xcap-root/a/users/ines/index', 'unknown-xui'],
    ['/xcap-root/a/global/../x', 'bad-request'],
    ['/xcap-root/a/global/%2e%2E/x', 'bad-request'],
    ['/xcap-root/./a/global/x', 'bad-request'],
    ['/xcap-root/a/global/x%00', 'bad-request'],
    ['/xcap-root/a/global/x%0d%0aSet-Cookie', 'bad-request'],
    ['/xcap-root/a/global/%zz', 'bad-request'],
    ['/xcap-root/a/global/%', 'bad-request'],
    ['/xcap-root/a/global/%c0%af', 'bad-request'],
    ['/xcap-root/a/global/%ed%a0%80', 'bad-request'],
    ['/xcap-root/a/global/\u00ff', 'bad-request'],
    ['/xcap-root/a/global/x#y', 'bad-request'],
  ])('%s is refused with %s', (target, code) => {
    expect(refusal(target)).toBe(code);
  });

  test('no two paths share a document name, and every name leads back to its path', () => {
    const segment = fc.string({
      unit: fc.constantFrom('a', '/', '%', '2', '5', 'F', 'f', '€'),
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 3 }), (segments) => {
        expect(nameSegments(documentName(segments))).toEqual(segments);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('TS 24.481 7.2.10: a group by its ID', () => {
  const group = { resource: 'group', groupId: 'sip:Harbour@blue.example' };
  test.each([
    `${groups}/global/byGroupID/sip:Harbour@blue.example`,
    `${groups}/global/byGroupID/sip%3AHarbour%40BLUE.example`,
    `${groups}/global/byGroupID/SIP:H%61rbour@blue.example`,
    `${groups}/global/byGroup/sip:Harbour@blue.example`,
    `${groups}/global/by%47roupID/sip:Harbour@blue.example`,
  ])('%s', (target) => {
    expect(parse(target)).toEqual(group);
  });

  test.each(['', '/', '/harbour', '/sip:Harbour@blue.example/x', '/sip:Harbour@blue.example@red.example'])(
    'byGroupID%s names no group',
    (rest) => {
      expect(refusal(`${groups}/global/byGroupID${rest}`)).toBe('not-found');
    },
  );

  test('a slash in a group ID is data', () => {
    expect(parse(`${groups}/global/byGroupID/sip:a%2Fb@blue.example`)).toEqual({
      resource: 'group',
      groupId: 'sip:a/b@blue.example',
    });
  });

  test('only the group usage has a byGroupID directory', () => {
    expect(parse('/xcap-root/a/global/byGroupID/sip:g@blue.example')).toMatchObject({ resource: 'document' });
  });
});

describe('RFC 4825 6: the node selector', () => {
  const users = '/xcap-root/resource-lists/users/sip:a@blue.example/index';

  test.each(['~~', '%7E%7E', '%7e~', '~%7E'])('%s separates it from the document selector', (separator) => {
    expect(parse(`${users}/${separator}/list/entry`)).toMatchObject({ node: { steps: ['list', 'entry'] } });
  });

  test('only the first separator counts, and only as a whole segment', () => {
    expect(parse(`${users}/~~/a/~~/b`)).toMatchObject({ node: { steps: ['a', '~~', 'b'] } });
    expect(parse(`${users}~~/x`)).toMatchObject({ key: { name: 'index~~/x' } });
    expect(parse(`${users}/~~~`)).toMatchObject({ key: { name: 'index/~~~' } });
  });

  test('RFC 4825 6.3: split first, then each segment is decoded once', () => {
    const target = `${users}/~~/l%5B@n=%22a%2Fb%252F%22%5D/entry["x"]/%2e%2e`;
    expect(parse(target)).toMatchObject({ node: { steps: ['l[@n="a/b%2F"]', 'entry["x"]', '..'] } });
  });

  test('an empty selector is one all the same', () => {
    expect(parse(`${users}/~~`)).toMatchObject({ node: { steps: [] } });
    expect(parse(`${users}/~~/`)).toMatchObject({ node: { steps: [''] } });
  });

  test('a group may have one too', () => {
    expect(parse(`${groups}/global/byGroupID/sip:g@x/~~/group`)).toEqual({
      resource: 'group',
      groupId: 'sip:g@x',
      node: { steps: ['group'], bindings: [] },
    });
  });

  test.each([
    ['%ff', 1, '%ff'],
    ['a/b%', 4, '%'],
    ['a/b%2', 4, '%2'],
    ['a/b%zz', 4, '%zz'],
    ['a/%C3%A9%A9', 4, '%A9'],
    ['a/%C3x', 3, '%C3x'],
    ['a/%F0%9F%98%80%C0%AF', 4, '%C0%AF'],
    ['%E2%82%AC/b%5B@c=%22%ED%A0%80%22', 9, '%ED%A0%80%22'],
    ['a/\u00e9', 3, '%e9'],
  ])('RFC 4825 6.3: the octets of %s belong to an extension selector, from character %i on', (steps, at, rest) => {
    expect(refusal(`${users}/~~/${steps}`)).toBe('selector-not-understood');
    expect(() => parse(`${users}/~~/${steps}`)).toThrow(`at character ${at}: "${rest}" cannot stand there`);
  });

  test('NUL is a character like others, which no step has', () => {
    expect(parse(`${users}/~~/a%00b`)).toMatchObject({ node: { steps: ['a\0b'] } });
  });

  test('RFC 4825 6.4: a query that is no text binds nothing', () => {
    expect(parse(`${users}/~~/a?xmlns(a=%ff)`)).toMatchObject({ node: { steps: ['a'], bindings: [] } });
  });

  test('RFC 4825 6.4: bindings come from the query', () => {
    expect(parse(`${users}/~~/p:a?xmlns(p=urn:x%3Fy)`)).toMatchObject({
      node: { bindings: [{ prefix: 'p', namespace: 'urn:x?y' }] },
    });
  });
});

test('the URI under which the directory lists a document leads back to it', () => {
  const key = {
    auid: 'a',
    tree: 'users',
    xui: 'sip:a/b@blue.example',
    name: documentName(['x/y', 'ü ?#', '%2F']),
  } as const;
  expect(parse(`/xcap-root/${keyUri(key)}`)).toEqual({ resource: 'document', key });
});

test('whatever the target, the outcome is a resource or a named refusal', () => {
  const unit = fc.constantFrom(
    '/',
    '%',
    '%2F',
    '%7E',
    '~~',
    '?',
    'xmlns(',
    ')',
    '=',
    '^',
    'users',
    'global',
    'byGroupID',
    'sip:a@b',
    '\u00ff',
    '%00',
    '%c3',
    '.',
    '*',
    ' ',
  );
  const target = fc.array(unit, { maxLength: 16 }).map((units) => `/xcap-root/${units.join('')}`);
  fc.assert(
    fc.property(fc.oneof(target, fc.string()), (text) => {
      expect(['accepted', 'not-found', 'unknown-xui', 'bad-request', 'selector-not-understood']).toContain(
        refusal(text),
      );
    }),
    { numRuns: 3000 },
  );
});

test('a hostile target costs time in proportion to its length', () => {
  const started = performance.now();
  for (const unit of ['%7E', '/', '~~/', '%25', '(', '^', 'a%', '[@a="']) {
    refusal(`/xcap-root/a/global/x/${unit.repeat(100_000)}?${unit.repeat(100_000)}`);
  }
  expect(performance.now() - started).toBeLessThan(2000);
});

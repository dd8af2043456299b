// RFC 4825 clause 6: URI construction, and targets that were made to hurt.
import { describe, expect, test } from '@jest/globals';
import { vectorsOf } from './vectors.ts';
import { groups, own, plain, plainType, stored, xcapServer } from './xcap-server.ts';

const server = xcapServer();

vectorsOf('6', server);

describe('RFC 4825 6: from request target to selector', () => {
  test.each([
    ['the separator percent-encoded in part', '%7e~/a/b', '<b c="x/y"/>'],
    ['an encoded slash inside a value is data', '~~/a/b%5B@c=%22x%2Fy%22%5D', '<b c="x/y"/>'],
    ['every character encoded', '~~/%61/%62%5b%40%63%3d%22%78%2f%79%22%5d', '<b c="x/y"/>'],
    ['raw quotes and brackets, as clients in the field send them', '~~/a/b[@c="x%2Fy"]', '<b c="x/y"/>'],
    ['a later separator is an element name that nothing has', '~~/a/~~', undefined],
    ['decoding happens once', '~~/a/b%255B1%255D', undefined],
    ['an encoded percent sign is data', "~~/a/d%5B@e='100%25'%5D", '<d e="100%"/>'],
    ['beyond ASCII, as UTF-8 octets', '~~/a/gr%C3%B6%C3%9Fe', '<größe/>'],
  ])('%s', async (_rule, selector, expected) => {
    const { path } = await stored(server, '<a><b c="x/y"/><d e="100%"/><größe/></a>');
    const answer = await server.send('GET', `${path}/${selector}`);
    expect(answer.status).toBe(expected === undefined ? 404 : 200);
    if (expected !== undefined) expect(Buffer.from(answer.body, 'latin1').toString()).toBe(expected);
  });

  test('an empty selector and an empty step are not understood', async () => {
    const { path } = await stored(server, '<a><b/></a>');
    for (const selector of ['~~', '~~/', '~~/a/', '~~//a']) {
      const answer = await server.send('GET', `${path}/${selector}`);
      expect(answer).toMatchObject({ status: 404 });
      expect(answer.body).toMatch(/^selector-not-understood: /);
    }
  });
});

describe('RFC 4825 6.3: a selector that is not understood is 404, and the phrase points at the character', () => {
  test.each([
    ['a/b%5Blast()%5D', 'character 5: "last()]"'],
    ['a/text()', 'character 7: "()"'],
    ['a//b', 'character 3: no step'],
    ['a/b%5B@c=d%5D', 'character 8: "d]"'],
    ['a/b%5B@c=%22d%22%5D%5B1%5D', 'character 12: "[1]"'],
    ['a/child::b', 'character 8: "::b"'],
    ['@a', 'character 3: no step'],
    ['a/b%5B@c=%22d&nbsp;%22%5D', 'character 10: "&nbsp;'],
    ['a/b%5B@c=%22d%26%23;%22%5D', 'character 10: "&#;'],
    ['a/b%5B@c=%22d%26%230;%22%5D', 'character 10: "&#0;'],
    ['a/b%5B@c=%22d%01%22%5D', 'character 10: "\\u0001'],
    ['a/b%5B@c=%22%EF%BF%BE%22%5D', 'character 9: "'],
    ['a/%F0%90%80%80/b%5B', 'character 7: no step'],
    // octets that are no text, and half an escape: RFC 4825 6.3 lets an extension selector have any
    ['a/b%00', 'character 4: "\\u0000"'],
    ['a/b%5B@c=%22%00%22%5D', 'character 9: "\\u0000'],
    ['a/b%5B@c=%22d%FF%22%5D', 'character 10: "%FF%22%5D"'],
    ['a/b%C0%AFc', 'character 4: "%C0%AFc"'],
    ['a/%ED%A0%80', 'character 3: "%ED%A0%80"'],
    ['a/%2', 'character 3: "%2"'],
    ['a/b%zz', 'character 4: "%zz"'],
  ])('%s', async (selector, where) => {
    const { path } = await stored(server, '<a><b c="d"/></a>');
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await server.send(method, `${path}/~~/${selector}`, {
        body: method === 'PUT' ? '<b/>' : undefined,
      });
      expect(answer).toMatchObject({ status: 404, headers: { 'content-type': 'text/plain; charset=utf-8' } });
      expect(answer.body).toContain(`selector-not-understood: The node selector is not understood at ${where}`);
    }
  });

  test('RFC 4825 8: it is told before anybody is asked who he is', async () => {
    const answer = await server.send('GET', `${own(plain)}/~~/a%5B`, { as: '' });
    expect(answer).toMatchObject({ status: 404 });
  });

  test('position 0 is grammatical and matches nothing', async () => {
    const { path } = await stored(server, '<a><b/></a>');
    expect(await server.send('GET', `${path}/~~/a/b%5B0%5D`)).toMatchObject({
      status: 404,
      body: 'not-found: No such resource\n',
    });
    const put = await server.send('PUT', `${path}/~~/a/b%5B0%5D`, { type: 'application/xcap-el+xml', body: '<b/>' });
    expect(put).toMatchObject({ status: 409 });
    expect(put.body).toContain('<cannot-insert');
  });
});

describe('RFC 4825 6.4: bindings', () => {
  test.each([
    ['xmlns(p=urn:p)', 200],
    ['xmlns(p=urn:wrong)xmlns(p=urn:p)', 200],
    ['element(/1)xmlns(p=urn:p)', 200],
    ['xmlns(%70=urn%3Ap)', 200],
    ['xmlns(p=urn:other)', 404],
    ['xmlns(q=urn:p)', 400],
    ['', 400],
    // RFC 4825 8: what is no pointer, or no binding, leaves a prefix unbound
    ['p=urn:p', 400],
    ['xmlns(p=urn:p', 400],
    ['xmlns(p=%FF)', 400],
    ['%zzxmlns(p=urn:p)', 400],
    [`xmlns(p=${'('.repeat(7_000)}`, 400],
    // RFC 4825 6.4: expressions of other schemes MUST be ignored; XPointer xmlns() 3: so is what is no binding
    ['xpointer(//x:b)xmlns(p=urn:p)', 200],
    ['xmlns(nonsense)xmlns(p=urn:p)', 200],
  ])('?%s answers %i', async (query, status) => {
    const { path } = await stored(server, '<a xmlns:x="urn:p"><x:b/></a>');
    const answer = await server.send('GET', `${path}/~~/a/p:b?${query}`);
    expect(answer).toMatchObject({ status });
    if (status === 200) expect(answer.body).toBe('<x:b/>');
  });

  test.each(['a=b', '_=1700000000', '%00', '%zz', '%FF', 'xmlns(', 'xmlns()', '(a)', '&', 'xmlns(p=urn:p))'])(
    'RFC 4825 8: only a prefix that is not bound is 400, so ?%s hurts nobody who uses none',
    async (query) => {
      const { path } = await stored(server, '<a><b c="d"/></a>');
      for (const [node, status] of [
        ['a/b', 200],
        ['a/b/@c', 200],
        ['a/namespace::*', 200],
        ['a/none', 404],
        ['a/b%5B', 404],
        ['q:a', 400],
      ] as const) {
        const answer = await server.send('GET', `${path}/~~/${node}?${query}`);
        expect(answer).toMatchObject({ status });
        if (status === 400) expect(answer.body).toBe('unbound-prefix: The query does not bind the prefix q\n');
      }
      expect(await server.send('GET', `${path}?${query}`)).toMatchObject({ status: 200 });
    },
  );

  test('RFC 4825 8: a prefix that is not bound is told before a document or node that is not there', async () => {
    const { path } = await stored(server, '<a/>');
    for (const document of [path, own(plain, 'absent.xml')]) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const answer = await server.send(method, `${document}/~~/x/p:y`, {
          body: method === 'PUT' ? '<y/>' : undefined,
        });
        expect(answer).toMatchObject({ status: 400 });
        expect(answer.body).toMatch(/^unbound-prefix: .*prefix p$/m);
      }
    }
  });
});

describe('RFC 4825 8: a prefix that is not bound is told before the method is looked at', () => {
  test.each(['GET', 'HEAD', 'PUT', 'DELETE', 'POST', 'OPTIONS', 'PATCH'])('%s', async (method) => {
    const { path } = await stored(server, '<a><b/></a>');
    const group = `${groups}/global/byGroupID/sip:none@mcx.alpha.example`;
    for (const document of [path, 'xcap-caps/global/index', group]) {
      for (const node of ['p:x', 'a/b%5B@p:x=%221%22%5D', 'a/@p:x', 'p:a/namespace::*']) {
        const body = ['PUT', 'POST', 'PATCH'].includes(method) ? '<x/>' : undefined;
        expect(await server.send(method, `${document}/~~/${node}`, { body })).toMatchObject({ status: 400 });
        const bound = await server.send(method, `${document}/~~/${node}?xmlns(p=urn:p)`, { body });
        expect(bound.status).not.toBe(400);
      }
    }
  });
});

describe('hostile request targets get a named refusal at once', () => {
  const quick = async (selector: string, status: number): Promise<void> => {
    const { path } = await stored(server, `<a>${'<b/>'.repeat(5000)}</a>`);
    const started = performance.now();
    expect((await server.send('GET', `${path}/~~/${selector}`)).status).toBe(status);
    expect(performance.now() - started).toBeLessThan(1000);
  };

  test.each([
    ['64 KB of steps', 'a/'.repeat(32_768), 414],
    ['a target beyond 8 KB', 'a/'.repeat(6_000), 414],
    ['4,000 steps', `${'*/'.repeat(3_500)}b`, 404],
    ['a predicate that never closes', `a/b%5B@c=%22${'x'.repeat(7_000)}`, 404],
    ['nothing but brackets', '%5B'.repeat(2_500), 404],
    ['nothing but quotes', `a/b%5B@c=${"'%22".repeat(1_500)}%5D`, 404],
    ['nothing but ampersands', `a/b%5B@c=%22${'&'.repeat(7_000)}%22%5D`, 404],
    ['a position of 7,000 digits', `a/b%5B${'9'.repeat(7_000)}%5D`, 404],
    ['a long name', 'n'.repeat(7_500), 404],
  ])('%s', async (_rule, selector, status) => quick(selector, status));

  test.each(['%2', '%zz', '%FF%FE', 'b%C0%AFc', 'b%00', '%ED%A0%80', 'b%0D%0ASet-Cookie:x', '%2e%2e'])(
    'a document selector that no document can have, %s, is 400, and nothing is stored',
    async (name) => {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const body = method === 'PUT' ? '<a/>' : undefined;
        const answer = await server.send(method, own(plain, name), { type: plainType, body });
        expect(answer).toMatchObject({ status: 400 });
        expect(answer.body).toMatch(/^bad-request: /);
      }
    },
  );

  test('a fragment is 400', async () => {
    const { path } = await stored(server, '<a/>');
    expect(await server.send('GET', `${path}/~~/a#b`)).toMatchObject({ status: 400 });
  });
});

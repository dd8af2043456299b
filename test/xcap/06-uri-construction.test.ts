// RFC 4825 clause 6: URI construction, and targets that were made to hurt.
import { describe, expect, test } from '@jest/globals';
import { vectorsOf } from './vectors.ts';
import { own, plain, stored, xcapServer } from './xcap-server.ts';

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
    ['p=urn:p', 400],
    ['xmlns(p=urn:p', 400],
  ])('?%s answers %i', async (query, status) => {
    const { path } = await stored(server, '<a xmlns:x="urn:p"><x:b/></a>');
    const answer = await server.send('GET', `${path}/~~/a/p:b?${query}`);
    expect(answer).toMatchObject({ status });
    if (status === 200) expect(answer.body).toBe('<x:b/>');
  });

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

  test.each([
    ['half an escape', '~~/a/%2', 400],
    ['no UTF-8', '~~/a/%FF%FE', 400],
    ['an overlong slash', '~~/a/b%C0%AFc', 400],
    ['NUL', '~~/a/b%00', 400],
    ['a surrogate', '~~/a/%ED%A0%80', 400],
    ['a query that is no UTF-8', '~~/a?xmlns(p=%FF)', 400],
    ['a query of 7,000 parentheses', `~~/p:a?xmlns(p=${'('.repeat(7_000)}`, 400],
    ['a fragment', '~~/a#b', 400],
  ])('%s', async (_rule, rest, status) => {
    const { path } = await stored(server, '<a/>');
    const answer = await server.send('GET', `${path}/${rest}`);
    expect(answer).toMatchObject({ status });
    expect(answer.body).toMatch(/^bad-request: /);
  });
});

// Random requests for one document, over real HTTP: what RFC 4825 promises of every answer, whatever was asked. The seed is fixed;
// `npm run fuzz` takes other seeds and many more runs.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { WireAnswer } from '../../src/xcap/wire.testkit.ts';
import { attributeType, elementType, own, plain, plainType, type Sending, textOf, xcapServer } from './xcap-server.ts';

const runs = Number(process.env.FUZZ_RUNS ?? 600);
const seed = process.env.FUZZ_SEED === undefined ? 4825 : Number(process.env.FUZZ_SEED);

const server = xcapServer();
const path = own(plain, 'fuzzed.xml');
const start = `<?xml version="1.0"?>\r\n<r xmlns:q='urn:p'>\n <a n="1"/>\n <a n="2"/>\n <!-- c --><q:a q:x="1"/>\n <b n="1" xml:lang="en"/>\n</r>\n`;

const step = fc
  .tuple(
    fc.constantFrom('a', 'b', 'c', '*', 'p:a'),
    fc.constantFrom('', '', '%5B1%5D', '%5B2%5D', '%5B3%5D', '%5B@n=%221%22%5D', "[2][@n='1']", '%5B@n=%22new%22%5D'),
  )
  .map((parts) => parts.join(''));
const sensible = fc
  .tuple(
    fc.oneof({ weight: 3, arbitrary: fc.tuple(step) }, { weight: 1, arbitrary: fc.array(step, { maxLength: 2 }) }),
    fc.constantFrom('', '', '', '/@n', '/@new', '/@p:x', '/@xml:lang', '/namespace::*'),
    fc.constantFrom('', '?xmlns(p=urn:p)', '?xmlns(p=urn:p)xmlns(q=urn:p)', '?any(x)xmlns(p=urn:p)', '?n=o'),
  )
  .map(([steps, terminal, query]) => `${['/~~/r', ...steps].join('/')}${terminal}${query}`);
const pieces = fc.constantFrom(
  ...['r', '/', 'a', '*', '[1]', '%5B', ']', '"', '%22', '@n', '=', '~~', '%7E%7E', '%', '%2', '%00', '%FF', '%C3%A9'],
  ...['?', 'xmlns(', ')', 'p:', '::', '&', '&amp;', '..', '%2F', '%F0%9F%98%80', '^', '(', '#', ';', '%01', 'xml:'],
);
const senseless = fc
  .tuple(fc.constantFrom('', '/~~', '/~~/', '/~~/r/'), fc.array(pieces, { maxLength: 6 }))
  .map(([before, parts]) => before + parts.join(''));

const body = fc.constantFrom(
  ...[
    '<a n="1"/>',
    '<a n="new"/>',
    '<a><b/></a>',
    '<b/>',
    '<c n="new">\r\n</c>',
    '<r/>',
    '<p:a xmlns:p="urn:p"/>',
    '<p:a/>',
  ],
  ...['"v"', "'1'", '"&amp;"', '"', '', 'x', '<a>\0</a>', '<a', '<a/><b/>'],
);
const type = fc.constantFrom(elementType, attributeType, plainType, `${elementType}; charset=utf-8`, undefined);
const tags = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom('current', '"other"', '*') },
  { weight: 7, arbitrary: fc.constant(undefined) },
);

const request = fc.record({
  method: fc.constantFrom('GET', 'PUT', 'PUT', 'PUT', 'DELETE', 'DELETE', 'DELETE', 'OPTIONS', 'POST'),
  node: fc.oneof({ weight: 2, arbitrary: sensible }, { weight: 1, arbitrary: senseless }),
  body: fc.oneof({ weight: 1, arbitrary: body }, { weight: 2, arbitrary: fc.constant(undefined) }),
  type: fc.oneof({ weight: 1, arbitrary: type }, { weight: 3, arbitrary: fc.constant('fitting' as const) }),
  ifMatch: tags,
  ifNoneMatch: tags,
});

/** A body that the last step of a node selector may want. */
function fittingBody(node: string): string {
  if (node.includes('/@')) return '"v"';
  const [, name = 'c', predicates = ''] =
    /\/([a-z:]+|\*)([^/?]*)(?:\?|$)/.exec(node.slice(node.lastIndexOf('/'))) ?? [];
  const attribute = predicates.includes('new') ? 'new' : '1';
  return `<${name === '*' || name.includes(':') ? 'c' : name} n="${attribute}"/>`;
}

async function state(): Promise<{ readonly text: string | undefined; readonly etag: string }> {
  return { text: await textOf(server, path), etag: (await server.send('HEAD', path)).headers.etag ?? '' };
}

/** What holds for every answer. */
function expectSound(answer: WireAnswer): void {
  const { status, headers } = answer;
  expect(status < 500 || status === 501).toBe(true);
  if (status !== 304) expect(headers['content-length']).toBe(String(answer.body.length));
  expect(headers['content-type'] === 'application/xcap-error+xml').toBe(status === 409);
  if (status === 405) expect(headers.allow?.split(', ')).toContain('GET');
  if (status === 412 || status === 400 || status === 404) expect(headers.etag).toBeUndefined();
}

test('every answer is sound; what is refused changes nothing; GET(PUT(x)) is x; what was deleted is gone', async () => {
  let [put, deleted] = [0, 0];
  await fc.assert(
    fc.asyncProperty(request, async (asked) => {
      await server.send('PUT', path, { type: plainType, body: start });
      const before = await state();
      const { method, node } = asked;
      const content = asked.body ?? fittingBody(node);
      const target = path + node;
      const written = method === 'PUT' || method === 'POST';
      const fitting = node.includes('/@') ? attributeType : elementType;
      const named = (tag: string | undefined) => (tag === 'current' ? before.etag : tag);
      const preconditions = { 'If-Match': named(asked.ifMatch), 'If-None-Match': named(asked.ifNoneMatch) };
      const sending: Sending = {
        ...(written ? { body: content } : {}),
        ...(written && asked.type !== undefined ? { type: asked.type === 'fitting' ? fitting : asked.type } : {}),
        headers: Object.fromEntries(
          Object.entries(preconditions).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
        ),
      };
      const answer = await server.send(method, target, sending);
      expectSound(answer);
      const after = await state();
      const changing = method === 'PUT' || method === 'DELETE';
      if (!changing || answer.status >= 300) expect(after).toEqual(before);
      if (method === 'GET') {
        const head = await server.send('HEAD', target, sending);
        expect({ ...head.headers, date: '' }).toEqual({ ...answer.headers, date: '' });
        expect([head.status, head.body]).toEqual([answer.status, '']);
      }
      if (!changing || answer.status >= 300 || !node.startsWith('/~~/')) return;
      expect([answer.body, answer.headers.etag]).toEqual(['', after.etag]);
      const found = await server.send('GET', target);
      if (method === 'DELETE') {
        expect(found.status).toBe(404);
        deleted++;
        return;
      }
      expect([found.status, found.body]).toEqual([200, content]);
      put++;
      if (answer.status !== 201) return;
      // RFC 4825 8.2.3 and 8.4: what was put in by this URI is taken out by it, and nothing else
      const undone = await server.send('DELETE', target);
      if (undone.status === 409) expect(undone.body).toContain('<cannot-delete');
      else expect((await textOf(server, path))?.replace(/><\/(a|b|q:a)>/g, '/>')).toBe(start);
    }),
    { numRuns: runs, seed, endOnFailure: false },
  );
  expect([put > runs / 60, deleted > runs / 200]).toEqual([true, true]);
}, 3_600_000);

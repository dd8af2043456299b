// RFC 4825 clause 11: detailed conflict reports. They come with 409, and only with 409.
import { expect, test } from '@jest/globals';
import { groupDocument } from '../../src/documents/documents.testkit.ts';
import { vectorsOf } from './vectors.ts';
import { elementType, groups, groupType, own, stored, xcapServer } from './xcap-server.ts';

const server = xcapServer();

vectorsOf('11', server);

test.each([
  ['a/b%5B2%5D', 404],
  ['p:a', 400],
])('%s is %i without a conflict report', async (selector, status) => {
  const { path } = await stored(server, '<a><b/></a>');
  const answer = await server.send('GET', `${path}/~~/${selector}`);
  expect(answer).toMatchObject({ status, headers: { 'content-type': 'text/plain; charset=utf-8' } });
});

test('what the caller sent appears in a report as text, never as markup', async () => {
  const { path } = await stored(server, '<a/>');
  const answer = await server.send('PUT', `${path}/~~/a/x%5B@y=%22%26lt;%3E%22%5D/z`, {
    type: elementType,
    body: '<z/>',
  });
  expect(answer).toMatchObject({ status: 409 });
  expect(answer.body).toMatch(/^<\?xml[^>]*>\s*<xcap-error xmlns="urn:ietf:params:xml:ns:xcap-error"><no-parent/);
});

test('RFC 4825 11.1: field is a path from the document element to the value that is taken', async () => {
  const twice = 'sip:twice@mcx.alpha.example';
  const body = groupDocument({
    uri: 'sip:fields@mcx.alpha.example',
    members: ['sip:one@mcx.alpha.example', twice, twice],
  });
  const answer = await server.send('PUT', own(groups, 'fields.xml'), { type: groupType, body });
  expect(answer).toMatchObject({ status: 409 });
  expect(answer.body).toContain('<exists field="group/list-service/list/entry%5B3%5D/@uri"');
});

test('TS 24.481 6.3.2.3 c: a group ID that breaks local naming is refused with values that are accepted', async () => {
  const path = own(groups, 'named.xml');
  const put = (uri: string) =>
    server.send('PUT', path, {
      type: groupType,
      headers: { 'If-None-Match': '*' },
      body: groupDocument({ uri, members: ['sip:a@mcx.alpha.example'] }),
    });
  const refused = await put('sip:tg-17@elsewhere.example');
  expect(refused).toMatchObject({ status: 409 });
  expect(refused.body).toMatch(/<uniqueness-failure phrase="[^"]+">\s*<exists field="group\/list-service\/@uri">/);
  const offered = [...refused.body.matchAll(/<alt-value>([^<]*)<\/alt-value>/g)].map(([, value]) => value);
  expect(offered).toEqual(['sip:tg-17@mcx.alpha.example', 'sip:tg-17-2@mcx.alpha.example']);
  expect(await put(offered[0] ?? '')).toMatchObject({ status: 201 });
});

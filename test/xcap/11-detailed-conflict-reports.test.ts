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

const fieldsOf = (body: string): readonly (string | undefined)[] =>
  [...body.matchAll(/<exists field="([^"]*)"/g)].map(([, field]) => field);

test('RFC 4825 11.1: for each value that is not unique there is one exists; twenty of them at most', async () => {
  const member = (number: number): string => `sip:m${number}@mcx.alpha.example`;
  const put = (members: readonly string[]) =>
    server.send('PUT', own(groups, 'each.xml'), {
      type: groupType,
      body: groupDocument({ uri: 'sip:each@mcx.alpha.example', members }),
    });
  const entry = (number: number): string => `group/list-service/list/entry%5B${number}%5D/@uri`;
  const few = await put([member(1), member(2), member(1), member(3), 'SIP:m2@MCX.alpha.example', member(1)]);
  expect(few).toMatchObject({ status: 409 });
  expect(fieldsOf(few.body)).toEqual([entry(3), entry(5), entry(6)]);
  const many = Array.from({ length: 500 }, (_, number) => member(number));
  expect(fieldsOf((await put([...many, ...many])).body)).toEqual(
    Array.from({ length: 20 }, (_, number) => entry(501 + number)),
  );

  const lists =
    '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="a"><entry uri="sip:x@y"/><entry uri="sip:x@y"/><entry uri="sip:x@y"/></list><list name="a"/></resource-lists>';
  const answer = await server.send('PUT', own('resource-lists'), {
    type: 'application/resource-lists+xml',
    body: lists,
  });
  expect(answer).toMatchObject({ status: 409 });
  expect(fieldsOf(answer.body).toSorted()).toEqual([
    'resource-lists/list%5B1%5D/entry%5B2%5D/@uri',
    'resource-lists/list%5B1%5D/entry%5B3%5D/@uri',
    'resource-lists/list%5B2%5D/@name',
  ]);
});

test('RFC 4825 8.2.5: what is not unique is told before other constraints that do not hold', async () => {
  const twice = 'sip:twice@mcx.alpha.example';
  const body = groupDocument({ uri: 'no uri', members: ['neither', twice, twice], supported: '' });
  const group = await server.send('PUT', own(groups, 'order.xml'), { type: groupType, body });
  expect(group).toMatchObject({ status: 409 });
  expect(fieldsOf(group.body)).toEqual(['group/list-service/list/entry%5B3%5D/@uri']);
  const lists =
    '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="a"><external anchor="x"/></list><list name="a"/></resource-lists>';
  const list = await server.send('PUT', own('resource-lists'), { type: 'application/resource-lists+xml', body: lists });
  expect(fieldsOf(list.body)).toEqual(['resource-lists/list%5B2%5D/@name']);
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

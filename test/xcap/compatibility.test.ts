// Concessions to older clients, which an operator turns on.
import { expect, test } from '@jest/globals';
import { attributeType, stored, textOf, xcapServer } from './xcap-server.ts';

const lenient = xcapServer({ compatibility: { bareAttributeValues: true } });

test.each([
  ['sip:x@y', '"sip:x@y"'],
  ['"sip:x@y"', '"sip:x@y"'],
  ["'v'", "'v'"],
  ['say "v"', `'say "v"'`],
  ['a&amp;b', '"a&amp;b"'],
])('bareAttributeValues: %s is stored as %s', async (body, written) => {
  const { path } = await stored(lenient, '<a b="old"/>');
  expect(await lenient.send('PUT', `${path}/~~/a/@b`, { type: attributeType, body })).toMatchObject({ status: 200 });
  expect(await textOf(lenient, path)).toBe(`<a b=${written}/>`);
});

test.each(['a<b', 'a&b', `both " and '`])('bareAttributeValues: %s is still no attribute value', async (body) => {
  const { path } = await stored(lenient, '<a b="old"/>');
  const answer = await lenient.send('PUT', `${path}/~~/a/@b`, { type: attributeType, body });
  expect(answer).toMatchObject({ status: 409 });
  expect(answer.body).toContain('<not-xml-att-value');
});

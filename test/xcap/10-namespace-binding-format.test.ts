// RFC 4825 clause 10: namespace binding format.
import { expect, test } from '@jest/globals';
import { canonical, vectorsOf } from './vectors.ts';
import { bindingsType, stored, xcapServer } from './xcap-server.ts';

const server = xcapServer();

vectorsOf('10', server);

const document =
  '<a xmlns="urn:a" xmlns:p="urn:p?x=1&amp;y"><p:b xmlns="" xmlns:q="urn:q"><c xmlns:p="urn:p2"/></p:b></a>';
const query = '?xmlns(a=urn:a)xmlns(p=urn:p%3Fx=1%26y)';

test.each([
  ['a:a', '<a xmlns="urn:a" xmlns:p="urn:p?x=1&amp;y"/>'],
  ['a:a/p:b', '<p:b xmlns:p="urn:p?x=1&amp;y" xmlns:q="urn:q"/>'],
  ['a:a/p:b/c', '<c xmlns:p="urn:p2" xmlns:q="urn:q"/>'],
])('bindings in scope at %s, on an empty element of its name and prefix', async (selector, expected) => {
  const { path } = await stored(server, document);
  const answer = await server.send('GET', `${path}/~~/${selector}/namespace::*${query}`);
  expect(answer).toMatchObject({ status: 200, headers: { 'content-type': bindingsType } });
  expect(canonical(answer.body)).toBe(canonical(expected));
});

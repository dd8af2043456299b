import { describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { readSubscriptionBody } from './subscription-body.ts';

const list = (...uris: string[]): string =>
  `<?xml version="1.0" encoding="UTF-8"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>${uris
    .map((uri) => `<entry uri="${uri}"/>`)
    .join('')}</list></resource-lists>`;
const info = (token: string): string =>
  `<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><mcptt-access-token type="Normal"><mcpttString>${token}</mcpttString></mcptt-access-token></mcptt-Params></mcpttinfo>`;
const listPart = `Content-Type: application/resource-lists+xml\r\n\r\n${list('a/global/b')}`;
const infoPart = `Content-Type: application/vnd.3gpp.mcptt-info+xml\r\n\r\n${info('eyJ.a.b')}`;
const multipart = (...parts: string[]): string => `${parts.map((part) => `--x\r\n${part}\r\n`).join('')}--x--\r\n`;

const read = (contentType: string | undefined, text: string, contentEncoding?: string) =>
  readSubscriptionBody({ contentType, contentEncoding, text }, 3);
const refusalOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
  return 'accepted';
};

test('RFC 5875 4.4: entries at any depth in order, unknown elements ignored, references decoded', () => {
  const text = `<r:resource-lists xmlns:r="urn:ietf:params:xml:ns:resource-lists"><r:list><r:entry uri="a/global/x?y&amp;z"/><r:entry-ref ref="q"/>
    <r:list><r:entry uri="a/global/b"/></r:list><entry xmlns="urn:other" uri="no"/></r:list></r:resource-lists>`;
  expect(read('application/resource-lists+xml;charset=UTF-8', text)).toEqual({
    entries: ['a/global/x?y&z', 'a/global/b'],
  });
});

describe('TS 24.481 6.3.13.2.1: multipart/mixed', () => {
  test('RFC 5621 3: parts may stand in multiparts in each other', () => {
    const inner = `Content-Type: multipart/related;boundary=y\r\n\r\n--y\r\n${listPart}\r\n--y\r\n\r\nplain\r\n--y--`;
    const both = { entries: ['a/global/b'], accessToken: 'eyJ.a.b' };
    expect(read('multipart/mixed;boundary=x', multipart(infoPart, inner))).toEqual(both);
    expect(refusalOf(() => read('multipart/mixed;boundary=x', multipart(listPart, inner)))).toBe('bad-request');
    const broken = inner.replace('--y--', '');
    expect(refusalOf(() => read('multipart/mixed;boundary=x', multipart(infoPart, broken)))).toBe('bad-request');
  });

  test.each([
    ['list first', multipart(listPart, infoPart)],
    ['information first', multipart(infoPart, listPart)],
  ])('%s', (_, text) => {
    expect(read('multipart/mixed;boundary=x', text)).toEqual({ entries: ['a/global/b'], accessToken: 'eyJ.a.b' });
    expect(read('Multipart/Mixed; boundary="x"', text)).toEqual({ entries: ['a/global/b'], accessToken: 'eyJ.a.b' });
  });

  test('an encrypted token is refused, not ignored', () => {
    const encrypted = infoPart.replace(
      /<mcpttString>.*<\/mcpttString>/,
      '<e:EncryptedData xmlns:e="urn:e">x</e:EncryptedData>',
    );
    expect(refusalOf(() => read('multipart/mixed;boundary=x', multipart(encrypted, listPart)))).toBe(
      'credentials-refused',
    );
  });

  test('broken framing, two lists, no usable part', () => {
    expect(refusalOf(() => read('multipart/mixed;boundary=y', multipart(listPart)))).toBe('bad-request');
    expect(refusalOf(() => read('multipart/mixed;boundary=x', multipart(listPart, listPart)))).toBe('bad-request');
    expect(refusalOf(() => read('multipart/mixed;boundary=x', multipart('Content-Type: text/plain\r\n\r\nhi')))).toBe(
      'unsupported-media-type',
    );
  });
});

test('no body is an empty answer', () => {
  expect(read(undefined, '')).toEqual({});
});

test.each<[string, string | undefined, string, string | undefined]>([
  ['another media type', 'application/pidf+xml', list('a'), undefined],
  ['no media type', undefined, list('a'), undefined],
  ['a content coding', 'application/resource-lists+xml', 'x', 'deflate'],
])('RFC 3261 8.2.3: %s is 415', (_, type, text, coding) => {
  expect(refusalOf(() => read(type, text, coding))).toBe('unsupported-media-type');
});

test.each([
  ['not well-formed', '<resource-lists'],
  ['another root', '<a xmlns="urn:ietf:params:xml:ns:resource-lists"/>'],
  ['a DTD', `<!DOCTYPE a [<!ENTITY b "c">]>${list('a')}`],
])('%s is a bad request', (_, text) => {
  expect(refusalOf(() => read('application/resource-lists+xml', text))).toBe('bad-request');
});

test('RFC 5875 7: a list longer than the limit is refused', () => {
  expect(refusalOf(() => read('application/resource-lists+xml', list('a', 'b', 'c', 'd')))).toBe('document-too-large');
});

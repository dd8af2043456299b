import type { IncomingMessage } from 'node:http';
import { expect, test } from '@jest/globals';
import { contentAnswer } from './read-answer.ts';

const asked = (headers: Readonly<Record<string, string>> = {}): IncomingMessage => ({ headers }) as IncomingMessage;
const content = { tag: 't', bytes: Buffer.from('<group/>') };
const staleSince = new Date(Date.now() - 90_500).toISOString();

test.each([
  ['200', {}],
  ['304', { 'if-none-match': '"t"' }],
])('RFC 9211 2.4: a %s of a stale copy says so, with the seconds since its home could be asked', (status, headers) => {
  const answer = contentAnswer(asked(headers), { ...content, staleSince }, 'a/b');
  expect(String(answer.status)).toBe(status);
  const at = answer.headers.indexOf('Cache-Status');
  expect(answer.headers[at + 1]).toMatch(/^mcgw; hit; ttl=-9[01]; detail=stale$/);
  expect(contentAnswer(asked(headers), content, 'a/b').headers).not.toContain('Cache-Status');
});

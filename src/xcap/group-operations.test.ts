// Retrieval of a group without its members, TS 24.481 clause 6.3: what the answer says of the copy it is made of.
import { afterEach, expect, test } from '@jest/globals';
import { MemoryDocument } from '../documents/cache.ts';
import type { ServedDocument } from '../documents/documents.ts';
import { answerOperation } from './group-operations.ts';
import { defaultLimits, type HttpListener, startHttpListener } from './http-listener.ts';
import { exchange, keptLog, rawRequest, type WireAnswer } from './wire.testkit.ts';

const bytes = Buffer.from(
  '<group xmlns="urn:oma:xml:poc:list-service"><list-service uri="sip:a@x"><list><entry uri="sip:b@x"/></list></list-service></group>',
);
const key = { auid: 'org.openmobilealliance.groups', tree: 'global', xui: '', name: 'byGroupID/sip:a@x' } as const;
const document = new MemoryDocument({ key, tag: 'whole', bytes, modified: '2026-01-01T00:00:00Z' });

let listener: HttpListener;
afterEach(() => listener.close());

async function retrieved(found: ServedDocument): Promise<WireAnswer> {
  listener = await startHttpListener({
    listen: { host: '127.0.0.1', port: 0 },
    limits: defaultLimits,
    strangers: 'no handshake',
    log: keptLog(),
    handle: (asked) => answerOperation(asked, 'sip:b@x', async () => found, 'a/b'),
  });
  const body = '<document xmlns="urn:3gpp:ns:mcpttGMOP:1.0"><request><get-excluding-memberlist/></request></document>';
  return exchange(listener.url, rawRequest('POST', '/', { 'Content-Type': 'application/vnd.3gpp.GMOP+xml' }, body));
}

test('TS 24.481 6.3: the group comes without its list, with a tag of its own', async () => {
  const answer = await retrieved(document);
  expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'a/b' } });
  expect(answer.body).toBe(bytes.toString().replace(/<list>.*<\/list>/, ''));
  expect(answer.headers.etag).not.toBe('"whole"');
  expect(answer.headers['cache-status']).toBeUndefined();
});

test('RFC 9211 2.4: what is made of a stale copy is marked as stale', async () => {
  const { tag, index, modified } = document;
  const answer = await retrieved({ key, tag, bytes, index, modified, staleSince: '2026-01-01T00:00:00Z' });
  expect(answer.headers['cache-status']).toMatch(/^mcgw; hit; ttl=-\d+; detail=stale$/);
});

// Request bodies: read within a limit, and got rid of when nobody wants them.
import type { IncomingMessage } from 'node:http';
import { Refusal } from '../refusals.ts';
import type { Exchange } from './exchange.ts';
import { charset, mediaType } from './media-type.ts';

/** The caller went away before the body was complete: there is nobody to answer. */
export class RequestAborted extends Error {}

/**
 * Reads the whole body of a request, at most `limit` octets, on the account of `caller`. Answers an expectation of 100 (RFC 9110 clause
 * 10.1.1) only now, since the caller has passed every check that needs no body. Throws `document-too-large`, `unavailable` when bodies
 * in flight hold too much, `unsupported-media-type` for a content coding, RequestAborted.
 */
export async function readBody(
  { request, response, expectsContinue, account }: Exchange,
  caller: string,
  limit: number,
): Promise<Uint8Array> {
  const coding = request.headers['content-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'identity') {
    const phrase = 'The content coding of the body is not accepted';
    throw new Refusal('unsupported-media-type', { phrase, acceptEncoding: ['identity'] });
  }
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > limit) throw new Refusal('document-too-large');
  account.check(caller, declared);
  if (expectsContinue) response.writeContinue();
  return collect(request, limit, (octets) => account.take(caller, octets));
}

/** True when the request announces a body. */
export function announcesBody(request: IncomingMessage): boolean {
  const { headers } = request;
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

/**
 * Takes and forgets what is left of a body, so that the connection can carry the next request and the answer is not lost in a reset.
 * Whoever sends more than `limit` octets is cut off.
 */
export function discardBody(request: IncomingMessage, limit: number): void {
  let taken = 0;
  request.on('data', (chunk: Buffer) => {
    taken += chunk.length;
    if (taken > limit) request.socket.destroy();
  });
  request.on('error', () => undefined);
  request.resume();
}

/** Throws `unsupported-media-type` unless the request's Content-Type is `expected`, parameters and case aside. */
export function requireMediaType(request: IncomingMessage, expected: string): void {
  if (mediaType(request.headers['content-type']) !== expected.toLowerCase()) {
    throw new Refusal('unsupported-media-type', { accept: [expected] });
  }
}

/**
 * Checks what a PUT says of its body. Throws `bad-request` for a part of a resource, `unsupported-media-type` unless it is `expected`,
 * `not-utf-8` for another encoding.
 */
export function requirePutType(request: IncomingMessage, expected: string): void {
  // RFC 9110 14.5: a part that was stored as the whole would destroy the rest
  if (request.headers['content-range'] !== undefined) {
    throw new Refusal('bad-request', { phrase: 'A part of a resource cannot be put' });
  }
  requireMediaType(request, expected);
  // RFC 7303 3.2: the parameter outranks what the document declares; RFC 4825 5.3: documents are UTF-8
  const encoding = charset(request.headers['content-type']);
  if (encoding !== undefined && !utf8Names.has(encoding)) throw new Refusal('not-utf-8');
}

/** What is UTF-8 under these names of IANA; of US-ASCII it is a superset. */
const utf8Names: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii']);

/** So many chunks of a body are joined, since each costs far more than its octets. */
const joinedChunks = 256;

function collect(request: IncomingMessage, limit: number, take: (octets: number) => void): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let joined = 0;
    let size = 0;
    const settle = (act: () => void): void => {
      request.off('data', onData).off('end', onEnd).off('error', onAbort).off('close', onAbort);
      act();
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      try {
        if (size > limit) throw new Refusal('document-too-large');
        take(chunk.length);
      } catch (refusal) {
        settle(() => reject(refusal));
        return;
      }
      if (chunks.push(chunk) - joined >= joinedChunks) chunks.push(Buffer.concat(chunks.splice(joined++)));
    };
    const onEnd = (): void =>
      settle(() => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    const onAbort = (): void => settle(() => reject(new RequestAborted('the request ended before its body')));
    // A request that announces no body has ended from the beginning, and tells no more
    if (request.readableEnded) resolve(new Uint8Array());
    else if (request.destroyed) onAbort();
    else request.on('data', onData).on('end', onEnd).on('error', onAbort).on('close', onAbort);
  });
}

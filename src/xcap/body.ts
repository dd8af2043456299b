// Request bodies: read within a limit, and got rid of when nobody wants them.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal } from '../refusals.ts';
import { mediaType } from './media-type.ts';

/** The caller went away before the body was complete: there is nobody to answer. */
export class RequestAborted extends Error {}

/**
 * Reads the whole body of a request, at most `limit` octets. Answers an expectation of 100 (RFC 9110 clause 10.1.1) only now, since
 * the caller has passed every check that needs no body. Throws `document-too-large`, `unsupported-media-type` for a content coding,
 * RequestAborted.
 */
export async function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  expectsContinue: boolean,
  limit: number,
): Promise<Uint8Array> {
  const coding = request.headers['content-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'identity') throw new Refusal('unsupported-media-type');
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > limit) throw new Refusal('document-too-large');
  if (expectsContinue) response.writeContinue();
  return collect(request, limit);
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

function collect(request: IncomingMessage, limit: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (act: () => void): void => {
      request.off('data', onData).off('end', onEnd).off('error', onAbort).off('close', onAbort);
      act();
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > limit) settle(() => reject(new Refusal('document-too-large')));
      else chunks.push(chunk);
    };
    const onEnd = (): void =>
      settle(() => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    const onAbort = (): void => settle(() => reject(new RequestAborted('the request ended before its body')));
    if (request.destroyed) onAbort();
    else request.on('data', onData).on('end', onEnd).on('error', onAbort).on('close', onAbort);
  });
}

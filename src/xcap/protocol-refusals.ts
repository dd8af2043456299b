// What is wrong with a request before anybody looks at its resource: bytes that the parser gives up on, and heads that it lets pass.
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import { Refusal } from '../refusals.ts';
import { everyValue } from './request-headers.ts';

/** What the HTTP parser says of bytes that it gives up on. */
export interface ParserError extends Error {
  readonly code?: string | undefined;
  /** The octets it was reading, from the start of a read on. */
  readonly rawPacket?: Buffer | undefined;
}

/** The refusal of a head that can be parsed but not be served; undefined when there is none. The connection should end behind it. */
export function headRefusal(request: IncomingMessage): Refusal | undefined {
  if (request.httpVersionMajor !== 1) return new Refusal('http-version-not-supported');
  const hosts = everyValue(request, 'host').length;
  // RFC 9112 3.2: two readers could take different ones
  if (hosts > 1) return new Refusal('bad-request', { phrase: 'There is more than one Host' });
  if (hosts === 0 && request.httpVersionMinor === 1) return new Refusal('bad-request', { phrase: 'There is no Host' });
  const coding = request.headers['transfer-encoding'];
  // RFC 9112 6.1: such a message has been built or forwarded by somebody who knows no transfer codings, and its framing is faulty
  if (coding !== undefined && request.httpVersionMinor === 0) {
    return new Refusal('bad-request', { phrase: 'HTTP/1.0 has no Transfer-Encoding' });
  }
  // RFC 9112 6.1
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    return new Refusal('not-implemented', { phrase: 'The transfer coding is not implemented' });
  }
  const { expect } = request.headers;
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') return new Refusal('expectation-failed');
  return undefined;
}

/** The refusal of bytes that the parser gives up on. */
export function parserRefusal({ code, rawPacket }: ParserError): Refusal {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      // RFC 9110 15.5.15: without an end of the first line it is the target that is too long
      return new Refusal(startsWith(rawPacket, targetWithoutEnd) ? 'uri-too-long' : 'header-too-large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Refusal('request-timeout');
    case 'HPE_PAUSED_H2_UPGRADE':
      return new Refusal('http-version-not-supported');
    case 'HPE_INVALID_VERSION':
      if (startsWith(rawPacket, otherVersion)) return new Refusal('http-version-not-supported');
      break;
    case 'HPE_INVALID_METHOD':
      // RFC 9110 9.1: a method that nobody here knows, as opposed to bytes that are no request at all
      if (startsWith(rawPacket, requestLine)) return new Refusal('not-implemented', { phrase: 'No such method here' });
      break;
  }
  return new Refusal('bad-request', { phrase: 'The request is no valid HTTP' });
}

/** A refusal as it is written where there is no response to write it to; the connection ends behind it. */
export function rawAnswer({ code, phrase, row: { status } }: Refusal): string {
  const line = `${code}: ${phrase}\n`;
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(line)}`,
    'Connection: close',
    '',
    line,
  ].join('\r\n');
}

const requestLine = /^[!#$%&'*+.^_`|~\w-]+ [^\s]+ HTTP\/1\.[01]\r\n/;
const otherVersion = /^[^\s]+ [^\s]+ HTTP\/(?!1\.[01])\d\.\d\r\n/;
const targetWithoutEnd = /^[!#$%&'*+.^_`|~\w-]+ [^\s]+$/;

/** Octets of a packet that are looked at; a longer target than this is too long in any case. */
const looked = 64 * 1024;

function startsWith(packet: Buffer | undefined, pattern: RegExp): boolean {
  return packet !== undefined && pattern.test(packet.toString('latin1', 0, looked));
}

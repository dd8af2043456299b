// SIP messages in memory and their way to bytes. All text is held as one character per octet (latin1), so what was
// received goes out again octet by octet whatever its encoding; lengths of text are lengths in octets.
import type { Address } from './address.ts';
import type { Via } from './via.ts';

/** One header field: `key` in lower case with compact forms expanded, `name` as it goes to the wire. */
export interface Field {
  readonly key: string;
  readonly name: string;
  readonly value: string;
}

interface Common {
  /** In order of appearance, unfolded; each Via, Route and Record-Route value is a field of its own. */
  readonly fields: readonly Field[];
  readonly body: string;
  /** Octets on the wire. */
  readonly size: number;
  readonly via: Via;
  readonly from: Address;
  readonly to: Address;
  readonly callId: string;
  readonly cseq: number;
}

/** A request that passed the parser. */
export interface SipRequest extends Common {
  readonly kind: 'request';
  readonly method: string;
  readonly uri: string;
}

/** A response that passed the parser. */
export interface SipResponse extends Common {
  readonly kind: 'response';
  readonly status: number;
  readonly reason: string;
  readonly cseqMethod: string;
  /** Number of Via values; an endpoint discards a response with more than one (RFC 3261 18.1.2). */
  readonly vias: number;
}

export type SipMessage = SipRequest | SipResponse;

/** The value of the first field with this key (lower case, long form), or undefined. */
export function fieldValue(fields: readonly Field[], key: string): string | undefined {
  for (const field of fields) if (field.key === key) return field.value;
  return undefined;
}

/** The values of all fields with this key, in order. */
export function fieldValues(fields: readonly Field[], key: string): string[] {
  const values: string[] = [];
  for (const field of fields) if (field.key === key) values.push(field.value);
  return values;
}

/** A whole message from its parts, Content-Length counted. */
export function composeMessage(startLine: string, headerLines: string, body: string): string {
  return `${startLine}\r\n${headerLines}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** A received message written again in long form, unfolded, with the top Via replaced. */
export function rewriteMessage(message: SipMessage, topVia: string): string {
  let text =
    message.kind === 'request'
      ? `${message.method} ${message.uri} SIP/2.0\r\n`
      : `SIP/2.0 ${message.status} ${message.reason}\r\n`;
  let first = true;
  for (const field of message.fields) {
    if (first && field.key === 'via') {
      first = false;
      text += `Via: ${topVia}\r\n`;
    } else text += `${field.name}: ${field.value}\r\n`;
  }
  return `${text}\r\n${message.body}`;
}

/** Octets of a composed message. */
export function messageBytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

const PHRASES: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Request Entity Too Large',
  416: 'Unsupported URI Scheme',
  420: 'Bad Extension',
  480: 'Temporarily Unavailable',
  481: 'Call/Transaction Does Not Exist',
  482: 'Loop Detected',
  500: 'Server Internal Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  505: 'Version Not Supported',
  513: 'Message Too Large',
};

/** The phrase of RFC 3261 21 for a status that the engine itself sends. */
export function phraseOf(status: number): string {
  return PHRASES[status] ?? 'Unknown';
}

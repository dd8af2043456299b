// SIP texts that applications write: read leniently (they lack Via, their Content-Length counts characters), and turned
// into the header lines of what goes to the network.
import { parseAddress } from './address.ts';
import { wireName } from './header-names.ts';
import { type Field, fieldValue } from './message.ts';
import { readHead, wrongField } from './parse-message.ts';

/** A SIP text from an application. */
export interface ApplicationMessage {
  readonly startLine: string;
  readonly fields: readonly Field[];
  readonly body: string;
  /** Why it cannot be sent, '' when it can. */
  readonly wrong: string;
}

/** Fields that are the engine's own in every message (the Content-Length of drachtio-srf counts characters). */
const ENGINE_FIELDS = ['via', 'route', 'record-route', 'rseq', 'content-length'];
/** Fields of a response or an in-dialog request that the transaction or the dialog decides. */
export const IDENTITY_FIELDS: ReadonlySet<string> = new Set([...ENGINE_FIELDS, 'from', 'to', 'call-id', 'cseq']);
const LOCALHOST_FIELDS: ReadonlySet<string> = new Set(['from', 'to', 'contact', 'p-asserted-identity']);

/** Reads the SIP text of a control frame. */
export function readApplicationMessage(text: Buffer): ApplicationMessage {
  const end = text.indexOf('\r\n\r\n', 0, 'latin1');
  const head = readHead(text, 0, end < 0 ? withoutLineEnd(text) : end, '');
  const body = end < 0 ? '' : text.toString('latin1', end + 4);
  let wrong = head.wrong.includes('Content-Length') ? '' : head.wrong;
  if (head.status === 0) wrong = 'line ends are not CR LF';
  // It would be refused by the peer, or misread; and its failure could not be reported in a response that repeats it.
  for (const { key, value } of head.fields) wrong ||= wrongField(key, value);
  if (!wrong && body !== '' && fieldValue(head.fields, 'content-type') === undefined) wrong = 'missing content-type';
  return { startLine: head.startLine, fields: head.fields, body, wrong };
}

function withoutLineEnd(text: Buffer): number {
  return text.at(-1) === 10 && text.at(-2) === 13 ? text.length - 2 : text.length;
}

/**
 * Header lines of the fields that the application may decide.
 * @param skip keys of fields that are left out
 * @param hostPort what `@localhost` in From, To, Contact and P-Asserted-Identity stands for
 */
export function headerLines(fields: readonly Field[], skip: ReadonlySet<string>, hostPort: string): string {
  let lines = '';
  for (const { key, name, value } of fields) {
    if (skip.has(key)) continue;
    lines += `${wireName(name)}: ${LOCALHOST_FIELDS.has(key) ? withHost(value, hostPort) : value}\r\n`;
  }
  return lines;
}

/** The value with the host `localhost` replaced by a real one. */
export function withHost(value: string, hostPort: string): string {
  return value.indexOf('@localhost') < 0 ? value : value.replace(/@localhost(?![\w.:-])/g, () => `@${hostPort}`);
}

/** The tag in the application's To header, or ''. */
export function chosenTag(fields: readonly Field[]): string {
  const to = fieldValue(fields, 'to');
  return to === undefined ? '' : (parseAddress(to)?.tag ?? '');
}

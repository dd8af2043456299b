// Responses to requests from the network (RFC 3261 8.2.6): what is copied from the request and what is added.
import type { ApplicationMessage } from './application-message.ts';
import { headerLines, IDENTITY_FIELDS } from './application-message.ts';
import { composeMessage, type Field, fieldValue, type SipRequest } from './message.ts';
import { stampVia, type Via } from './via.ts';

/** Header lines that every response repeats from its request. @param toTag tag to add to To, '' when it has one */
function repeatedLines(fields: readonly Field[], topVia: string, toTag: string, recordRoute: boolean): string {
  let vias = `Via: ${topVia}\r\n`;
  let rest = '';
  let firstVia = true;
  const seen = new Set<string>();
  for (const { key, name, value } of fields) {
    if (key === 'via') {
      if (!firstVia) vias += `Via: ${value}\r\n`;
      firstVia = false;
    } else if (key === 'record-route') {
      if (recordRoute) rest += `${name}: ${value}\r\n`;
    } else if (key === 'from' || key === 'to' || key === 'call-id' || key === 'cseq') {
      if (seen.has(key)) continue;
      seen.add(key);
      rest += key === 'to' && toTag !== '' ? `${name}: ${value};tag=${toTag}\r\n` : `${name}: ${value}\r\n`;
    }
  }
  return vias + rest;
}

/** What an error answer of the engine repeats: enough of a request that may be broken. */
export interface Answerable {
  readonly fields: readonly Field[];
  readonly via: Via;
}

/**
 * A response that the engine itself decides.
 * @param source where the request came from, for the top Via; undefined leaves it as it is
 * @param toTag tag to add to To, '' when it has one
 * @param extra further header lines, each with its line end
 */
export function engineResponse(
  request: Answerable,
  source: { readonly address: string; readonly port: number } | undefined,
  status: number,
  phrase: string,
  toTag: string,
  extra: string,
): string {
  const topVia = source
    ? stampVia(request.via, source.address, source.port)
    : (fieldValue(request.fields, 'via') ?? request.via.head);
  return composeMessage(`SIP/2.0 ${status} ${phrase}`, repeatedLines(request.fields, topVia, toTag, false) + extra, '');
}

/** The response an application asked for, completed. @param contact Contact line to add when the application gave none */
export function applicationResponse(
  request: SipRequest,
  source: { readonly address: string; readonly port: number },
  message: ApplicationMessage,
  toTag: string,
  contact: string,
  hostPort: string,
): string {
  const topVia = stampVia(request.via, source.address, source.port);
  const own = message.fields.some(({ key }) => key === 'contact') ? '' : contact;
  const lines = repeatedLines(request.fields, topVia, toTag, contact !== '') + own;
  return composeMessage(
    message.startLine,
    lines + headerLines(message.fields, IDENTITY_FIELDS, hostPort),
    message.body,
  );
}

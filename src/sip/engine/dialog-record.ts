// What must be kept of a subscription dialog so that it survives a restart of the engine, and how an application gets it
// from the texts it sees anyway.
import { parseAddress } from './address.ts';
import { type Field, fieldValue, fieldValues, type SipRequest, type SipResponse } from './message.ts';
import { parseDatagram } from './parse-message.ts';
import type { TransportName } from './transport.ts';

/** A subscription dialog in which the restored side is the notifier (the SUBSCRIBE came in). Plain data. */
export interface DialogRecord {
  readonly callId: string;
  /** Our tag: the To tag of the 2xx. */
  readonly localTag: string;
  /** The subscriber's tag: the From tag of its SUBSCRIBE. */
  readonly remoteTag: string;
  /** To of the SUBSCRIBE without its tag: display name and URI. */
  readonly localUri: string;
  /** From of the SUBSCRIBE without its tag. */
  readonly remoteUri: string;
  /** URI of the subscriber's Contact. */
  readonly remoteTarget: string;
  /** Record-Route values in the order received. */
  readonly routeSet: readonly string[];
  /** Highest CSeq the subscriber used. */
  readonly remoteCSeq: number;
  /** Highest CSeq we used towards it, when known; numbering goes on above it and above the clock. */
  readonly localCSeq?: number;
  /** Transport and source address of the SUBSCRIBE. */
  readonly source: DialogSource;
  /** Time of expiry of the subscription in milliseconds since 1970, when known. */
  readonly expiresAt?: number;
}

/** Where a SUBSCRIBE came from, as the control protocol reports it (protocol, address, port). */
export interface DialogSource {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
}

/**
 * The record of the dialog that a SUBSCRIBE and its 2xx made.
 * @param subscribeText the SUBSCRIBE as it was delivered (drachtio-srf: `req.msg.raw`)
 * @param responseText the response as the engine says it sent it (the echo: `raw` of the message given to the `res.send` callback)
 * @param source the protocol, address and port delivered with the SUBSCRIBE
 * @param now time in milliseconds since 1970, to turn Expires into a time
 * @throws Error when the texts are not a SUBSCRIBE with Contact and a 2xx to it
 */
export function dialogRecordFrom(
  subscribeText: string,
  responseText: string,
  source: DialogSource,
  now: number = Date.now(),
): DialogRecord {
  const request = parseDatagram(Buffer.from(subscribeText, 'utf8'));
  const response = parseDatagram(Buffer.from(responseText, 'utf8'));
  if (request.kind !== 'request' || request.method !== 'SUBSCRIBE') throw new Error('not a SUBSCRIBE');
  if (response.kind !== 'response' || response.status < 200 || response.status > 299 || response.to.tag === '') {
    throw new Error('not a 2xx with a To tag');
  }
  const target = contactUri(request);
  if (target === undefined || response.callId !== request.callId) throw new Error('the texts make no dialog');
  const expires = fieldValue(response.fields, 'expires') ?? fieldValue(request.fields, 'expires');
  return utf8Record({
    callId: request.callId,
    localTag: response.to.tag,
    remoteTag: request.from.tag,
    localUri: request.to.text,
    remoteUri: request.from.text,
    remoteTarget: target,
    routeSet: recordRoutes(request.fields),
    remoteCSeq: request.cseq,
    source,
    ...(expires === undefined ? {} : { expiresAt: now + Number(expires) * 1000 }),
  });
}

/** The URI of the only Contact, or undefined. */
export function contactUri(message: SipRequest | SipResponse): string | undefined {
  const contact = fieldValue(message.fields, 'contact');
  return contact === undefined ? undefined : parseAddress(contact)?.uri;
}

/** The Record-Route values in the order received. */
export function recordRoutes(fields: readonly Field[]): string[] {
  return fieldValues(fields, 'record-route');
}

/** Records speak ordinary strings; the engine holds one character per octet. */
function utf8Record(record: DialogRecord): DialogRecord {
  return mapTexts(record, (text) => Buffer.from(text, 'latin1').toString('utf8'));
}

/** The record with its texts as the engine holds them. */
export function octetRecord(record: DialogRecord): DialogRecord {
  return mapTexts(record, (text) => Buffer.from(text, 'utf8').toString('latin1'));
}

function mapTexts(record: DialogRecord, change: (text: string) => string): DialogRecord {
  return {
    ...record,
    callId: change(record.callId),
    localTag: change(record.localTag),
    remoteTag: change(record.remoteTag),
    localUri: change(record.localUri),
    remoteUri: change(record.remoteUri),
    remoteTarget: change(record.remoteTarget),
    routeSet: record.routeSet.map(change),
  };
}

// A SUBSCRIBE read and checked as far as its own text goes (RFC 3261 clause 8.2, RFC 6665 clause 4.2.1, RFC 5875 clause 4);
// who sent it and what may be told is decided elsewhere.
import { canonicalUri, uriDomain } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import { type DiffProcessing, readDiffProcessing } from './document-patches.ts';
import { parseAddress, parseSipUri } from './engine/address.ts';
import type { DialogRecord } from './engine/dialog-record.ts';
import { isToken, splitValues } from './engine/grammar.ts';
import type { TransportName } from './engine/transport.ts';
import { accepts, deltaSeconds, type HeaderFields, hdr, parseParameterised, tokenList } from './headers.ts';
import { type Rates, readRates } from './rate-control.ts';
import { eventPackage, notifyBodyType } from './refusal-answer.ts';
import type { IncomingRequest } from './sip-port.ts';
import { readSubscriptionBody, type SubscriptionBody } from './subscription-body.ts';

/** RFC 5875 clause 4.5. */
const defaultExpires = 3600;

/** What identifies the dialog of a request. */
export interface DialogFacts {
  /** Dialog id of the engine. */
  readonly id: string;
  readonly callId: string;
  readonly fromTag: string;
  /** '' outside a dialog. */
  readonly toTag: string;
  readonly cseq: number;
}

/** A SUBSCRIBE in terms of the event package. */
export interface SubscribeFacts {
  /** `id` parameter of the Event field; '' = none. */
  readonly eventId: string;
  /** Seconds asked for. */
  readonly expires: number;
  /** URI of the Contact; undefined when there is none. */
  readonly contact: string | undefined;
  readonly body: SubscriptionBody;
  /** Entity tag, or `*`, under which nothing needs to be told (RFC 5839 clause 7.2). */
  readonly suppressIfMatch: string | undefined;
  readonly rates: Rates | undefined;
  readonly diffProcessing: DiffProcessing;
}

/** Reads Call-ID, tags and CSeq. Throws Refusal `bad-request` when one is missing or broken. */
export function readDialogFacts(headers: HeaderFields): DialogFacts {
  const callId = hdr(headers, 'call-id');
  const from = parseAddress(hdr(headers, 'from') ?? '');
  const to = parseAddress(hdr(headers, 'to') ?? '');
  const cseq = /^(\d{1,10})\s/.exec(hdr(headers, 'cseq') ?? '')?.[1];
  if (!callId || from === undefined || from.tag === '' || to === undefined || cseq === undefined) {
    throw new Refusal('bad-request', { phrase: 'Call-ID, From, To or CSeq is missing or broken' });
  }
  return { id: `${callId};from-tag=${from.tag}`, callId, fromTag: from.tag, toTag: to.tag, cseq: Number(cseq) };
}

/** Where requests to this server may be addressed. */
export interface OwnAddresses {
  /** Canonical public service identity. */
  readonly gms: string;
  /** Lower-case hosts we listen on. */
  readonly hosts: ReadonlySet<string>;
}

/** RFC 3261 clause 8.2.2.1: throws Refusal `not-found` when the Request-URI is neither our PSI nor our host. */
export function checkRequestUri(uri: string, own: OwnAddresses): void {
  const target = parseSipUri(uri);
  const identity = canonicalUri(uri.replace(/[;?].*$/, ''));
  if (target !== undefined && identity !== undefined) {
    if (withoutPort(identity) === withoutPort(own.gms)) return;
    const user = parseSipUri(own.gms)?.user ?? '';
    if (own.hosts.has(target.host) && (target.user === '' || target.user === user)) return;
  }
  throw new Refusal('not-found', { phrase: 'The Request-URI is not served here' });
}

function withoutPort(canonical: string): string {
  const domain = uriDomain(canonical) ?? '';
  const at = canonical.indexOf('@');
  return `${at < 0 ? '' : canonical.slice(0, at).replace(/^sips:/, 'sip:')}@${domain}`;
}

/**
 * Reads a SUBSCRIBE.
 * @param mostEntries entries accepted in the resource list
 * Throws Refusal `bad-extension`, `bad-event`, `not-acceptable`, `bad-request` and those of the body.
 */
export function readSubscribe(request: IncomingRequest, mostEntries: number): SubscribeFacts {
  const { headers } = request;
  const required = tokenList(hdr(headers, 'require')).filter((tag) => tag !== 'gruu');
  if (required.length > 0) throw new Refusal('bad-extension', { unsupported: required });
  // RFC 6665 8.2.1: the package name is compared octet by octet
  const event = parseParameterised(hdr(headers, 'event') ?? '');
  if (event?.value !== eventPackage) throw new Refusal('bad-event');
  // RFC 6665 8.4: NOTIFYs repeat it
  const id = event.parameters.get('id');
  if (id !== undefined && !isToken(id)) throw new Refusal('bad-request', { phrase: 'The id of Event is no token' });
  if (!accepts(hdr(headers, 'accept'), notifyBodyType)) throw new Refusal('not-acceptable');
  const expires = hdr(headers, 'expires');
  const seconds = expires === undefined ? defaultExpires : deltaSeconds(expires);
  if (seconds === undefined) throw new Refusal('bad-request', { phrase: 'Expires is no number of seconds' });
  const body = readSubscriptionBody(
    {
      contentType: hdr(headers, 'content-type'),
      contentEncoding: hdr(headers, 'content-encoding'),
      text: request.body,
    },
    mostEntries,
  );
  return {
    eventId: id ?? '',
    expires: seconds,
    contact: contactOf(request),
    body,
    suppressIfMatch: hdr(headers, 'suppress-if-match'),
    rates: readRates(event.parameters),
    diffProcessing: readDiffProcessing(event.parameters.get('diff-processing')),
  };
}

function contactOf({ headers, source, uri: target }: IncomingRequest): string | undefined {
  const contact = hdr(headers, 'contact');
  if (contact === undefined) return undefined;
  const uri = parseAddress(contact)?.uri;
  const scheme = uri === undefined ? undefined : parseSipUri(uri)?.scheme;
  // RFC 6665 3.1.1: exactly one, and one that NOTIFYs can be sent to
  if (uri === undefined || scheme === undefined) {
    throw new Refusal('bad-request', { phrase: 'Contact is not one SIP URI' });
  }
  // RFC 3261 12.1.1, RFC 5630 5.1.1.1: what we would send there needs TLS on the whole way, and this request did not have it
  if (scheme === 'sips' && !isSecure(source.transport)) {
    throw new Refusal('unsupported-uri-scheme', { phrase: 'A sips: Contact without TLS' });
  }
  // RFC 3261 8.1.1.8
  if (scheme !== 'sips' && isSips(target)) {
    throw new Refusal('bad-request', { phrase: 'A sips: Request-URI needs a sips: Contact' });
  }
  return uri;
}

function isSecure(transport: string): boolean {
  return transport === 'tls' || transport === 'wss';
}

function isSips(uri: string): boolean {
  return /^sips:/i.test(uri);
}

/** RFC 3261 clause 12.1.1: whether the Contact of our answer must be a SIPS URI. `contact` is the subscriber's. */
export function needsSips({ headers, uri }: IncomingRequest, contact: string | undefined): boolean {
  const [top] = splitValues(hdr(headers, 'record-route') ?? '');
  const next = top === undefined || top === '' ? contact : parseAddress(top)?.uri;
  return isSips(uri) || isSips(next ?? '');
}

/**
 * The duration granted, seconds; 0 = fetch or end.
 * Throws Refusal `interval-too-brief` for what is below the minimum, but never for an hour or more (RFC 6665 clause 4.2.1.1).
 */
export function grantedExpires(asked: number, minimum: number, maximum: number): number {
  if (asked > 0 && asked < 3600 && asked < minimum) {
    throw new Refusal('interval-too-brief', { minimumExpires: minimum });
  }
  return Math.min(asked, maximum);
}

/** The dialog that our 200 with `toTag` makes, for the engine to take up after a restart. `contact` is the subscriber's. */
export function dialogOf(request: IncomingRequest, facts: DialogFacts, contact: string, toTag: string): DialogRecord {
  const { headers, source } = request;
  return {
    callId: facts.callId,
    localTag: toTag,
    remoteTag: facts.fromTag,
    localUri: parseAddress(hdr(headers, 'to') ?? '')?.text ?? '',
    remoteUri: parseAddress(hdr(headers, 'from') ?? '')?.text ?? '',
    remoteTarget: contact,
    routeSet: splitValues(hdr(headers, 'record-route') ?? '').filter((route) => route !== ''),
    remoteCSeq: facts.cseq,
    source: { transport: source.transport as TransportName, address: source.address, port: source.port },
  };
}

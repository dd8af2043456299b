// Who may subscribe to what: a SUBSCRIBE comes in, a 200 or a refusal goes out, and what was accepted is durable before
// (RFC 6665 clause 4.2.1, RFC 5875 clauses 4.4 and 7, TS 24.481 clause 6.3.13.3).
import { randomBytes } from 'node:crypto';
import type { Documents } from '../documents/documents.ts';
import type { Authenticator } from '../identity/authenticate.ts';
import { type Principal, principalName } from '../identity/principal.ts';
import type { ServedUsers } from '../identity/served.ts';
import { uriDomain } from '../identity/uri.ts';
import type { PartnerAdmission } from '../interconnect/ports.ts';
import { Refusal } from '../refusals.ts';
import type { DialogRecord } from './engine/dialog-record.ts';
import { hdr } from './headers.ts';
import type { MissingGroups } from './missing-groups.ts';
import type { Notifier } from './notifier.ts';
import type { FaceView } from './notify-sender.ts';
import { allowedMethods, eventPackage, refusalAnswer } from './refusal-answer.ts';
import { parseEntry, type ResourceEntry } from './resource-entry.ts';
import type { IncomingRequest } from './sip-port.ts';
import {
  checkRequestUri,
  type DialogFacts,
  dialogOf,
  grantedExpires,
  needsSips,
  type OwnAddresses,
  readDialogFacts,
  readSubscribe,
  type SubscribeFacts,
} from './subscribe-request.ts';
import { acceptedBodyTypes } from './subscription-body.ts';
import type { SubscriptionRows } from './subscription-rows.ts';
import type { WatchedSubscription } from './watched-subscription.ts';

/** Bounds and durations. */
export interface AdmissionSettings {
  /** Seconds. */
  readonly minimumExpires: number;
  /** Seconds. */
  readonly maximumExpires: number;
  /** Entries of one resource list. */
  readonly mostEntries: number;
  readonly mostSubscriptions: number;
  /** Subscriptions of one client at one time. */
  readonly mostPerClient: number;
}

export interface AdmissionOptions {
  readonly settings: AdmissionSettings;
  readonly own: OwnAddresses;
  readonly notifier: Notifier;
  readonly rows: SubscriptionRows;
  readonly documents: Pick<Documents, 'findGroup'>;
  readonly served: ServedUsers;
  readonly missing: MissingGroups | undefined;
  /** What partners may cost; absent = anything. */
  readonly admission?: Pick<PartnerAdmission, 'admitSubscribe'> | undefined;
  /** Content codings accepted, for Accept-Encoding. */
  readonly codings: string;
  readonly authenticate: Authenticator['sip'];
  readonly viewOf: (principal: Principal) => FaceView | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: {
    info(fields: object, text: string): void;
    error(fields: object, text: string): void;
  };
}

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #warnAgent: string;
  /** The last of the refreshes under way, by dialog id. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#warnAgent = uriDomain(options.own.gms) ?? 'localhost';
  }

  /** Answers a request. Never rejects. */
  async handle(request: IncomingRequest): Promise<void> {
    try {
      if (request.method === 'SUBSCRIBE') await this.#subscribe(request);
      else if (request.method === 'OPTIONS') await this.#answerOptions(request);
      else throw new Refusal('method-not-allowed');
    } catch (error) {
      await this.#refuse(request, error);
    }
  }

  async #refuse(request: IncomingRequest, error: unknown): Promise<void> {
    const { log } = this.#options;
    const from = { method: request.method, peer: request.source.address };
    if (!(error instanceof Refusal)) log.error({ ...from, error: String(error) }, 'SIP request failed');
    const refusal = error instanceof Refusal ? error : new Refusal('unavailable', { retryAfter: 30 });
    if (error instanceof Refusal) {
      log.info(
        { ...from, refusal: refusal.code, cause: refusal.detail.cause ?? refusal.phrase },
        'SIP request refused',
      );
    }
    const { status, headers } = refusalAnswer(refusal, this.#warnAgent, this.#options.codings);
    try {
      await request.respond(status, headers);
    } catch (failure) {
      log.error({ ...from, error: String(failure) }, 'SIP answer could not be sent');
    }
  }

  async #answerOptions(request: IncomingRequest): Promise<void> {
    checkRequestUri(request.uri, this.#options.own);
    await request.respond(200, {
      Allow: allowedMethods,
      Accept: acceptedBodyTypes.join(', '),
      'Accept-Encoding': this.#options.codings,
      'Allow-Events': eventPackage,
      Supported: 'gruu',
    });
  }

  async #subscribe(request: IncomingRequest): Promise<void> {
    const dialog = readDialogFacts(request.headers);
    // The answer to a NOTIFY may have come in the same octets; it counts once the promises that wait for it have settled
    if (dialog.toTag !== '') await new Promise((resolve) => setImmediate(resolve));
    const existing = this.#options.notifier.find(dialog.id);
    if (dialog.toTag !== '') {
      if (existing === undefined || existing.facts.toTag !== dialog.toTag || existing.state.ending !== undefined) {
        throw new Refusal('subscription-does-not-exist');
      }
      await this.#inTurn(dialog.id, () => this.#refresh(request, dialog, existing));
      return;
    }
    checkRequestUri(request.uri, this.#options.own);
    const asked = readSubscribe(request, this.#options.settings.mostEntries);
    if (existing !== undefined) throw new Refusal('merged-request');
    await this.#accept(request, dialog, asked);
  }

  /** RFC 3261 12.2.2: one dialog's requests count in their order, however long the token of one takes to be verified. */
  async #inTurn(id: string, work: () => Promise<void>): Promise<void> {
    const before = this.#turns.get(id);
    const turn = before === undefined ? work() : before.then(work, work);
    this.#turns.set(id, turn);
    try {
      await turn;
    } finally {
      if (this.#turns.get(id) === turn) this.#turns.delete(id);
    }
  }

  async #accept(request: IncomingRequest, dialog: DialogFacts, asked: SubscribeFacts): Promise<void> {
    const { notifier, rows, settings, now } = this.#options;
    const principal = await this.#authenticate(request, asked);
    // The same request may have come again while a token was verified
    if (notifier.find(dialog.id) !== undefined) throw new Refusal('merged-request');
    if (principal.role === 'partner') {
      this.#options.admission?.admitSubscribe(principal, notifier.subscriptionsOf(principal));
    }
    const entries = this.#entries(principal, asked.body.entries ?? []);
    if (asked.contact === undefined) throw new Refusal('bad-request', { phrase: 'Contact is missing' });
    const granted = this.#grant(asked.expires);
    if (notifier.size >= settings.mostSubscriptions) throw new Refusal('unavailable', { retryAfter: 60 });
    // RFC 5875 7: masses of subscriptions that wait cost the server
    if (principal.role === 'client' && notifier.subscriptionsOf(principal) >= settings.mostPerClient) {
      throw new Refusal('forbidden', { phrase: `No more than ${settings.mostPerClient} subscriptions for one user` });
    }

    const toTag = randomBytes(8).toString('hex');
    const contact = this.#contact(request, needsSips(request, asked.contact));
    const expires = now() + granted * 1000;
    // Stored before the 200 leaves: what a subscriber was promised survives a crash. A fetch is over at once.
    const kept = granted > 0 ? JSON.stringify(dialogOf(request, dialog, asked.contact, toTag)) : '';
    const subscription = notifier.create(
      {
        id: detached(dialog.id),
        toTag,
        principal: detachedPrincipal(principal),
        eventId: detached(asked.eventId),
        contact,
        peer: detached(request.source.address),
        asserted: assertedBesideToken(request, asked),
      },
      entries,
      kept,
      expires,
    );
    notifier.pace(subscription, asked.rates, granted);
    subscription.diffProcessing = asked.diffProcessing;
    subscription.suppress = asked.suppressIfMatch;
    subscription.state.quenched = asked.suppressIfMatch === '*';
    try {
      if (granted > 0) await rows.put(subscription, true);
      await request.respond(200, { ...acceptance(granted, contact), To: `${hdr(request.headers, 'to')};tag=${toTag}` });
    } catch (error) {
      notifier.abandon(subscription);
      throw error;
    }
    notifier.subscribed(subscription, granted > 0 ? expires : undefined);
    void this.#askForMissing(principal, entries);
  }

  async #refresh(request: IncomingRequest, dialog: DialogFacts, subscription: WatchedSubscription): Promise<void> {
    const { notifier, rows, settings, now } = this.#options;
    const asked = readSubscribe(request, settings.mostEntries);
    const { facts } = subscription;
    // RFC 6665 4.5.2: a second subscription in one dialog is not supported
    if (asked.eventId !== facts.eventId) throw new Refusal('forbidden', { phrase: 'One subscription for each dialog' });
    await this.#authenticateAgain(request, asked, subscription);
    if (facts.principal.role === 'partner') {
      this.#options.admission?.admitSubscribe(facts.principal, notifier.subscriptionsOf(facts.principal) - 1);
    }
    // It may have ended, or gone on, while a token was verified
    if (notifier.find(dialog.id) !== subscription || subscription.state.ending !== undefined) {
      throw new Refusal('subscription-does-not-exist');
    }
    // RFC 5875 4.4: a new list replaces the old one; without a body the old one stays
    const { entries: written } = asked.body;
    const entries = written === undefined ? undefined : this.#entries(facts.principal, written);
    const granted = this.#grant(asked.expires);
    const expires = now() + granted * 1000;
    notifier.pace(subscription, asked.rates, granted);
    subscription.diffProcessing = asked.diffProcessing;
    const { suppressIfMatch } = asked;
    const known = suppressIfMatch !== undefined && notifier.isKnown(subscription, suppressIfMatch, entries);
    subscription.state.quenched = suppressIfMatch === '*';
    if (entries !== undefined) notifier.replaceEntries(subscription, entries);
    if (granted > 0 && subscription.dialog !== '') {
      subscription.dialog = refreshed(subscription.dialog, request, dialog, asked.contact);
      subscription.state.expires = expires;
      await rows.put(subscription, known ? undefined : true);
      // RFC 6665 4.2.2: the answer to a NOTIFY may have ended it while that was written
      if (notifier.find(dialog.id) !== subscription) throw new Refusal('subscription-does-not-exist');
    }
    await request.respond(known ? 204 : 200, acceptance(granted, facts.contact));
    if (known) notifier.refreshed(subscription, granted > 0 ? expires : undefined);
    else notifier.subscribed(subscription, granted > 0 ? expires : undefined);
    void this.#askForMissing(facts.principal, subscription.entries);
  }

  #authenticate(request: IncomingRequest, asked: SubscribeFacts): Promise<Principal> {
    const asserted = hdr(request.headers, 'p-asserted-identity');
    const { accessToken } = asked.body;
    return this.#options.authenticate({
      assertedIdentities: asserted === undefined ? [] : [asserted],
      peerAddress: request.source.address,
      ...(accessToken === undefined ? {} : { accessToken }),
    });
  }

  /** A refresh may come without credentials (clients send the token once), but only from where the subscription came. */
  async #authenticateAgain(
    request: IncomingRequest,
    asked: SubscribeFacts,
    { facts }: WatchedSubscription,
  ): Promise<void> {
    const asserted = hdr(request.headers, 'p-asserted-identity');
    // A SIP core adds to every request what it added beside the token
    const bare = asked.body.accessToken === undefined && (asserted === undefined || asserted === facts.asserted);
    if (bare && request.source.address === facts.peer) return;
    const principal = await this.#authenticate(request, asked);
    if (principal.role !== facts.principal.role || principalName(principal) !== principalName(facts.principal)) {
      throw new Refusal('credentials-refused', { cause: 'a refresh by somebody else' });
    }
  }

  /** The entries that can be served to this principal, now or later. Throws when there are none. */
  #entries(principal: Principal, uris: readonly string[]): readonly ResourceEntry[] {
    const view = this.#options.viewOf(principal);
    if (view === undefined)
      throw new Refusal('forbidden', { cause: `no subscriptions for the role ${principal.role}` });
    if (uris.length === 0) throw new Refusal('subscription-body-missing');
    const entries: ResourceEntry[] = [];
    for (const uri of uris) {
      const entry = parseEntry(uri, view.xcapRoot);
      // RFC 5875 4.7: what is not there or not readable is left out without a word
      if (entry !== undefined && view.resources.servable(principal, entry)) entries.push(entry);
    }
    if (entries.length === 0) throw new Refusal('forbidden', { phrase: 'None of the resources can be served' });
    return entries;
  }

  #grant(asked: number): number {
    const { minimumExpires, maximumExpires } = this.#options.settings;
    return grantedExpires(asked, minimumExpires, maximumExpires);
  }

  /** RFC 6665 4.5.1: the Contact is a GRUU; self-made, it is our listener's address with `gr` (RFC 5627 clause 4.3). */
  #contact(request: IncomingRequest, secure: boolean): string {
    const { gms } = this.#options.own;
    const user = gms.slice(gms.indexOf(':') + 1, gms.indexOf('@') + 1);
    const { transport } = request.source;
    const parameter = transport === 'udp' ? '' : `;transport=${uriTransports[transport] ?? transport}`;
    return detached(`<${secure ? 'sips' : 'sip'}:${user}${listenerOf(request.receivedOn)}${parameter};gr>`);
  }

  async #askForMissing(principal: Principal, entries: readonly ResourceEntry[]): Promise<void> {
    const { missing, documents, served, log } = this.#options;
    if (missing === undefined || (principal.role !== 'server' && principal.role !== 'administrator')) return;
    try {
      for (const entry of entries) {
        if (entry.kind === 'collection' || entry.resource.kind !== 'group') continue;
        const { groupId } = entry.resource;
        if (!served.isHomed(groupId) && (await documents.findGroup(groupId)) === undefined) {
          missing.ask(principal, groupId);
        }
      }
    } catch (error) {
      log.error({ error: String(error) }, 'looking for subscribed groups failed');
    }
  }
}

// RFC 5630 3.1.4: `transport=tls` must not be used; RFC 7118 5.2: `ws` stands for both
const uriTransports: Readonly<Record<string, string>> = { tls: 'tcp', wss: 'ws' };

function acceptance(granted: number, contact: string): Record<string, string> {
  return { Expires: String(granted), Contact: contact, 'Allow-Events': eventPackage, Supported: 'gruu' };
}

/** `host:port` of the listener; an engine puts its own in place of `localhost`. */
function listenerOf(receivedOn: string | undefined): string {
  const colon = receivedOn?.lastIndexOf(':') ?? -1;
  const host = receivedOn?.slice(0, colon) ?? '';
  if (colon < 0 || host === '' || host === '0.0.0.0' || host === '::') return 'localhost';
  return `${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${receivedOn?.slice(colon + 1)}`;
}

/** The kept dialog after a target refresh, RFC 3261 clause 12.2.2. */
function refreshed(kept: string, request: IncomingRequest, { cseq }: DialogFacts, contact: string | undefined): string {
  const dialog = JSON.parse(kept) as DialogRecord;
  const { transport, address, port } = request.source;
  return JSON.stringify({
    ...dialog,
    remoteTarget: contact ?? dialog.remoteTarget,
    remoteCSeq: cseq,
    source: { transport, address, port },
  });
}

function assertedBesideToken(request: IncomingRequest, { body }: SubscribeFacts): string | undefined {
  const asserted = hdr(request.headers, 'p-asserted-identity');
  return asserted === undefined || body.accessToken === undefined ? undefined : detached(asserted);
}

/** A copy that does not keep the whole message in memory of which it was a slice. */
function detached(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

function detachedPrincipal(principal: Principal): Principal {
  return JSON.parse(JSON.stringify(principal)) as Principal;
}

// Requests from the network: the checks of a user agent server (RFC 3261 8.2), delivery to an application, and the
// application's answer on its way back.
import { createHmac, randomBytes, randomInt, randomUUID } from 'node:crypto';
import { parseAddress } from './address.ts';
import { type ApplicationMessage, chosenTag } from './application-message.ts';
import { decoded } from './content-coding.ts';
import { timeText } from './control-frames.ts';
import type { Application, SipOrder } from './control-server.ts';
import { type Core, contactOf, type Delivery, type EngineDialog, extendDialog } from './core.ts';
import { refreshTarget } from './dialogs.ts';
import { digits } from './grammar.ts';
import { fieldValue, fieldValues, phraseOf, rewriteMessage, type SipRequest } from './message.ts';
import type { Unparsed } from './parse-message.ts';
import { RecentKeys } from './recent-keys.ts';
import { applicationResponse, engineResponse } from './responses.ts';
import { randomText, type ServerTransaction, serverKey } from './transactions.ts';
import type { Flow } from './transport.ts';
import { stampVia } from './via.ts';

/** Methods that this engine can hand to an application. */
const SERVED = ['SUBSCRIBE', 'NOTIFY', 'OPTIONS', 'MESSAGE', 'PUBLISH', 'REGISTER', 'INFO', 'REFER'];
/** Methods that are known and never served here. */
const KNOWN = new Set([...SERVED, 'INVITE', 'BYE', 'UPDATE', 'PRACK', 'ACK', 'CANCEL']);
/** Seconds after which an overloaded client may try again. */
const RETRY_AFTER = 'Retry-After: 5\r\n';

/** How long at least a refusal for overload is remembered, in milliseconds, and how many of them: Timer F of a client, nearly. */
const SHED_MEMORY = 16_000;
const SHED_LIMIT = 100_000;

type Transaction = ServerTransaction<Delivery>;

export class IncomingRequests {
  readonly #core: Core;
  readonly #tagKey = randomBytes(16);
  /** Requests refused for overload: one that comes again must not be served, because its client may have gone with the 503. */
  readonly #shed: RecentKeys;
  /** Told of a NOTIFY that belongs to no dialog: it may have overtaken the 2xx of a SUBSCRIBE. */
  readonly #onLooseNotify: (request: SipRequest, flow: Flow) => void;

  constructor(core: Core, onLooseNotify: (request: SipRequest, flow: Flow) => void) {
    this.#core = core;
    this.#shed = new RecentKeys(SHED_MEMORY, SHED_LIMIT, () => core.timers.now());
    this.#onLooseNotify = onLooseNotify;
  }

  /** Answers what cannot be processed, if it may be answered. */
  refuseUnparsed(message: Unparsed, flow: Flow): void {
    const { via, fields, status, cause } = message;
    if (status === 0 || !via || !this.#core.guard.mayRefuse(flow.address)) return;
    const to = fieldValue(fields, 'to');
    const address = to === undefined ? undefined : parseAddress(to);
    const tag =
      address && address.tag === '' ? this.#statelessTag(fieldValue(fields, 'call-id') ?? '', via.branch) : '';
    const phrase = status === 400 ? `Bad Request (${cause})` : phraseOf(status);
    replyFlow(flow, via.rport, via.port).send(engineResponse({ fields, via }, flow, status, phrase, tag, ''));
  }

  /** A request beyond what its source may send. */
  refuseExcess(request: SipRequest, flow: Flow): void {
    if (request.method !== 'ACK') this.#refuse(request, flow, 503, spreadRetryAfter());
  }

  /** A request that passed the parser. */
  receive(request: SipRequest, flow: Flow): void {
    const core = this.#core;
    const { method } = request;
    // INVITE is always refused, so an ACK has nothing left to do (RFC 3261 17.2.1).
    if (method === 'ACK') return;
    if (method === 'CANCEL') {
      // RFC 3261 9.2: answered by what it finds; a non-INVITE request is not affected.
      const found = SERVED.some((other) => core.servers.find(serverKey(request, other)));
      this.#refuse(request, flow, found ? 200 : 481);
      return;
    }
    const key = serverKey(request, method);
    const known = core.servers.find(key);
    if (known) {
      if (known.response !== '') known.flow.send(known.response);
      return;
    }
    const dialog = core.dialogs.find(request);
    if (!this.#passes(request, flow, dialog)) return;
    // RFC 7339 5.10.1: what belongs to a dialog is served before what is new.
    if (!dialog && (this.#shed.has(key) || !core.overload.admits(core.timers.now()))) {
      this.#shed.add(key);
      this.#refuse(request, flow, 503, spreadRetryAfter());
      return;
    }
    const plain = decoded(request);
    if (typeof plain === 'number') this.#refuse(request, flow, plain);
    else this.#deliver(key, plain, flow, dialog);
  }

  /** The checks of RFC 3261 8.2.1 to 8.2.2 and 12.2.2, in their order; false when the request has been refused. */
  #passes(request: SipRequest, flow: Flow, dialog: EngineDialog | undefined): boolean {
    const { method, fields } = request;
    const { servers, guard, control, supported } = this.#core;
    const refuse = (status: number, extra = ''): false => {
      this.#refuse(request, flow, status, extra);
      return false;
    };
    if (servers.pending.size >= guard.limits.pending || servers.size >= guard.limits.transactions) {
      return refuse(503, RETRY_AFTER);
    }
    if (!KNOWN.has(method)) return refuse(501, this.#allow());
    const { methods } = control;
    if (!SERVED.includes(method) || (methods.length > 0 && !methods.includes(method))) {
      const lost = request.to.tag !== '' && (method === 'BYE' || method === 'UPDATE' || method === 'PRACK');
      return lost ? refuse(481) : refuse(405, this.#allow());
    }
    const colon = request.uri.indexOf(':');
    const scheme = request.uri.slice(0, colon).toLowerCase();
    const secure = flow.transport === 'tls' || flow.transport === 'wss';
    // RFC 5630 5.1.1.1: a SIPS resource is not reached over anything but TLS.
    if (scheme !== 'sip' && (scheme !== 'sips' || !secure)) return refuse(416);
    if (servers.isMerged(request)) return refuse(482);
    const required = fieldValues(fields, 'require').flatMap((value) => value.split(',').map((tag) => tag.trim()));
    const unsupported = required.filter((tag) => tag !== '' && !supported.has(tag.toLowerCase()));
    if (unsupported.length > 0) return refuse(420, `Unsupported: ${unsupported.join(', ')}\r\n`);
    if (method === 'SUBSCRIBE') {
      const contacts = fieldValues(fields, 'contact');
      // RFC 3261 12.1.1: exactly one Contact; without it there is nowhere to send the NOTIFY.
      if (contacts.length !== 1 || contacts[0] === '*' || contacts[0]?.includes(',')) {
        return dialog && contacts.length === 0 ? true : refuse(400);
      }
      if (!dialog && this.#core.dialogs.full) return refuse(503, RETRY_AFTER);
    }
    if (dialog) {
      // RFC 3261 12.2.2: out of order.
      if (request.cseq <= dialog.remoteCSeq) return refuse(500);
      dialog.remoteCSeq = request.cseq;
    }
    return true;
  }

  #deliver(key: string, request: SipRequest, flow: Flow, dialog: EngineDialog | undefined): void {
    const { control, servers, timers, overload, wallTime } = this.#core;
    const owner = dialog?.owner?.ready ? dialog.owner : undefined;
    const application = owner ?? control.pick(request.method.toLowerCase());
    if (!application) {
      this.#refuse(request, flow, 503, RETRY_AFTER);
      return;
    }
    if (dialog) {
      dialog.owner = application;
      dialog.flow = flow;
      dialog.transport = flow.transport;
    } else if (request.method === 'NOTIFY') this.#onLooseNotify(request, flow);
    const id = randomUUID();
    const back = replyFlow(flow, request.via.rport, request.via.port);
    const given = dialog ? undefined : timers.now();
    if (given !== undefined) overload.given(given);
    servers.create(key, id, request, back, { application, request, source: flow, dialog, given });
    const { local, address, port, transport, peerIdentity } = flow;
    const head = `sip|network|${request.size}|${transport}|${address}|${port}|${timeText(wallTime())}|${id}|`;
    // drachtio-srf ignores a frame with fewer than ten fields; the thirteenth is its session token.
    const tail =
      dialog && peerIdentity === '' ? `${dialog.id}|` : `${dialog?.id ?? ''}|${local.address}|${local.port}|`;
    const text = rewriteMessage(request, stampVia(request.via, address, port));
    application.send(`${head}${tail}${peerIdentity}`, text);
  }

  /** The answer of an application. Replies to the control message first: drachtio-srf loses what overtakes that reply. */
  answer(application: Application, order: SipOrder, message: ApplicationMessage): void {
    const { servers, wallTime } = this.#core;
    const transaction = servers.pending.get(order.transaction);
    const delivery = transaction?.delivery;
    if (!transaction || !delivery) {
      application.reply(order.id, 'NOK|Response not sent due to unknown transaction');
      return;
    }
    const { request, source } = delivery;
    const status = digits(message.startLine.slice(8, 11), 699);
    if (status < 200 || !message.startLine.startsWith('SIP/2.0 ') || message.wrong !== '') {
      // RFC 4320 4.1: no provisional response to a non-INVITE request.
      const reason = message.wrong || (status >= 100 ? 'provisional responses are not sent' : 'invalid status line');
      application.reply(order.id, `NOK|${reason}`);
      return;
    }
    const accepted = status === 200 || status === 202;
    const fresh = accepted && request.method === 'SUBSCRIBE' && !delivery.dialog;
    const hostPort = source.local.sentBy(source.address);
    const localTag = request.to.tag || chosenTag(message.fields) || randomText(8);
    let dialog = delivery.dialog;
    if (fresh) {
      if (this.#core.dialogs.get(`${request.callId};from-tag=${request.from.tag}`)) {
        // Two dialogs with one Call-ID and From tag would have one id; a drachtio-server answers so as well.
        application.reply(order.id, 'NOK|dialog already exists, rejecting this request');
        this.#giveUp(transaction, delivery, 480, '');
        return;
      }
      dialog = this.#core.dialogs.addNotifier(request, localTag, source, application, wallTime());
    }
    const contact =
      accepted && request.method === 'SUBSCRIBE' ? `Contact: ${contactOf(source.local, source.address)}\r\n` : '';
    const tag = request.to.tag === '' ? localTag : '';
    const text = applicationResponse(request, source, message, tag, contact, hostPort);
    // RFC 5839 7.1: 204 extends a subscription as 200 does
    if (dialog && (accepted || status === 204)) this.#afterAcceptance(dialog, request, message);
    const time = timeText(wallTime());
    const place = `${source.address}|${source.port}|${time}|${transaction.id}|${dialog?.id ?? ''}`;
    application.reply(order.id, `OK|application|${text.length}||${place}||Msg sent:|`, text);
    this.#send(transaction, request, text);
    // RFC 6665 4.1.3: the subscription is over with the NOTIFY that says so.
    if (dialog && request.method === 'NOTIFY' && isTerminated(request)) this.#core.dialogs.remove(dialog);
  }

  /** An application has gone: whoever still waits for it is told at once. */
  ownerGone(application: Application): void {
    for (const transaction of [...this.#core.servers.pending.values()]) {
      const { delivery } = transaction;
      if (delivery?.application === application) this.#giveUp(transaction, delivery, 503, RETRY_AFTER);
    }
  }

  #afterAcceptance(dialog: EngineDialog, request: SipRequest, message: ApplicationMessage): void {
    refreshTarget(dialog, request);
    if (request.method !== 'SUBSCRIBE') return;
    extendDialog(this.#core, dialog, fieldValue(message.fields, 'expires') ?? fieldValue(request.fields, 'expires'));
  }

  #giveUp(transaction: Transaction, { request, source }: Delivery, status: number, extra: string): void {
    const tag = request.to.tag === '' ? randomText(8) : '';
    this.#send(transaction, request, engineResponse(request, source, status, phraseOf(status), tag, extra));
  }

  #send(transaction: Transaction, request: SipRequest, text: string): void {
    const { flow } = transaction;
    if (!flow.open && flow.transport !== 'ws' && flow.transport !== 'wss') {
      // RFC 3261 18.2.2: the connection is gone, so the address in Via is tried.
      const port = request.via.port ?? (flow.transport === 'tls' ? 5061 : 5060);
      transaction.flow = this.#core.transports.flowTo(flow.transport, flow.address, port, '') ?? flow;
    }
    this.#core.servers.answer(transaction, text);
  }

  #refuse(request: SipRequest, flow: Flow, status: number, extra = ''): void {
    // RFC 3261 8.2.7: without a transaction the same request must get the same tag each time.
    const tag = request.to.tag === '' ? this.#statelessTag(request.callId, request.via.branch) : '';
    const text = engineResponse(request, flow, status, phraseOf(status), tag, extra);
    replyFlow(flow, request.via.rport, request.via.port).send(text);
  }

  #allow(): string {
    const methods = this.#core.control.methods.filter((method) => SERVED.includes(method));
    return `Allow: ${(methods.length > 0 ? methods : SERVED).join(', ')}\r\n`;
  }

  #statelessTag(callId: string, branch: string): string {
    return createHmac('sha1', this.#tagKey).update(callId).update('\n').update(branch).digest('hex').slice(0, 16);
  }
}

/** Some seconds, not the same for all: who was refused together shall not come back together. */
function spreadRetryAfter(): string {
  return `Retry-After: ${randomInt(3, 11)}\r\n`;
}

/** Where the answer to a request goes (RFC 3261 18.2.2, RFC 3581 4). */
function replyFlow(flow: Flow, rport: boolean, sentByPort: number | undefined): Flow {
  return rport ? flow : flow.at(sentByPort ?? 5060);
}

/** True when a NOTIFY says that the subscription is over. */
export function isTerminated(request: { readonly fields: SipRequest['fields'] }): boolean {
  const state = fieldValue(request.fields, 'subscription-state') ?? '';
  return /^terminated\b/i.test(state);
}

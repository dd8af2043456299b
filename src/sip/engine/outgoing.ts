// Requests from applications: what they may ask, what identifies each request, and what its outcome does to the dialog.
import { randomUUID } from 'node:crypto';
import { isPlainUri, parseAddress } from './address.ts';
import type { ApplicationMessage } from './application-message.ts';
import type { Application, SipOrder } from './control-server.ts';
import { type Core, type EngineDialog, extendDialog } from './core.ts';
import { clockCSeq, dialogId, refreshTarget } from './dialogs.ts';
import { digits, isToken } from './grammar.ts';
import { isTerminated } from './incoming.ts';
import { type Field, fieldValue, type SipRequest, type SipResponse } from './message.ts';
import { dialogRouting, freeRouting, type Routing } from './next-hop.ts';
import { type OutgoingOwner, OutgoingRequest, type RequestIdentity } from './outgoing-request.ts';
import { randomText } from './transactions.ts';
import type { Flow } from './transport.ts';

/** Methods that belong to calls, which this engine has none of. */
const CALL_METHODS: ReadonlySet<string> = new Set(['INVITE', 'ACK', 'BYE', 'CANCEL', 'PRACK', 'UPDATE']);
/** Answers after which a subscription and its dialog are gone (RFC 6665 4.1.2.2, 4.2.2; RFC 5057 5.1). */
const DESTROYING: ReadonlySet<number> = new Set([
  ...[404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 502, 604],
]);
/** How long a TCP port that could not be reached is not tried again for the sake of size, in milliseconds. */
const TCP_MEMORY = 300_000;
const TCP_MEMORY_LIMIT = 10_000;
const CSEQ_LIMIT = 2 ** 31 - 1;
/** Requests without final response; more are refused to the applications. */
const UNDER_WAY_LIMIT = 100_000;

interface EarlyNotify {
  readonly request: SipRequest;
  readonly flow: Flow;
}

export class OutgoingRequests implements OutgoingOwner {
  readonly #core: Core;
  readonly #failedTcp = new Map<string, number>();
  /** SUBSCRIBEs under way by dialog id, with the NOTIFY that overtook the 2xx. */
  readonly #subscribing = new Map<string, EarlyNotify | undefined>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** Takes a request of an application; it is answered at once, or as soon as the next hop has been looked up. */
  order(application: Application, order: SipOrder, message: ApplicationMessage): void {
    const [method = '', uri = '', version = '', more] = message.startLine.split(' ');
    const valid = isToken(method) && isPlainUri(uri) && version === 'SIP/2.0' && more === undefined;
    const inDialog = order.dialog !== '';
    let refusal = '';
    if (!valid) refusal = `invalid request-uri: ${message.startLine.slice(0, 200)}`;
    else if (message.wrong) refusal = `${inDialog ? 'Server error: ' : ''}${message.wrong}`;
    else if (this.#core.clients.size >= UNDER_WAY_LIMIT) refusal = 'too many requests under way';
    else if (CALL_METHODS.has(method)) refusal = `this engine does not send ${method}`;
    const dialog = inDialog ? this.#core.dialogs.get(order.dialog) : undefined;
    if (!refusal && inDialog && !dialog) refusal = 'Server error: unable to find dialog for dialog id provided';
    const routing = refusal ? undefined : this.#routing(uri, order, dialog);
    if (!refusal && !routing) refusal = `invalid request-uri: ${message.startLine.slice(0, 200)}`;
    if (refusal || !routing) {
      application.reply(order.id, `NOK|${refusal.replaceAll('|', ' ')}`);
      return;
    }
    const identity = dialog ? dialogIdentity(dialog) : freeIdentity(message.fields, uri, this.#core.wallTime());
    const parts = { application, orderId: order.id, id: randomUUID(), method, message, routing, identity, dialog };
    const request = new OutgoingRequest(this.#core, this, parts);
    if (!dialog && method === 'SUBSCRIBE') this.#subscribing.set(request.dialogId, undefined);
    request.start();
  }

  /** A NOTIFY without dialog: it may belong to a SUBSCRIBE whose 2xx it has overtaken (RFC 6665 4.1.2.4). */
  looseNotify(request: SipRequest, flow: Flow): void {
    const id = dialogId(request.callId, request.to.tag);
    if (!this.#subscribing.has(id) || this.#subscribing.get(id)) return;
    this.#subscribing.set(id, { request, flow });
  }

  mayTryTcp(address: string, port: number): boolean {
    const until = this.#failedTcp.get(`${address}:${port}`);
    return until === undefined || until < this.#core.timers.now();
  }

  tcpFailed(address: string, port: number): void {
    if (this.#failedTcp.size >= TCP_MEMORY_LIMIT) this.#failedTcp.clear();
    this.#failedTcp.set(`${address}:${port}`, this.#core.timers.now() + TCP_MEMORY);
  }

  concluded(request: OutgoingRequest, response: SipResponse, flow: Flow | undefined): void {
    const { dialog, method } = request.parts;
    if (dialog) this.#concludeInDialog(request, dialog, response, flow);
    else if (method === 'SUBSCRIBE') this.#concludeSubscribe(request, response, flow);
  }

  #routing(uri: string, order: SipOrder, dialog: EngineDialog | undefined): Routing | undefined {
    if (dialog) return dialogRouting(this.#core, dialog);
    return freeRouting(this.#core, uri, order.route || this.#core.outboundProxy);
  }

  #concludeSubscribe(request: OutgoingRequest, response: SipResponse, flow: Flow | undefined): void {
    const early = this.#subscribing.get(request.dialogId);
    this.#subscribing.delete(request.dialogId);
    const sent = request.sent();
    if ((response.status !== 200 && response.status !== 202) || !flow || !sent) return;
    const matching = early && early.request.from.tag === response.to.tag ? early : undefined;
    // A subscription that its first NOTIFY ended is over before the 2xx says that it began.
    if (matching && isTerminated(matching.request)) return;
    const dialog = this.#core.dialogs.addSubscriber(
      sent,
      matching?.request ?? response,
      matching?.flow ?? flow,
      request.parts.application,
    );
    extendDialog(this.#core, dialog, fieldValue(response.fields, 'expires') ?? fieldValue(sent.fields, 'expires'));
  }

  #concludeInDialog(
    request: OutgoingRequest,
    dialog: EngineDialog,
    response: SipResponse,
    flow: Flow | undefined,
  ): void {
    const { status } = response;
    const { method, message } = request.parts;
    const notify = method === 'NOTIFY';
    const over = DESTROYING.has(status) || (notify && (isTerminated(message) || (status === 408 && !flow)));
    if (over) {
      this.#core.dialogs.remove(dialog);
      return;
    }
    if (status > 299 || !(notify || method === 'SUBSCRIBE')) return;
    refreshTarget(dialog, response);
    if (!notify) extendDialog(this.#core, dialog, fieldValue(response.fields, 'expires'));
  }
}

function dialogIdentity(dialog: EngineDialog): RequestIdentity {
  dialog.localCSeq++;
  return {
    from: dialog.localUri,
    fromTag: dialog.localTag,
    to: dialog.remoteUri,
    toTag: dialog.remoteTag,
    callId: dialog.callId,
    cseq: dialog.localCSeq,
  };
}

/** The identity the application gives, completed (RFC 3261 8.1.1). */
function freeIdentity(fields: readonly Field[], uri: string, wallTime: number): RequestIdentity {
  const from = parseAddress(fieldValue(fields, 'from') ?? '');
  const to = parseAddress(fieldValue(fields, 'to') ?? '');
  const cseq = digits((fieldValue(fields, 'cseq') ?? '').split(' ')[0] ?? '', CSEQ_LIMIT);
  return {
    from: from ? bracketedText(from.text) : '',
    fromTag: from?.tag || randomText(8),
    to: to ? bracketedText(to.text) : `<${uri}>`,
    toTag: to?.tag ?? '',
    callId: fieldValue(fields, 'call-id') || randomUUID(),
    cseq: cseq >= 0 ? cseq : clockCSeq(wallTime),
  };
}

function bracketedText(text: string): string {
  return text.includes('<') ? text : `<${text}>`;
}

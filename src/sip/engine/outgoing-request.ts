// One request of an application on its way: composed for the way it takes, tried along the addresses found (RFC 3263 4.3),
// its outcome reported to the application.
import { type ApplicationMessage, headerLines, IDENTITY_FIELDS, withHost } from './application-message.ts';
import { timeText } from './control-frames.ts';
import type { Application } from './control-server.ts';
import { type Core, contactOf, type EngineDialog, transportParameter } from './core.ts';
import { dialogId } from './dialogs.ts';
import type { Candidate } from './locate.ts';
import { composeMessage, fieldValue, phraseOf, rewriteMessage, type SipRequest, type SipResponse } from './message.ts';
import { candidatesOf, type Routing } from './next-hop.ts';
import { parseDatagram } from './parse-message.ts';
import { engineResponse } from './responses.ts';
import type { ClientUser } from './transactions.ts';
import type { Flow } from './transport.ts';

/** RFC 3261 18.1.1: larger requests go over a transport with congestion control. */
const UDP_SIZE = 1_300;
/** Milliseconds. */
const LOOKUP_PATIENCE = 2_000;
/** Fields that the composition takes from the application itself. */
const COMPOSED_FIELDS: ReadonlySet<string> = new Set([...IDENTITY_FIELDS, 'max-forwards', 'contact']);

/** What identifies the request, fixed before it is composed. */
export interface RequestIdentity {
  readonly from: string;
  readonly fromTag: string;
  readonly to: string;
  readonly toTag: string;
  readonly callId: string;
  readonly cseq: number;
}

/** The engine's half that owns these requests. */
export interface OutgoingOwner {
  /** True while no TCP connection to this address has failed lately. */
  mayTryTcp(address: string, port: number): boolean;
  tcpFailed(address: string, port: number): void;
  /** The final response came (or was made up); the dialog id to report with it. */
  concluded(request: OutgoingRequest, response: SipResponse, flow: Flow | undefined): void;
}

/** One request as ordered. */
export interface OutgoingParts {
  readonly application: Application;
  /** Id of the control message that ordered it. */
  readonly orderId: string;
  /** Transaction id towards the application. */
  readonly id: string;
  readonly method: string;
  readonly message: ApplicationMessage;
  readonly routing: Routing;
  readonly identity: RequestIdentity;
  readonly dialog: EngineDialog | undefined;
}

export class OutgoingRequest implements ClientUser {
  readonly parts: OutgoingParts;
  /** Dialog id reported with its responses, '' when it can make none. */
  readonly dialogId: string;
  readonly #core: Core;
  readonly #owner: OutgoingOwner;
  /** Addresses not tried yet; undefined until they have been looked up. */
  #candidates: Candidate[] | undefined;
  #attempt: { readonly flow: Flow; readonly fallback: Flow | undefined } | undefined;
  #triedOtherwise = false;
  #text = '';
  #echoed = false;

  constructor(core: Core, owner: OutgoingOwner, parts: OutgoingParts) {
    this.#core = core;
    this.#owner = owner;
    this.parts = parts;
    const { dialog, method, identity } = parts;
    this.dialogId = dialog?.id ?? (method === 'SUBSCRIBE' ? dialogId(identity.callId, identity.fromTag) : '');
  }

  /** The request as last sent. */
  sent(): SipRequest | undefined {
    const parsed = parseDatagram(Buffer.from(this.#text, 'latin1'));
    return parsed.kind === 'request' ? parsed : undefined;
  }

  /** Sends it the way already known, or else to the first address found. */
  start(): void {
    const { known, otherwise } = this.parts.routing;
    if (!known) this.#next('');
    else {
      if (known.transport === 'udp' && otherwise !== 'target') this.#candidates = [];
      this.#sendSized(known);
    }
  }

  provisional(response: SipResponse, flow: Flow): void {
    // RFC 4320 4.1 leaves nothing but 100, which is of no use to an application.
    if (response.status > 100) this.#report(response, flow);
  }

  final(response: SipResponse, flow: Flow): void {
    // RFC 3263 4.3: 503 means to try the next server, as if it had not answered.
    if (response.status === 503 && this.#candidates && this.#candidates.length > 0) {
      this.#next('');
      return;
    }
    this.#report(response, flow);
    this.#owner.concluded(this, response, flow);
  }

  timeout(): void {
    const { otherwise } = this.parts.routing;
    const contactLeft = this.#candidates === undefined && otherwise === 'target';
    if (contactLeft || (this.#candidates && this.#candidates.length > 0)) this.#next('');
    else if (!this.#tryOtherwise()) this.#fabricate(408, phraseOf(408));
  }

  failed(): void {
    const { flow, fallback } = this.#attempt ?? {};
    if (flow && fallback) {
      // RFC 3261 18.1.1: the switch to TCP for size is taken back when it fails.
      this.#owner.tcpFailed(flow.address, flow.port);
      const branch = this.#core.clients.newBranch();
      this.#send(fallback, undefined, branch, this.#compose(fallback, branch));
    } else this.#next('');
  }

  /** @param phrase what the 503 says when nothing is left to try, '' for the usual */
  #next(phrase: string): void {
    if (!this.#candidates) {
      const found = candidatesOf(this.#core, this.parts.routing);
      if (found instanceof Promise) {
        this.#whileItMatters(found).then(
          (candidates) => this.#tryAll(candidates),
          () => this.#tryAll([]),
        );
        return;
      }
      this.#candidates = [...found];
    }
    for (let next = this.#candidates.shift(); next; next = this.#candidates.shift()) {
      const flow = this.#core.transports.flowTo(next.transport, next.address, next.port, next.serverName);
      if (flow) {
        this.#sendSized(flow);
        return;
      }
    }
    if (!this.#tryOtherwise()) this.#fabricate(503, phrase || phraseOf(503));
  }

  /** The source of the peer's datagrams, once nobody answers at its Contact. */
  #tryOtherwise(): boolean {
    const { otherwise } = this.parts.routing;
    if (otherwise === undefined || otherwise === 'target' || this.#triedOtherwise) return false;
    this.#triedOtherwise = true;
    this.#sendSized(otherwise);
    return true;
  }

  /** A name service that does not answer is not waited for when another way is known. */
  #whileItMatters(found: Promise<readonly Candidate[]>): Promise<readonly Candidate[]> {
    const { otherwise } = this.parts.routing;
    if (otherwise === undefined || otherwise === 'target') return found;
    const tooLate = new Promise<readonly Candidate[]>((resolve) => {
      this.#core.timers.after(LOOKUP_PATIENCE, { onTimer: () => resolve([]) });
    });
    return Promise.race([found, tooLate]);
  }

  #tryAll(candidates: readonly Candidate[]): void {
    this.#candidates = [...candidates];
    this.#next(candidates.length === 0 ? 'DNS Error' : '');
  }

  /** RFC 3261 18.1.1: what is large leaves UDP, even when a URI asks for it, unless only a NAT's binding is known of the peer. */
  #sendSized(flow: Flow): void {
    const branch = this.#core.clients.newBranch();
    const text = this.#compose(flow, branch);
    const tcp = text.length > UDP_SIZE ? this.#insteadOf(flow) : undefined;
    if (tcp) this.#send(tcp, flow, branch, this.#compose(tcp, branch));
    else this.#send(flow, undefined, branch, text);
  }

  #insteadOf(flow: Flow): Flow | undefined {
    const { target, known, otherwise } = this.parts.routing;
    const found = flow !== known && flow !== otherwise;
    const direct = target.host === flow.address && (target.port ?? 5060) === flow.port;
    if (flow.transport !== 'udp' || !(found || direct)) return undefined;
    if (!this.#owner.mayTryTcp(flow.address, flow.port)) return undefined;
    return this.#core.transports.flowTo('tcp', flow.address, flow.port, '');
  }

  #send(flow: Flow, fallback: Flow | undefined, branch: string, text: string): void {
    this.#text = text;
    this.#attempt = { flow, fallback };
    this.#echo(flow);
    this.#core.clients.start(branch, this.parts.method, text, flow, this);
  }

  /** The reply to the control message; drachtio-srf needs it before any response. */
  #echo(flow: Flow | undefined): void {
    if (this.#echoed) return;
    this.#echoed = true;
    const time = timeText(this.#core.wallTime());
    const place = flow?.transport === 'udp' ? flow.local : flow;
    const size = this.#text.length;
    const where = `${flow?.transport ?? 'unknown'}|${place?.address ?? ''}|${place?.port ?? 0}`;
    const outcome = `OK|application|${size}|${where}|${time}|${this.parts.id}|Msg sent:|`;
    this.parts.application.reply(this.parts.orderId, outcome, this.#text);
  }

  #compose(flow: Flow, branch: string): string {
    const { local } = flow;
    const hostPort = local.sentBy(flow.address);
    const { routing, method, message, identity } = this.parts;
    const { from, fromTag, to, toTag, callId, cseq } = identity;
    const { fields, body } = message;
    let lines = `Via: SIP/2.0/${flow.transport.toUpperCase()} ${hostPort};rport;branch=${branch}\r\n`;
    for (const route of routing.routes) lines += `Route: ${route}\r\n`;
    lines += `Max-Forwards: ${fieldValue(fields, 'max-forwards') ?? '70'}\r\n`;
    const fromText = from === '' ? `<sip:${hostPort}>` : withHost(from, hostPort);
    lines += `From: ${fromText};tag=${fromTag}\r\n`;
    lines += `To: ${withHost(to, hostPort)}${toTag === '' ? '' : `;tag=${toTag}`}\r\n`;
    lines += `Call-ID: ${callId}\r\nCSeq: ${cseq} ${method}\r\n`;
    const contact = fieldValue(fields, 'contact');
    if (contact !== undefined) {
      const parameter = /;transport=/i.test(contact) ? '' : transportParameter(local);
      lines += `Contact: ${withHost(contact, `${hostPort}${parameter}`)}\r\n`;
    } else if (method === 'SUBSCRIBE' || method === 'NOTIFY') lines += `Contact: ${contactOf(local, flow.address)}\r\n`;
    lines += headerLines(fields, COMPOSED_FIELDS, hostPort);
    return composeMessage(`${method} ${routing.requestUri} SIP/2.0`, lines, body);
  }

  #report(response: SipResponse, flow: Flow): void {
    const time = timeText(this.#core.wallTime());
    const place = `${flow.transport}|${flow.address}|${flow.port}|${time}`;
    const line = `sip|network|${response.size}|${place}|${this.parts.id}|${this.dialogId}|`;
    this.parts.application.send(line, rewriteMessage(response, fieldValue(response.fields, 'via') ?? ''));
  }

  /** A response that nobody sent: what a user agent core gets when its transaction fails (RFC 3261 8.1.3.1). */
  #fabricate(status: number, phrase: string): void {
    if (this.#text === '') this.#text = this.#composeUnsent();
    this.#echo(this.#attempt?.flow);
    const request = this.sent();
    const text = request && engineResponse(request, undefined, status, phrase, '', '');
    const response = text === undefined ? undefined : parseDatagram(Buffer.from(text, 'latin1'));
    if (response?.kind !== 'response') return;
    const transport = this.#attempt?.flow.transport ?? 'unknown';
    const line = `sip|network|0|${transport}||0|${timeText(this.#core.wallTime())}|${this.parts.id}|${this.dialogId}|`;
    this.parts.application.send(line, text);
    this.#owner.concluded(this, response, undefined);
  }

  /** The request as it would have gone out, for an application whose request found no way. */
  #composeUnsent(): string {
    const local = this.#core.transports.locals[0];
    if (!local) return '';
    const nowhere = { address: '127.0.0.1', port: 0, transport: local.transport, local };
    return this.#compose(nowhere as Flow, 'z9hG4bK-unsent');
  }
}

// SIP as the notifier needs it, over an unmodified drachtio-srf: requests come in, answers and NOTIFYs go out. Nothing of the
// library but middleware and requests by dialog id is used, because its dialogs answer 202 and hide refreshes.
import { Socket } from 'node:net';
import Srf from 'drachtio-srf';
import { FrameGate } from './frame-gate.ts';
import { deltaSeconds, type HeaderFields, hdr, tagOf } from './headers.ts';
import type { SrfAgent, SrfRequest, SrfRequestOptions, SrfResponse } from './srf-types.ts';

/** A request as it came in. */
export interface IncomingRequest {
  readonly method: string;
  readonly uri: string;
  readonly headers: HeaderFields;
  readonly body: string;
  readonly source: { readonly transport: string; readonly address: string; readonly port: number };
  /** `host:port` of our listener, when the engine tells it (outside dialogs). */
  readonly receivedOn?: string | undefined;
  /**
   * Answers the request. Resolves when the engine has taken the answer; rejects when it has not. Only the first call counts.
   */
  respond(status: number, headers: Readonly<Record<string, string>>): Promise<void>;
}

/** What became of a NOTIFY. */
export interface NotifyOutcome {
  /** Status of the final answer; 408 when none came, 481 when the engine does not know the dialog, 503 when it is away. */
  readonly status: number;
  /** Seconds, of a Retry-After field. */
  readonly retryAfter?: number | undefined;
  /** CSeq of the NOTIFY, when it was sent. */
  readonly cseq?: number | undefined;
  /** Event field of the answer (RFC 6446 clause 9.3). */
  readonly event?: string | undefined;
}

/** A SUBSCRIBE of ours. */
export interface SubscribeRequest {
  /** Request-URI outside a dialog. */
  readonly uri: string;
  /** The dialog it refreshes or ends; absent = it makes one. */
  readonly dialogId?: string | undefined;
  /** SIP URI to send it to, outside a dialog; absent = where the engine sends it. */
  readonly nextHop?: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What became of a SUBSCRIBE; `status` as in NotifyOutcome, the other times in seconds. */
export interface SubscribeOutcome {
  readonly status: number;
  readonly expires?: number | undefined;
  readonly minimumExpires?: number | undefined;
  readonly retryAfter?: number | undefined;
  readonly toTag?: string | undefined;
}

export interface SipPort {
  /**
   * Resolves when the engine has accepted us; lost connections are then made again. Rejects when it refuses the secret, or when it
   * is not there in time.
   */
  connect(): Promise<void>;
  /** Sends a NOTIFY in a dialog. Never rejects. */
  notify(dialogId: string, headers: Readonly<Record<string, string>>, body: string): Promise<NotifyOutcome>;
  /** Sends a SUBSCRIBE. Never rejects. */
  subscribe(request: SubscribeRequest): Promise<SubscribeOutcome>;
  /** Resolves when the connection to the engine has ended. */
  close(): Promise<void>;
}

export interface SipPortOptions {
  readonly control: { readonly host: string; readonly port: number; readonly secret: string };
  /** May be called again for the next request before it has answered the last one. Must not throw. */
  readonly onRequest: (request: IncomingRequest) => void;
  /** Milliseconds that `connect` waits for the engine; half a minute when absent. */
  readonly patience?: number;
  /**
   * The engine reads frames of any size as they come. Otherwise few are under way at a time, and each waits for the reply to an
   * earlier one, which under load stands behind all requests that were delivered before it.
   */
  readonly pipelining?: boolean;
  readonly log: { warn(fields: object, text: string): void };
}

// The engine answers 405 to everything else.
const methods = ['subscribe', 'notify', 'options'];
/** Milliseconds without final answer after which a request counts as unanswered: beyond Timer F of any engine, at two addresses. */
const answerLimit = 100_000;

/** A port that is not connected yet: what is sent before `connect` counts as refused with 503. */
export function sipPort(options: SipPortOptions): SipPort {
  return new DrachtioPort(options);
}

/** A request of ours without final answer. */
interface PendingRequest {
  readonly started: number;
  cseq: number | undefined;
  readonly settle: (outcome: RequestOutcome) => void;
}

interface RequestOutcome {
  readonly status: number;
  readonly cseq: number | undefined;
  /** Of the final answer. */
  readonly headers: HeaderFields;
}

class DrachtioPort implements SipPort {
  readonly #options: SipPortOptions;
  readonly #srf: SrfAgent;
  readonly #gate: FrameGate;
  /** In the order they were sent. */
  readonly #pending = new Set<PendingRequest>();
  /** Answers that the engine has not confirmed. */
  readonly #answers = new Set<(error: unknown) => void>();
  #sweep: NodeJS.Timeout | undefined;
  /** The connection to the engine, once something came over it. */
  #socket: Socket | undefined;
  #gathering = false;
  #connected = false;
  #closing = false;
  #onClosed: (() => void) | undefined;

  constructor(options: SipPortOptions) {
    this.#options = options;
    this.#gate = new FrameGate(options.pipelining);
    // The package declares types that do not fit what it does.
    this.#srf = new Srf() as unknown as SrfAgent;
    for (const method of methods) {
      this.#srf.use(method, (request, response) => this.#receive(request, response));
    }
  }

  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        void this.close();
        reject(new Error('the SIP engine is not there'));
      }, this.#options.patience ?? 30_000);
      // Without a listener a lost connection would be an exception, and would not be made again.
      this.#srf.on('error', (error) => {
        if (!this.#closing) this.#options.log.warn({ error: String(error) }, 'connection to the SIP engine failed');
      });
      this.#srf.on('close', () => this.#lost());
      this.#srf.on('connect', (error) => {
        clearTimeout(late);
        if (error) {
          this.#options.log.warn({ error: String(error) }, 'the SIP engine refused us');
          void this.close();
          reject(new Error('the SIP engine refused the secret'));
          return;
        }
        this.#connected = true;
        resolve();
      });
      this.#srf.connect({ ...this.#options.control, reconnect: { retryMaxDelay: 2_000 } });
      this.#sweep = setInterval(() => this.#giveUp(), 5_000);
      this.#sweep.unref();
    });
  }

  async notify(dialogId: string, headers: Readonly<Record<string, string>>, body: string): Promise<NotifyOutcome> {
    const request = { method: 'NOTIFY', stackDialogId: dialogId, headers, ...(body === '' ? {} : { body }) };
    const { status, cseq, headers: answered } = await this.#ask('sip:placeholder', request);
    return { status, cseq, retryAfter: seconds(answered, 'retry-after'), event: hdr(answered, 'event') };
  }

  async subscribe({ uri, dialogId, nextHop, headers, body }: SubscribeRequest): Promise<SubscribeOutcome> {
    const place =
      dialogId === undefined ? (nextHop === undefined ? {} : { proxy: nextHop }) : { stackDialogId: dialogId };
    const request = { method: 'SUBSCRIBE', ...place, headers, ...(body === '' ? {} : { body }) };
    const { status, headers: answered } = await this.#ask(dialogId === undefined ? uri : 'sip:placeholder', request);
    return {
      status,
      expires: seconds(answered, 'expires'),
      minimumExpires: seconds(answered, 'min-expires'),
      retryAfter: seconds(answered, 'retry-after'),
      toTag: tagOf(hdr(answered, 'to')),
    };
  }

  #ask(uri: string, request: SrfRequestOptions): Promise<RequestOutcome> {
    return new Promise((resolve) => {
      // Names, values and the frame's own words: what is counted generously need not be counted exactly.
      const octets = Buffer.byteLength(request.body ?? '', 'utf8') + 1_000;
      this.#gate.enter(octets, (done) => this.#send(uri, request, done, resolve));
    });
  }

  close(): Promise<void> {
    if (this.#closing) return Promise.resolve();
    this.#closing = true;
    clearInterval(this.#sweep);
    const closed = new Promise<void>((resolve) => {
      if (this.#connected) this.#onClosed = resolve;
      else resolve();
    });
    try {
      if (this.#connected) this.#srf.disconnect();
      // The library stops reconnecting when told to disconnect any socket.
      else this.#srf.disconnect(new Socket());
    } catch (error) {
      this.#options.log.warn({ error: String(error) }, 'closing the connection to the SIP engine failed');
      this.#onClosed?.();
    }
    return closed;
  }

  #lost(): void {
    this.#connected = false;
    this.#socket = undefined;
    for (const pending of this.#pending) {
      pending.settle({ status: 503, cseq: pending.cseq, headers: {} });
    }
    for (const settle of this.#answers) settle(new Error('the connection to the SIP engine was lost'));
    this.#onClosed?.();
  }

  #giveUp(): void {
    const limit = performance.now() - answerLimit;
    for (const pending of this.#pending) {
      if (pending.started > limit) return;
      pending.settle({ status: 408, cseq: pending.cseq, headers: {} });
    }
  }

  #send(uri: string, request: SrfRequestOptions, done: () => void, resolve: (outcome: RequestOutcome) => void): void {
    const pending: PendingRequest = {
      started: performance.now(),
      cseq: undefined,
      settle: (outcome) => {
        this.#pending.delete(pending);
        done();
        resolve(outcome);
      },
    };
    const fail = (status: number): void => pending.settle({ status, cseq: undefined, headers: {} });
    this.#pending.add(pending);
    this.#gather();
    try {
      this.#srf.request(uri, request, (error, sent) => {
        done();
        if (error || sent === undefined) {
          fail(error?.code === 'ENODIALOG' ? 481 : 503);
          return;
        }
        this.#socket = sent.socket;
        pending.cseq = Number.parseInt(sent.headers.cseq ?? '', 10) || undefined;
        sent.on('response', ({ status, headers }) => {
          if (status >= 200) pending.settle({ status, cseq: pending.cseq, headers });
        });
      });
    } catch {
      fail(503);
    }
  }

  /** Lets what is written in one turn of the event loop leave together: a system call for each frame costs more than the frame. */
  #gather(): void {
    const socket = this.#socket;
    if (socket === undefined || this.#gathering) return;
    this.#gathering = true;
    socket.cork();
    setImmediate(() => {
      this.#gathering = false;
      socket.uncork();
    });
  }

  #receive(request: SrfRequest, response: SrfResponse): void {
    this.#socket = request.socket;
    const raw = request.raw ?? '';
    const head = raw.indexOf('\r\n\r\n');
    this.#options.onRequest({
      method: request.method,
      uri: request.uri,
      headers: request.headers,
      // Not the library's own body, which it cuts at the first empty line when there is no Content-Length.
      body: head < 0 ? '' : raw.slice(head + 4),
      source: { transport: request.protocol, address: request.source_address, port: request.source_port },
      receivedOn: request.receivedOn,
      respond: (status, headers) => this.#respond(response, status, headers),
    });
  }

  #respond(response: SrfResponse, status: number, headers: Readonly<Record<string, string>>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#gate.enter(1_000, (done) => {
        const settle = (error: unknown): void => {
          this.#answers.delete(settle);
          done();
          if (error) reject(error instanceof Error ? error : new Error(String(error)));
          else resolve();
        };
        this.#answers.add(settle);
        this.#gather();
        try {
          response.send(status, { headers: { ...headers } }, settle);
        } catch (error) {
          settle(error);
        }
      });
    });
  }
}

function seconds(headers: HeaderFields, name: string): number | undefined {
  // A comment or parameters may follow (RFC 3261 20.33).
  return deltaSeconds(/^\d+/.exec(hdr(headers, name) ?? '')?.[0] ?? '');
}

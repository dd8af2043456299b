// For the engine's tests: SIP peers on raw sockets, the unmodified drachtio-srf as application, and a clock moved by hand.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createConnection, type Socket } from 'node:net';
import type { Engine } from './engine.ts';
import type { Clock } from './timer-queue.ts';

/** What the tests use of drachtio-srf. */
export interface SrfRequest {
  readonly method: string;
  readonly stackDialogId: string;
  readonly stackTxnId: string;
  readonly protocol: string;
  readonly source_address: string;
  readonly source_port: number;
  readonly sessionToken?: string;
  readonly msg: { readonly raw: string; readonly body?: string };
  get(name: string): string;
  on(event: 'response', listener: (response: SrfResponse) => void): void;
}
export interface SrfMessage {
  readonly raw: string;
}
export interface SrfResponse {
  readonly status: number;
  readonly reason: string;
  readonly meta: { readonly dialogId: string };
  readonly msg: SrfMessage;
  readonly stackDialogId: string;
  get(name: string): string;
  send(status: number, options?: object, done?: (error: unknown, sent?: SrfMessage) => void): void;
}
type Handler = (request: SrfRequest, response: SrfResponse) => void;
export interface Srf {
  options(handler: Handler): void;
  subscribe(handler: Handler): void;
  notify(handler: Handler): void;
  message(handler: Handler): void;
  on(event: string, listener: (...given: unknown[]) => void): void;
  connect(where: object): void;
  disconnect(): void;
  request(
    uri: string,
    options: object,
    done: (error: (Error & { code?: string }) | null, sent?: SrfRequest) => void,
  ): void;
}

const SrfClass = createRequire(import.meta.url)('drachtio-srf') as new () => Srf;

/** An application with these handlers, connected and routed. */
export async function connectSrf(engine: Engine, handlers: Partial<Record<SrfVerb, Handler>>): Promise<Srf> {
  const srf = new SrfClass();
  srf.on('error', () => undefined);
  for (const verb of ['options', 'subscribe', 'notify', 'message'] as const) {
    const handler = handlers[verb];
    if (handler) srf[verb](handler);
  }
  const connected = new Promise<void>((resolve, reject) => {
    srf.on('connect', (error) => (error ? reject(error as Error) : resolve()));
  });
  const { host, port, secret } = engine.control;
  srf.connect({ host, port, secret, reconnect: { retryMaxDelay: 50, maxAttempts: 1 } });
  await connected;
  return srf;
}
type SrfVerb = 'options' | 'subscribe' | 'notify' | 'message';

/** Sends a request through the application; resolves with its final response, or rejects as drachtio-srf does. */
export function srfRequest(
  srf: Srf,
  uri: string,
  options: object,
): Promise<{ sent: SrfRequest; response: SrfResponse }> {
  return new Promise((resolve, reject) => {
    srf.request(uri, options, (error, sent) => {
      if (error || !sent) reject(error ?? new Error('not sent'));
      else sent.on('response', (response) => (response.status >= 200 ? resolve({ sent, response }) : undefined));
    });
  });
}

/** Collects what arrives and hands it out in order. */
class Inbox {
  readonly all: string[] = [];
  readonly #waiting: (() => void)[] = [];
  #read = 0;

  add(text: string): void {
    this.all.push(text);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** The next message that starts with this text; the ones before it are passed over. */
  async next(start = ''): Promise<string> {
    for (;;) {
      while (this.#read < this.all.length) {
        const text = this.all[this.#read++] ?? '';
        if (text.startsWith(start)) return text;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

/** A SIP peer on a UDP socket. */
export class UdpPeer extends Inbox {
  readonly #socket: UdpSocket;
  readonly address: string;

  private constructor(socket: UdpSocket, address: string) {
    super();
    this.#socket = socket;
    this.address = address;
    socket.on('message', (octets) => this.add(octets.toString('utf8')));
    socket.on('error', () => undefined);
  }

  static async open(address = '127.0.0.1', port = 0): Promise<UdpPeer> {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(port, address, () => resolve());
    });
    return new UdpPeer(socket, address);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(content: string | Buffer, port: number, address = this.address): void {
    this.#socket.send(content, port, address);
  }

  close(): void {
    this.#socket.close();
  }
}

/** A SIP peer on a TCP connection; messages are framed by Content-Length. */
export class TcpPeer extends Inbox {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  #octets = Buffer.alloc(0);

  constructor(socket: Socket) {
    super();
    this.socket = socket;
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('data', (chunk) => {
      this.#octets = Buffer.concat([this.#octets, chunk]);
      this.#cut();
    });
  }

  static async connect(port: number, address = '127.0.0.1'): Promise<TcpPeer> {
    const socket = createConnection({ port, host: address });
    await once(socket, 'connect');
    return new TcpPeer(socket);
  }

  send(content: string | Buffer): void {
    this.socket.write(content);
  }

  close(): void {
    this.socket.destroy();
  }

  #cut(): void {
    for (;;) {
      const text = this.#octets.toString('latin1');
      if (text.startsWith('\r\n')) {
        this.#octets = this.#octets.subarray(2);
        this.add('\r\n');
        continue;
      }
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/\r\nContent-Length: (\d+)/i.exec(text.slice(0, end + 2))?.[1] ?? 0);
      if (this.#octets.length < end + 4 + length) return;
      this.add(this.#octets.toString('utf8', 0, end + 4 + length));
      this.#octets = this.#octets.subarray(end + 4 + length);
    }
  }
}

/** The port of the first listening address of this transport. */
export function portOf(engine: Engine, transport: string): number {
  const found = engine.listening.find((text) => text.startsWith(`${transport}:`)) ?? '';
  return Number(found.slice(found.lastIndexOf(':') + 1));
}

/** A SIP text from lines; Content-Length is added. */
export function sip(lines: readonly string[], body = ''): string {
  return [...lines, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n');
}

/** All values of a header field of a SIP text. */
export function values(text: string, name: string): string[] {
  const head = text.slice(0, text.indexOf('\r\n\r\n'));
  const prefix = `${name.toLowerCase()}:`;
  return head
    .split('\r\n')
    .filter((line) => line.toLowerCase().startsWith(prefix))
    .map((line) => line.slice(prefix.length).trim());
}

/** The answer of a peer to a request it got. */
export function answer(request: string, statusLine: string, extra: readonly string[] = []): string {
  const copied = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].flatMap((name) =>
    values(request, name).map((value) => `${name}: ${value}`),
  );
  return sip([statusLine, ...copied, ...extra]);
}

/** An application that speaks the protocol octet by octet. */
export class RawApplication {
  readonly frames: string[] = [];
  readonly closed: Promise<void>;
  readonly #socket;
  #octets = Buffer.alloc(0);
  #waiting: (() => void)[] = [];
  #read = 0;

  constructor(engine: Engine) {
    this.#socket = createConnection({ host: engine.control.host, port: engine.control.port });
    this.#socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => this.#socket.on('close', () => resolve()));
    this.#socket.on('data', (chunk) => {
      this.#octets = Buffer.concat([this.#octets, chunk]);
      for (;;) {
        const hash = this.#octets.indexOf('#');
        const length = Number(this.#octets.toString('latin1', 0, hash));
        if (hash < 0 || this.#octets.length < hash + 1 + length) break;
        this.frames.push(this.#octets.toString('utf8', hash + 1, hash + 1 + length));
        this.#octets = this.#octets.subarray(hash + 1 + length);
      }
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  frame(text: string): void {
    this.write(`${Buffer.byteLength(text)}#${text}`);
  }

  async next(): Promise<string> {
    while (this.#read >= this.frames.length) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.frames[this.#read++] ?? '';
  }

  /** The next frame without its own id. */
  async outcome(): Promise<string> {
    const text = await this.next();
    return text.slice(text.indexOf('|') + 1);
  }

  close(): void {
    this.#socket.destroy();
  }
}

let serial = 0;

/** Options of `subscribe`. */
export interface SubscribeParts {
  readonly port: number;
  readonly address?: string;
  readonly transport?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly toTag?: string;
  readonly contact?: string;
  readonly branch?: string;
  readonly extra?: readonly string[];
  readonly method?: string;
}

/** A request of the peer at this port; a SUBSCRIBE unless another method is named. */
export function subscribe(parts: SubscribeParts): string {
  const {
    port,
    address = '127.0.0.1',
    transport = 'UDP',
    cseq = 10,
    toTag = '',
    extra = [],
    method = 'SUBSCRIBE',
  } = parts;
  const {
    contact = `<sip:alice@${address}:${port}>`,
    callId = `call-${++serial}`,
    branch = `z9hG4bK-t${++serial}`,
  } = parts;
  return sip([
    `${method} sip:gms@blue.example SIP/2.0`,
    `Via: SIP/2.0/${transport} ${address}:${port};branch=${branch};rport`,
    'Max-Forwards: 70',
    'From: "Alice" <sip:alice@blue.example>;tag=alice1',
    `To: <sip:gms@blue.example>${toTag === '' ? '' : `;tag=${toTag}`}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} ${method}`,
    ...(contact === '' ? [] : [`Contact: ${contact}`]),
    'Event: xcap-diff',
    ...(extra.some((line) => line.startsWith('Expires')) ? [] : ['Expires: 3600']),
    ...extra,
  ]);
}

/** The tag parameter of a From or To value. */
export function tagOf(value: string | undefined): string {
  return /;tag=([^;]+)/.exec(value ?? '')?.[1] ?? '';
}

/** A clock that stands still until it is moved. */
export class HandClock implements Clock {
  #now = 1_000;
  readonly #waiting = new Set<{ due: number; wake: () => void }>();

  now(): number {
    return this.#now;
  }

  wakeAfter(delay: number, wake: () => void): () => void {
    const entry = { due: this.#now + delay, wake };
    this.#waiting.add(entry);
    return () => this.#waiting.delete(entry);
  }

  /** Moves on, stopping at each wake-up on the way. */
  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = [...this.#waiting].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
      if (!next) break;
      this.#waiting.delete(next);
      this.#now = next.due;
      next.wake();
    }
    this.#now = end;
  }
}

/** The shortest of ten runs in milliseconds: what the work itself takes, whatever else the machine does. */
export function fastest(work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 10; run++) {
    const started = performance.now();
    work();
    best = Math.min(best, performance.now() - started);
  }
  return best;
}

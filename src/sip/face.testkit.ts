// A running SIP face for tests: real document service and SQLite store, the embedded engine or the one that the environment names,
// and a subscriber that speaks raw SIP over a UDP socket of its own.
import { randomUUID } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import type { Room } from '../documents/documents.testkit.ts';
import { authenticator } from '../identity/authenticate.ts';
import { servedUsers } from '../identity/served.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { OffsetIndex } from '../xml/offset-index.ts';
import { readXcapDiff } from '../xml/received-diff.ts';
import { type Engine, startEngine } from './engine/engine.ts';
import { engineUnderTest, type NamedEngine } from './engine-under-test.testkit.ts';
import {
  type SipEngineAccess,
  type SipFace,
  type SipFaceOptions,
  startSipFace,
  subscriptionDialogs,
} from './sip-face.ts';

export const xcapRoot = 'http://gms.red.example/xcap-root/';
export const groups = 'org.openmobilealliance.groups';

const system = {
  domains: ['red.example', 'red2.example'],
  servedUsers: ['sip:guest@blue.example'],
  awayUsers: ['sip:away@red.example'],
};

/** Counts of what the face logged as wrong. */
export interface Logged {
  readonly errors: string[];
}

/** A face over a room, restartable. */
export interface RunningFace {
  readonly face: SipFace;
  /** Undefined when the environment names the engine. */
  readonly engine: Engine | undefined;
  readonly room: Room;
  readonly port: number;
  readonly logged: Logged;
  /** Stops face and engine as a crash would: nothing is said to anybody. */
  stop(): Promise<void>;
}

/** Starts engine and face over a room; the port stays the same when one is given. */
export async function runFace(
  room: Room,
  more: Partial<SipFaceOptions> = {},
  at: {
    readonly port?: number;
    readonly t1?: number;
    readonly resumesDialogs?: boolean;
    /** False = the engine has lost its dialogs. */
    readonly keepsDialogs?: boolean;
    readonly largestFrame?: number;
  } = {},
): Promise<RunningFace> {
  const logged: Logged = { errors: [] };
  const named = engineUnderTest();
  const engine =
    named === undefined
      ? await startEngine({
          listen: [`udp:127.0.0.1:${at.port ?? 0}`],
          timers: { t1: at.t1 ?? 100 },
          dialogs: at.keepsDialogs === false ? [] : await subscriptionDialogs(room.store, Date.now()),
        })
      : undefined;
  const access = engine === undefined ? outside(named) : { ...engine, resumesDialogs: true, inflates: true };
  const ignore = (): void => undefined;
  const face = await startSipFace({
    engine: {
      ...access,
      largestFrame: at.largestFrame ?? access.largestFrame,
      resumesDialogs: at.resumesDialogs ?? access.resumesDialogs,
    },
    gms: 'sip:gms@red.example',
    xcapRoot,
    documents: room.documents,
    store: room.store,
    served: servedUsers(system),
    authenticate: authenticator({
      system: { servers: ['sip:mcptt@red.example'], administrators: [{ id: 'sip:admin@red.example' }] },
      identity: { trustedProxies: ['127.0.0.1/32'], missingCredentials: 403 },
      partners: [],
    }).sip,
    settings: {
      minimumExpires: 60,
      maximumExpires: 86_400,
      minimumNotifyInterval: { servers: 0, partners: 0, clients: 5 },
    },
    log: {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (fields, text) => logged.errors.push(`${text} ${JSON.stringify(fields)}`),
    },
    ...more,
  });
  const [first = ''] = access.listening;
  return {
    face,
    engine,
    room,
    port: Number(first.slice(first.lastIndexOf(':') + 1)),
    logged,
    stop: async () => {
      await face.close();
      await engine?.close();
    },
  };
}

/** What the face is told of an engine in another process, as the gateway tells it. */
function outside(named: NamedEngine | undefined): SipEngineAccess {
  if (named === undefined) throw new Error('no engine');
  return { ...named, largestFrame: 12_000, resumesDialogs: false, inflates: false };
}

/** One SIP message as text, cut into what tests look at. */
export interface Received {
  readonly raw: string;
  readonly startLine: string;
  /** Method of a request, '' for a response. */
  readonly method: string;
  /** Status of a response, 0 for a request. */
  readonly status: number;
  header(name: string): string | undefined;
  readonly cseq: number;
  readonly body: string;
}

function receivedMessage(raw: string): Received {
  const end = raw.indexOf('\r\n\r\n');
  const [startLine = '', ...lines] = raw.slice(0, end).split('\r\n');
  const header = (name: string): string | undefined => {
    const line = lines.find((one) => one.toLowerCase().startsWith(`${name.toLowerCase()}:`));
    return line?.slice(name.length + 1).trim();
  };
  const response = /^SIP\/2\.0 (\d{3})/.exec(startLine);
  return {
    raw,
    startLine,
    method: response === null ? (startLine.split(' ')[0] ?? '') : '',
    status: Number(response?.[1] ?? 0),
    header,
    cseq: Number.parseInt(header('CSeq') ?? '0', 10),
    body: raw.slice(end + 4),
  };
}

/** A subscriber on a UDP socket. It answers NOTIFYs with `answer`, 200 unless changed; '' withholds. */
export class Subscriber {
  readonly #socket: Socket;
  readonly #server: number;
  readonly #waiting: { readonly fits: (message: Received) => boolean; readonly take: (message: Received) => void }[] =
    [];
  readonly #inbox: Received[] = [];
  readonly #seen = new Set<string>();
  callId = `call-${randomUUID()}`;
  toTag = '';
  cseq = 0;
  port = 0;
  answer: string = '200 OK';
  identity: string | undefined;
  readonly notifies: Received[] = [];

  private constructor(socket: Socket, server: number, identity: string | undefined) {
    this.#socket = socket;
    this.#server = server;
    this.identity = identity;
    socket.on('message', (data) => this.#receive(data.toString('utf8')));
  }

  static async open(server: number, identity: string | undefined = 'sip:mcptt@red.example'): Promise<Subscriber> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const subscriber = new Subscriber(socket, server, identity);
    subscriber.port = socket.address().port;
    return subscriber;
  }

  close(): void {
    this.#socket.close();
  }

  /** Sends a SUBSCRIBE with these entries and answers the final response. `headers` replace or (undefined) drop lines. */
  async subscribe(
    entries: readonly string[] | undefined,
    headers: Readonly<Record<string, string | undefined>> = {},
    body?: string | Uint8Array,
  ): Promise<Received> {
    return this.request('SUBSCRIBE', headers, body ?? (entries === undefined ? '' : resourceList(entries)));
  }

  async request(
    method: string,
    headers: Readonly<Record<string, string | undefined>> = {},
    body: string | Uint8Array = '',
  ): Promise<Received> {
    this.cseq += 1;
    const cseq = this.cseq;
    const lines: Record<string, string | undefined> = {
      Via: `SIP/2.0/UDP 127.0.0.1:${this.port};rport;branch=z9hG4bK${this.callId}${cseq}`,
      'Max-Forwards': '70',
      From: `<sip:subscriber@red.example>;tag=from1`,
      To: `<sip:gms@red.example>${this.toTag === '' ? '' : `;tag=${this.toTag}`}`,
      'Call-ID': this.callId,
      CSeq: `${cseq} ${method}`,
      Contact: `<sip:subscriber@127.0.0.1:${this.port}>`,
      ...(method === 'SUBSCRIBE'
        ? {
            Event: 'xcap-diff',
            Accept: 'application/xcap-diff+xml',
            Expires: '600',
            'Content-Type': body.length === 0 ? undefined : 'application/resource-lists+xml',
          }
        : {}),
      'P-Asserted-Identity': this.identity === undefined ? undefined : `<${this.identity}>`,
      ...headers,
      'Content-Length': String(Buffer.byteLength(body)),
    };
    const uri = headers['Request-URI'] ?? 'sip:gms@red.example';
    const head = Object.entries(lines)
      .filter(([name, value]) => value !== undefined && name !== 'Request-URI')
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
    const answer = this.next((message) => message.status >= 200 && message.cseq === cseq);
    const octets = Buffer.concat([Buffer.from(`${method} ${uri} SIP/2.0\r\n${head}\r\n`), Buffer.from(body)]);
    this.#socket.send(octets, this.#server, '127.0.0.1');
    const response = await answer;
    if (response.status === 200 && method === 'SUBSCRIBE') {
      this.toTag = /;tag=([^;]+)/.exec(response.header('To') ?? '')?.[1] ?? '';
    }
    return response;
  }

  /** The next NOTIFY that was not taken yet. */
  notify(): Promise<Received> {
    return this.next((message) => message.method === 'NOTIFY');
  }

  /** The next message that fits, from the inbox or the wire; fails after 15 s, which only a machine under heavy load comes near. */
  next(fits: (message: Received) => boolean): Promise<Received> {
    const place = this.#inbox.findIndex(fits);
    const [found] = place < 0 ? [] : this.#inbox.splice(place, 1);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no such message came within 15 seconds')), 15_000);
      this.#waiting.push({
        fits,
        take: (message) => {
          clearTimeout(timer);
          resolve(message);
        },
      });
    });
  }

  /** NOTIFYs that came and were not taken. */
  get untaken(): number {
    return this.#inbox.filter((message) => message.method === 'NOTIFY').length;
  }

  /** Resolves when the face has processed everything sent before: requests are answered in order. */
  async barrier(): Promise<void> {
    await this.request('OPTIONS');
  }

  /** Answers a NOTIFY by hand, when `answer` is ''. */
  respond(notify: Received, status: string, extra = ''): void {
    // RFC 3261 8.2.6.2: every Via, in order
    const vias = [...notify.raw.matchAll(/^Via: .*$/gim)].map(([line]) => `${line}\r\n`).join('');
    const others = ['From', 'To', 'Call-ID', 'CSeq'].map((name) => `${name}: ${notify.header(name)}\r\n`).join('');
    const copied = vias + others;
    this.#socket.send(`SIP/2.0 ${status}\r\n${copied}${extra}Content-Length: 0\r\n\r\n`, this.#server, '127.0.0.1');
  }

  #receive(raw: string): void {
    const message = receivedMessage(raw);
    if (message.method === 'NOTIFY') {
      if (this.answer !== '') this.respond(message, this.answer);
      const retransmitted = this.#seen.has(message.header('Via') ?? '');
      this.#seen.add(message.header('Via') ?? '');
      if (retransmitted) return;
      this.notifies.push(message);
    }
    const place = this.#waiting.findIndex(({ fits }) => fits(message));
    const [waiting] = place < 0 ? [] : this.#waiting.splice(place, 1);
    if (waiting === undefined) this.#inbox.push(message);
    else waiting.take(message);
  }
}

/** Resolves once the condition holds; fails after 15 s. */
export async function eventually(condition: () => boolean): Promise<void> {
  const limit = Date.now() + 15_000;
  while (!condition()) {
    if (Date.now() > limit) throw new Error('it did not come true within 15 seconds');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A resource-lists body. */
export function resourceList(uris: readonly string[]): string {
  const entries = uris.map((uri) => `<entry uri="${uri.replaceAll('&', '&amp;')}"/>`).join('');
  return `<?xml version="1.0" encoding="UTF-8"?>\n<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>${entries}</list></resource-lists>`;
}

/** The document elements of an xcap-diff body as `sel previous new`, `-` for what is absent. */
export function changesOf(notify: Received): readonly string[] {
  return [...notify.body.matchAll(/<(?:\w+:)?document ([^>]*?)\/?>/g)].map(([, attributes = '']) => {
    const value = (name: string): string => new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes)?.[1] ?? '-';
    return `${value('sel')} ${value('previous-etag')} ${value('new-etag')}`;
  });
}

/** The element and attribute parts of an xcap-diff body: `sel`, and the content shown, `exists` where none is, or `gone`. */
export function componentsOf(notify: Received): readonly (readonly [sel: string, state: string])[] {
  const index = OffsetIndex.of(Buffer.from(notify.body), defaultXmlLimits);
  return readXcapDiff(index).components.flatMap((component) => {
    if (component.kind === 'document') return [];
    const { sel, exists, shown, value } = component;
    if (!exists) return [[sel, 'gone'] as const];
    const content = shown === undefined ? value : index.source(index.outerStart(shown), index.outerEnd(shown));
    return [[sel, content ?? 'exists'] as const];
  });
}

// One gateway with many partners on real sockets, some of them sick: frozen, slow, resetting, talking garbage, always failing.
// How long a write takes to reach a healthy one, with the others well and with the others sick.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Agent, type Dispatcher } from 'undici';
import { type TestCertificate, testAuthority, testCertificate } from '../xcap/certificates.testkit.ts';
import { redConfiguration, runGateway, type TestConfiguration, token } from './gateway.testkit.ts';

export type Health = 'healthy' | 'frozen' | 'slow' | 'resetting' | 'garbage' | 'failing';

const sicknesses: readonly Health[] = ['frozen', 'slow', 'resetting', 'garbage', 'failing'];
/** Milliseconds a slow partner takes. */
const slowness = 1500;

export interface ManyPartners {
  /** Names of the partners that stay healthy, and of those that may fall sick. */
  readonly healthy: readonly string[];
  readonly frail: readonly string[];
  /** Makes the frail ones sick, each in its way, or well again. */
  setSick(sick: boolean): void;
  /** Creates or replaces a group that concerns one partner; resolves when the gateway has answered. */
  write(name: string, partner: string, turn: number): Promise<void>;
  /** Milliseconds from the answer to such a write until the partner has it. */
  latency(name: string, partner: string, turn: number): Promise<number>;
  /** Requests a group of a partner as an own MC service server does, without waiting for what comes. */
  ask(partner: string, name: string): void;
  /** Deliveries of each partner that are not done. */
  waiting(): Promise<ReadonlyMap<string, number>>;
  close(): Promise<void>;
}

/** Starts the gateway and `count` partners; a tenth of them, at least two, always stays healthy. `frail` of the rest fall sick on demand. */
export async function manyPartners(count: number, frail: number): Promise<ManyPartners> {
  const authority = await testAuthority('partners');
  const dns = Array.from({ length: count }, (_, i) => `gms.p${i}.example`);
  const certificate = await testCertificate(authority, { dns, addresses: ['127.0.0.1'] });
  const folder = await mkdtemp(join(tmpdir(), 'many-partners-'));
  const ca = join(folder, 'ca.crt');
  await writeFile(ca, authority.cert);
  const sicknessOf = (i: number): Health => (i < frail ? (sicknesses[i % sicknesses.length] ?? 'frozen') : 'healthy');
  const partners = await Promise.all(dns.map((_, i) => new Partner(sicknessOf(i), certificate).listen()));
  const gateway = await runGateway(configuration(partners, ca));
  const agent = new Agent({ connections: 16 });
  const arrived = new Map<string, (at: number) => void>();
  partners.forEach((partner, i) => {
    partner.onPut = (url) => arrived.get(`p${i} ${nameIn(url)}`)?.(performance.now());
  });
  const api = `${gateway.urls.manage}/api/v1`;

  const write = async (name: string, partner: string, turn: number): Promise<void> => {
    const groupId = `sip:${name}@red.example`;
    const { statusCode, body } = await call(
      agent,
      `${api}/groups/${encodeURIComponent(groupId)}`,
      'PUT',
      group(groupId, partner, turn),
    );
    await body.dump();
    if (statusCode >= 300) throw new Error(`the gateway answered ${statusCode}`);
  };
  return {
    frail: partners.slice(0, frail).map((_, i) => `p${i}`),
    healthy: partners.slice(frail).map((_, i) => `p${frail + i}`),
    setSick(sick) {
      for (const partner of partners) partner.isSick = sick;
    },
    write,
    async latency(name, partner, turn) {
      const { promise, resolve } = Promise.withResolvers<number>();
      const key = `${partner} ${name}`;
      arrived.set(key, resolve);
      await write(name, partner, turn);
      const answered = performance.now();
      const at = await promise;
      arrived.delete(key);
      return Math.max(0, at - answered);
    },
    ask(partner, name) {
      const target = `${gateway.urls.xcap}/org.openmobilealliance.groups/global/byGroupID/sip:${name}@${partner}.example`;
      void agent
        .request({
          origin: new URL(target).origin,
          path: new URL(target).pathname,
          method: 'GET',
          headers: { 'X-3GPP-Asserted-Identity': '"sip:mcptt@red.example"' },
        })
        .then(({ body }) => body.dump())
        .catch(() => undefined);
    },
    async waiting() {
      const { body } = await call(agent, `${api}/partners`, 'GET');
      const { partners: listed } = (await body.json()) as {
        partners: { name: string; deliveries: { queued: number; inFlight: number } }[];
      };
      return new Map(listed.map(({ name, deliveries }) => [name, deliveries.queued + deliveries.inFlight]));
    },
    async close() {
      for (const partner of partners) partner.close();
      await agent.destroy();
      await gateway.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** The p-th percentile. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor((p / 100) * sorted.length))] ?? Number.NaN;
}

class Partner {
  readonly #sickness: Health;
  readonly #http: ReturnType<typeof createHttpsServer>;
  readonly #sockets = new Set<Socket>();
  readonly #tags = new Map<string, number>();
  readonly #server: Server = createServer((socket) => this.#accept(socket));
  isSick = false;
  onPut: (url: string) => void = () => undefined;

  constructor(sickness: Health, certificate: TestCertificate) {
    this.#sickness = sickness;
    this.#http = createHttpsServer({ ...certificate }, (request, response) => this.#answer(request, response));
    this.#http.on('tlsClientError', () => undefined);
  }

  get root(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}/xcap-root`;
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  get #health(): Health {
    return this.isSick ? this.#sickness : 'healthy';
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    if (this.#health === 'resetting') socket.resetAndDestroy();
    else if (this.#health === 'frozen') socket.pause();
    else if (this.#health === 'garbage') socket.once('data', () => socket.end('\u0000SSH-2.0 no HTTP at all\r\n\r\n'));
    else this.#http.emit('connection', socket);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    request.once('end', () => void this.#answerSoon(request, response));
  }

  async #answerSoon({ method, url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#health === 'slow') await setTimeout(slowness, undefined, { ref: false });
    if (this.#health === 'failing') {
      response.writeHead(500).end();
      return;
    }
    // What was a healthy connection stays open when the partner freezes.
    if (this.#health === 'frozen') return;
    if (method !== 'PUT') {
      response.writeHead(404).end();
      return;
    }
    this.#tags.set(url, (this.#tags.get(url) ?? 0) + 1);
    response.writeHead(this.#tags.get(url) === 1 ? 201 : 200, { ETag: `"${this.#tags.get(url)}"` }).end();
    this.onPut(url);
  }
}

function configuration(partners: readonly Partner[], ca: string): TestConfiguration {
  const base = redConfiguration();
  return {
    ...base,
    sip: undefined,
    interconnect: { ...(base.interconnect as object), timeout: 2, patience: 1, retry: { first: 0.2, ceiling: 2 } },
    partners: partners.map(({ root }, i) => ({
      name: `p${i}`,
      domains: [`p${i}.example`],
      gms: `sip:gms@p${i}.example`,
      xcapRoots: [root],
      certificates: [{ san: `gms.p${i}.example` }],
      tls: { ca },
      agreement: {
        weProvide: [{ groups: 'sip:*@red.example' }],
        weRequest: [{ groups: `sip:*@p${i}.example` }],
      },
    })),
  };
}

function group(groupId: string, partner: string, turn: number): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<group xmlns="urn:oma:xml:poc:list-service" xmlns:oxe="urn:oma:xml:xdm:extensions" xmlns:m="urn:3gpp:ns:mcpttGroupInfo:1.0">
  <list-service uri="${groupId}">
    <display-name>turn ${turn}</display-name>
    <list><entry uri="sip:member@${partner}.example"/></list>
    <oxe:supported-services>
      <oxe:service enabler="urn:urn-7:3gpp-service.ims.icsi.mcptt"><oxe:group-media><m:mcptt-speech/></oxe:group-media></oxe:service>
    </oxe:supported-services>
  </list-service>
</group>`;
}

function nameIn(url: string): string {
  return /sip:(.*)@/.exec(decodeURIComponent(url.slice(url.lastIndexOf('/') + 1)))?.[1] ?? '';
}

function call(agent: Agent, url: string, method: 'GET' | 'PUT', body?: string): Promise<Dispatcher.ResponseData> {
  const { origin, pathname } = new URL(url);
  return agent.request({
    origin,
    path: pathname,
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body }),
  });
}

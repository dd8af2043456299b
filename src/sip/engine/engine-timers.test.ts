// The timers of RFC 3261 table 4 that a non-INVITE engine has (E, F, J, K), on UDP and on a connection, with a clock moved by hand.
import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import {
  answer,
  connectSrf,
  HandClock,
  portOf,
  type Srf,
  type SrfResponse,
  srfRequest,
  subscribe,
  TcpPeer,
  UdpPeer,
  values,
} from './engine.testkit.ts';
import { type Engine, type EngineOptions, startEngine } from './engine.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Running {
  readonly engine: Engine;
  readonly clock: HandClock;
  readonly srf: Srf;
  /** Call-IDs of what the application was given. */
  readonly given: string[];
}

async function start(timers: EngineOptions['timers'] = {}): Promise<Running> {
  const clock = new HandClock();
  const engine = await startEngine({ listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0'], timers }, { clock });
  closing.push(() => engine.close());
  const given: string[] = [];
  const srf = await connectSrf(engine, {
    options: (request, response) => {
      given.push(request.get('Call-ID'));
      response.send(200);
    },
  });
  closing.push(() => srf.disconnect());
  return { engine, clock, srf, given };
}

async function udp(): Promise<UdpPeer> {
  const peer = await UdpPeer.open();
  closing.push(() => peer.close());
  return peer;
}

/** A listening TCP peer; resolves with its port and its first connection. */
async function listening(): Promise<{ readonly port: number; readonly connected: Promise<TcpPeer> }> {
  const server = createServer();
  closing.push(() => server.close());
  const connected = new Promise<TcpPeer>((resolve) => {
    server.on('connection', (socket) => {
      const peer = new TcpPeer(socket);
      closing.push(() => peer.close());
      resolve(peer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as { port: number }).port, connected };
}

const settled = async (engine: Engine): Promise<void> => {
  while ((await engine.counts()).clientTransactions > 0) await new Promise((resolve) => setImmediate(resolve));
};

describe('client transactions (RFC 3261 17.1.2)', () => {
  test.each<[{ t1?: number; t2?: number }, number[], number]>([
    [{}, [500, 1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000, 4000], 500],
    [{ t1: 100 }, [100, 200, 400, 800, 1600, 3200], 100],
    [{ t1: 100, t2: 400 }, [100, 200, ...Array.from({ length: 15 }, () => 400)], 100],
  ])(
    'timers E and F on UDP with %j: sent again after T1, doubled up to T2, 408 at 64 T1',
    async (timers, pauses, rest) => {
      const { engine, clock, srf } = await start(timers);
      const peer = await udp();
      const outcome = srfRequest(srf, `sip:x@127.0.0.1:${peer.port}`, { method: 'OPTIONS' });
      await peer.next('OPTIONS');
      for (const pause of pauses) {
        clock.advance(pause - 1);
        clock.advance(1);
        await peer.next('OPTIONS');
      }
      expect(peer.all).toHaveLength(pauses.length + 1);
      expect(pauses.reduce((sum, pause) => sum + pause, rest)).toBe(64 * (timers.t1 ?? 500));
      clock.advance(rest);
      expect((await outcome).response.status).toBe(408);
      expect((await engine.counts()).clientTransactions).toBe(0);
      expect(peer.all).toHaveLength(pauses.length + 1);
    },
  );

  test('after a provisional response timer E runs with T2, and timer F as before', async () => {
    const { engine, clock, srf } = await start();
    const peer = await udp();
    const outcome = srfRequest(srf, `sip:x@127.0.0.1:${peer.port}`, { method: 'OPTIONS' });
    const request = await peer.next('OPTIONS');
    peer.send(answer(request, 'SIP/2.0 100 Trying'), portOf(engine, 'udp'));
    // What is answered after it has been taken after it.
    peer.send(subscribe({ port: peer.port, method: 'OPTIONS' }), portOf(engine, 'udp'));
    await peer.next('SIP/2.0 200');
    clock.advance(500);
    for (let time = 500; time + 4000 < 32_000; time += 4000) clock.advance(4000);
    clock.advance(32_000 - 500 - 7 * 4000 - 1);
    for (let count = 0; count < 8; count++) await peer.next('OPTIONS');
    expect(peer.all.filter((text) => text.startsWith('OPTIONS'))).toHaveLength(9);
    clock.advance(1);
    expect((await outcome).response.status).toBe(408);
  });

  test('on a connection there is no timer E, and timer F is the same', async () => {
    const { engine, clock, srf } = await start();
    const { port, connected } = await listening();
    const outcome = srfRequest(srf, `sip:x@127.0.0.1:${port};transport=tcp`, { method: 'OPTIONS' });
    const peer = await connected;
    await peer.next('OPTIONS');
    clock.advance(31_999);
    expect((await engine.counts()).clientTransactions).toBe(1);
    clock.advance(1);
    expect((await outcome).response.status).toBe(408);
    expect(peer.all).toHaveLength(1);
  });

  test.each(['udp', 'tcp'])(
    'timer K over %s: a final response that comes again is absorbed, before T4 and after',
    async (transport) => {
      const { engine, clock, srf } = await start();
      const responses: number[] = [];
      const note = (response: SrfResponse) => responses.push(response.status);
      const { port, connected } = await listening();
      const peer = await udp();
      const target = transport === 'udp' ? `127.0.0.1:${peer.port}` : `127.0.0.1:${port};transport=tcp`;
      await new Promise<void>((resolve, reject) => {
        srf.request(`sip:x@${target}`, { method: 'OPTIONS' }, (error, sent) => {
          sent?.on('response', note);
          if (error) reject(error);
          else resolve();
        });
      });
      const stream = transport === 'udp' ? undefined : await connected;
      const request = await (stream ?? peer).next('OPTIONS');
      const reply = answer(request, 'SIP/2.0 200 OK');
      const send = () => (stream ? stream.send(reply) : peer.send(reply, portOf(engine, 'udp')));
      send();
      await settled(engine);
      for (const pause of [1, 4_998, 2, 30_000]) {
        clock.advance(pause);
        send();
      }
      // What comes after the copies has been taken after them.
      const other = await udp();
      other.send(subscribe({ port: other.port, method: 'OPTIONS' }), portOf(engine, 'udp'));
      await other.next('SIP/2.0 200');
      expect(responses).toEqual([200]);
      expect((await engine.counts()).faults).toBe(0);
    },
  );
});

describe('server transactions (RFC 3261 17.2.2)', () => {
  test('timer J on UDP: the response is replayed for 64 T1, then the same request is a new one', async () => {
    const { engine, clock, given } = await start();
    const peer = await udp();
    const request = subscribe({ port: peer.port, method: 'OPTIONS', callId: 'again' });
    const ask = async (): Promise<string> => {
      peer.send(request, portOf(engine, 'udp'));
      return peer.next('SIP/2.0 200');
    };
    const first = await ask();
    clock.advance(31_999);
    expect(await ask()).toBe(first);
    expect(given).toEqual(['again']);
    expect((await engine.counts()).serverTransactions).toBe(1);
    clock.advance(1);
    expect((await engine.counts()).serverTransactions).toBe(0);
    expect(await ask()).not.toBe(first);
    expect(given).toEqual(['again', 'again']);
  });

  test('timer J on a connection is 0: nothing is kept once the response is written', async () => {
    const { engine, given } = await start();
    const peer = await TcpPeer.connect(portOf(engine, 'tcp'));
    closing.push(() => peer.close());
    peer.send(subscribe({ port: 1, transport: 'TCP', method: 'OPTIONS', callId: 'once' }));
    expect(values(await peer.next('SIP/2.0 200'), 'Call-ID')).toEqual(['once']);
    expect((await engine.counts()).serverTransactions).toBe(0);
    expect(given).toEqual(['once']);
  });
});

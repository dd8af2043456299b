import { once } from 'node:events';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Session, Subscriber, type SubscriptionState, UserAgent } from 'sip.js';
import { WebSocket } from 'ws';
import { testAuthority, testCertificate } from '../../xcap/certificates.testkit.ts';
import {
  answer,
  connectSrf,
  portOf,
  type Srf,
  type SrfRequest,
  srfRequest,
  subscribe,
  TcpPeer,
  values,
} from './engine.testkit.ts';
import { type Engine, startEngine } from './engine.ts';

const headers = {
  Event: 'xcap-diff',
  'Subscription-State': 'active;expires=60',
  'Content-Type': 'application/xcap-diff+xml',
};

describe('TLS, WebSocket', () => {
  let engine: Engine;
  let srf: Srf;
  let authority: { cert: string; key: string };
  let red: { cert: string; key: string };
  const seen: SrfRequest[] = [];
  // A browser's Contact is a name that does not exist: whoever asks for it has not used the connection.
  const asked: string[] = [];
  const ask = async (name: string) => {
    asked.push(name);
    return [];
  };
  const names = { naptr: ask, srv: ask, addresses: ask };

  beforeAll(async () => {
    authority = await testAuthority('Lab');
    const blue = await testCertificate(authority, { dns: ['gms.blue.example'], addresses: ['127.0.0.1'] });
    red = await testCertificate(authority, { dns: ['gms.red.example'] });
    engine = await startEngine(
      {
        listen: ['udp:127.0.0.1:0', 'tls:127.0.0.1:0', 'ws:127.0.0.1:0', 'wss:127.0.0.1:0'],
        tls: { ...blue, ca: authority.cert, requireClientCertificate: false },
      },
      { names },
    );
    srf = await connectSrf(engine, {
      options: (request, response) => {
        seen.push(request);
        response.send(200);
      },
      subscribe: (request, response) => {
        seen.push(request);
        response.send(200, { headers: { Expires: request.get('Expires') } }, () => {
          const state = request.get('Expires') === '0' ? 'terminated;reason=timeout' : 'active;expires=60';
          void srfRequest(srf, 'sip:placeholder', {
            method: 'NOTIFY',
            stackDialogId: response.meta.dialogId,
            headers: { ...headers, 'Subscription-State': state },
            body: '<xcap-diff/>',
          }).catch(() => undefined);
        });
      },
    });
  });
  afterAll(async () => {
    srf.disconnect();
    await engine.close();
  });

  const dial = async (client: object) => {
    const socket = connect({ host: '127.0.0.1', port: portOf(engine, 'tls'), ca: authority.cert, ...client });
    await once(socket, 'secureConnect');
    return new TcpPeer(socket);
  };

  test('RFC 5922 7: a client certificate names the peer to the application, none names nobody', async () => {
    for (const [client, name] of [
      [red, 'gms.red.example'],
      [{}, undefined],
    ] as const) {
      const peer = await dial(client);
      peer.send(subscribe({ port: 1, transport: 'TLS', method: 'OPTIONS' }));
      expect(await peer.next()).toMatch(/^SIP\/2.0 200/);
      expect(seen.at(-1)?.sessionToken).toBe(name);
      expect(seen.at(-1)?.protocol).toBe('tls');
      peer.close();
    }
  });

  test('RFC 5630 5.1: over TLS a SIPS Request-URI is served', async () => {
    const peer = await dial({});
    peer.send(subscribe({ port: 1, transport: 'TLS', method: 'OPTIONS' }).replace('OPTIONS sip:', 'OPTIONS sips:'));
    expect(await peer.next()).toMatch(/^SIP\/2.0 200/);
    peer.close();
  });

  test('an outgoing connection shows our certificate and refuses a peer with another name (RFC 5922 7.1)', async () => {
    const certificate = await testCertificate(authority, { addresses: ['127.0.0.1'] });
    const wrong = await testCertificate(authority, { dns: ['other.example'] });
    for (const [shown, expected] of [
      [certificate, 200],
      [wrong, 503],
    ] as const) {
      const server = createServer({ ...shown, ca: authority.cert, requestCert: true }, (socket: TLSSocket) => {
        const peer = new TcpPeer(socket);
        void peer.next('OPTIONS').then((request) => {
          const name = socket.getPeerCertificate().subjectaltname;
          peer.send(answer(request, 'SIP/2.0 200 OK', [`X-Seen: ${name}`]));
        });
      });
      server.on('tlsClientError', () => undefined);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as { port: number };
      const { response } = await srfRequest(srf, `sip:gms@127.0.0.1:${port};transport=tls`, { method: 'OPTIONS' });
      expect(response.status).toBe(expected);
      if (expected === 200) expect(response.get('X-Seen')).toContain('DNS:gms.blue.example');
      server.close();
    }
  });

  test.each(['ws', 'wss'])(
    'RFC 7118 5: one message in each message of a %s connection, NOTIFY comes back on it',
    async (transport) => {
      const socket = new WebSocket(`${transport}://127.0.0.1:${portOf(engine, transport)}/`, 'sip', {
        ca: authority.cert,
      });
      const received: string[] = [];
      const waiting: (() => void)[] = [];
      socket.on('message', (data) => {
        received.push(data.toString());
        for (const wake of waiting.splice(0)) wake();
      });
      await once(socket, 'open');
      const contact = `<sip:alice@df7jal23ls0d.invalid;transport=ws>`;
      socket.send(subscribe({ port: 1, transport: transport.toUpperCase(), contact, callId: transport }));
      while (received.length < 2) await new Promise<void>((resolve) => waiting.push(resolve));
      expect(received[0]).toMatch(/^SIP\/2.0 200/);
      expect(received[1]).toMatch(/^NOTIFY sip:alice@df7jal23ls0d.invalid;transport=ws SIP\/2.0/);
      expect(values(received[1] ?? '', 'Via')[0]).toContain(`SIP/2.0/${transport.toUpperCase()} 127.0.0.1:`);
      socket.send(answer(received[1] ?? '', 'SIP/2.0 200 OK'));
      socket.close();
      await once(socket, 'close');
    },
  );

  test('RFC 7118 4: a client that does not offer the sub-protocol is refused', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${portOf(engine, 'ws')}/`);
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toContain('400');
  });

  test('sip.js as an independent subscriber: NOTIFY, then a last one after it unsubscribes', async () => {
    const uri = UserAgent.makeURI('sip:alice@blue.example');
    const target = UserAgent.makeURI('sip:gms@blue.example');
    if (!uri || !target) throw new Error('no URI');
    const agent = new UserAgent({
      uri,
      transportOptions: { server: `ws://127.0.0.1:${portOf(engine, 'ws')}/` },
      logLevel: 'error',
      logBuiltinEnabled: false,
    });
    await agent.start();
    const subscriber = new Subscriber(agent, target, 'xcap-diff', { expires: 60 });
    const states: (SubscriptionState | Session)[] = [];
    const bodies: string[] = [];
    let wake: () => void = () => undefined;
    subscriber.stateChange.addListener((state) => {
      states.push(state);
      wake();
    });
    subscriber.delegate = {
      onNotify: (notification) => {
        bodies.push(notification.request.body);
        void notification.accept();
        wake();
      },
    };
    const until = async (done: () => boolean) => {
      while (!done()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    await subscriber.subscribe();
    await until(() => bodies.length === 1 && states.includes('Subscribed' as SubscriptionState));
    await subscriber.unsubscribe();
    await until(() => states.includes('Terminated' as SubscriptionState));
    expect(bodies[0]).toBe('<xcap-diff/>');
    await agent.stop();
  });
});

test('a TLS address without certificate is a named error', async () => {
  await expect(startEngine({ listen: ['tls:127.0.0.1:0'] })).rejects.toThrow('needs a certificate');
});

// What a configuration makes of the SIP engine: an embedded one that asks for certificates, or one elsewhere.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { expect, test } from '@jest/globals';
import { readOnce } from '../config/configured-files.ts';
import { configurationSchema } from '../config/schema.ts';
import { redConfiguration, runGateway } from './gateway.testkit.ts';
import { engineOptions, openSipEngine } from './sip-engine.ts';

const small = {
  system: { name: 'red', domains: ['red.example'], gms: 'sip:gms@red.example' },
  xcap: { listen: { port: 8080 }, root: 'http://127.0.0.1:8080/xcap-root' },
  storage: { sqlite: 'red.db' },
};

test('an engine elsewhere takes frames as large as configured, and gets host, port and secret alone', async () => {
  const drachtio = { host: '127.0.0.1', port: 9022, secret: 's' };
  const store = { subscriptions: async () => [] };
  for (const [more, largestFrame] of [
    [{}, 12_000],
    [{ largestFrame: 1_048_576 }, 1_048_576],
    [{ tls: { port: 9023, cert: 'a', key: 'b' } }, 12_000],
  ] as const) {
    const configuration = configurationSchema.parse({
      ...small,
      sip: { listen: ['udp:127.0.0.1:5060'], engine: { drachtio: { ...drachtio, ...more } } },
    });
    if (configuration.sip === undefined) throw new Error('no sip');
    const { access } = await openSipEngine(configuration, configuration.sip, readOnce(), store);
    expect(access).toMatchObject({ control: drachtio, largestFrame });
    expect(Object.keys(access.control)).toEqual(['host', 'port', 'secret']);
  }
});

test('RFC 3261 17: T1 and T2 of the configuration reach the engine', () => {
  const sip = { listen: ['udp:127.0.0.1:5060'], timers: { t1: 200, t2: 1_000 } };
  const configuration = configurationSchema.parse({ ...small, sip });
  if (configuration.sip === undefined) throw new Error('no sip');
  expect(engineOptions(configuration, configuration.sip, readOnce()).timers).toEqual({ t1: 200, t2: 1_000 });
});

test('RFC 5922 7.3: where client certificates are required, a peer without one is turned away', async () => {
  const gateway = await runGateway({
    ...redConfiguration(),
    sip: {
      listen: ['tls:127.0.0.1:0'],
      tls: { cert: 'red.crt', key: 'red.key', ca: 'ca.crt', requireClientCertificate: true },
    },
  });
  try {
    const port = Number(/:(\d+)(;|$)/.exec((gateway.urls.sip[0] ?? '').slice(4))?.[1]);
    const file = (name: string) => readFile(join(gateway.folder, name));
    const ca = await file('ca.crt');
    const ping = async (own: object): Promise<string> => {
      const socket = connect({ host: '127.0.0.1', port, ca, ...own });
      socket.on('error', () => undefined);
      socket.write('\r\n\r\n');
      const outcome = await new Promise<string>((resolve) => {
        socket.once('data', (octets) => resolve(String(octets)));
        socket.once('close', () => resolve('closed'));
      });
      socket.destroy();
      return outcome;
    };
    expect(await ping({})).toBe('closed');
    expect(await ping({ cert: await file('red.crt'), key: await file('red.key') })).toBe('\r\n');
  } finally {
    await gateway.close();
  }
});

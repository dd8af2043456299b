import { expect, test } from '@jest/globals';
import { type Configuration, configurationSchema } from '../config/schema.ts';
import { restartKeys, takenOver } from './restart-keys.ts';

const running: Configuration = configurationSchema.parse({
  system: { name: 'blue', domains: ['blue.example'], gms: 'sip:gms@blue.example' },
  xcap: { listen: { port: 8080 }, root: 'http://127.0.0.1:8080/xcap-root' },
  interconnect: { listen: { port: 8081 }, root: 'https://127.0.0.1:8081/xcap-root' },
  storage: { sqlite: 'blue.db' },
});

test('what reload takes over needs no restart', () => {
  const changed: Configuration = {
    ...running,
    identity: { ...running.identity, trustedProxies: ['10.0.0.0/8'] },
    logging: { level: 'debug' },
    ...(running.interconnect === undefined
      ? {}
      : { interconnect: { ...running.interconnect, revalidate: 5, timeout: 1 } }),
  };
  expect(restartKeys(running, changed)).toEqual([]);
});

test('whom we serve is one thing for policies and documents: it changes for neither until a restart', () => {
  const changed: Configuration = { ...running, system: { ...running.system, servedUsers: ['sip:omar@red.example'] } };
  expect(takenOver(running, changed).system).toEqual(running.system);
  expect(restartKeys(running, changed)).toEqual(['system.servedUsers']);
});

test('everything else is named by its key', () => {
  const changed: Configuration = {
    ...running,
    system: { ...running.system, gms: 'sip:other@blue.example' },
    xcap: { ...running.xcap, listen: { ...running.xcap.listen, port: 8888 } },
    sip: configurationSchema.shape.sip.parse({ listen: ['udp:127.0.0.1:5060'] }),
  };
  expect(restartKeys(running, changed)).toEqual(['system.gms', 'xcap.listen', 'sip']);
});

test('certificates, CAs and revocation lists under other names are taken over where client certificates stay asked for, or not', () => {
  const tls = { cert: '/a.crt', key: '/a.key', clientCa: '/ca.crt' };
  const other = { cert: '/b.crt', key: '/b.key', clientCa: '/ca.crt', crl: '/list.crl' };
  const withTls = (files: typeof tls | Omit<typeof tls, 'clientCa'>): Configuration => ({
    ...running,
    xcap: { ...running.xcap, listen: { ...running.xcap.listen, tls: files } },
  });
  expect(takenOver(withTls(tls), withTls(other)).xcap.listen.tls).toEqual(other);
  expect(restartKeys(withTls(tls), withTls(other))).toEqual([]);
  const { clientCa: _asked, ...nobody } = other;
  expect(takenOver(withTls(tls), withTls(nobody)).xcap.listen.tls).toEqual(tls);
  expect(restartKeys(withTls(tls), withTls(nobody))).toEqual(['xcap.listen']);
});

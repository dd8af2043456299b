// Which server the client towards partners believes, and which of several it asks.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { certificateFacts } from '../identity/certificates.ts';
import { type TestCertificate, testAuthority, testCertificate } from './certificates.testkit.ts';
import { isUsableRoot } from './partner-client.ts';
import { answering, bytes, group, type ScriptedPartner, scriptedPartner } from './scripted-partner.testkit.ts';

let partner: ScriptedPartner;

beforeEach(async () => {
  partner = await scriptedPartner();
});
afterEach(() => partner.close());

describe('whom we believe', () => {
  const certificates: Record<string, () => Promise<TestCertificate>> = {
    'a certificate that is not pinned': () =>
      testCertificate(partner.authority, { dns: ['other.red.example'], addresses: ['127.0.0.1'] }),
    'a pinned certificate for another host': () => testCertificate(partner.authority, { dns: ['gms.red.example'] }),
    'a certificate of an unknown CA': async () =>
      testCertificate(await testAuthority('strange'), { dns: ['gms.red.example'], addresses: ['127.0.0.1'] }),
    'an expired certificate': () =>
      testCertificate(
        partner.authority,
        { dns: ['gms.red.example'], addresses: ['127.0.0.1'] },
        new Date(Date.now() - 60_000),
      ),
  };

  test.each(Object.keys(certificates))('%s gets nothing from us', async (name) => {
    const root = await partner.gms(answering(200), await certificates[name]?.());
    expect(await partner.client([root]).provide('red', group, bytes, undefined)).toMatchObject({ outcome: 'failed' });
    expect(partner.received).toEqual([]);
  });

  test('a key may be pinned instead of a name', async () => {
    const leaf = await testCertificate(partner.authority, { addresses: ['127.0.0.1'] });
    const root = await partner.gms(answering(200), leaf);
    const { spki } = certificateFacts(leaf.cert);
    expect(await partner.client([root], { certificates: [{ spki }] }).withdraw('red', group, undefined)).toMatchObject({
      outcome: 'accepted',
    });
  });

  test.each([
    ['https://gms.red.example/xcap-root', true],
    ['http://127.0.0.1:8081/xcap-root', true],
    ['http://[::1]:8081/', true],
    ['http://localhost:8081/', false],
    ['http://gms.red.example/', false],
    ['http://192.0.2.1/', false],
    ['ftp://127.0.0.1/', false],
    ['nonsense', false],
  ])('the root %s is usable: %s', (root, usable) => {
    expect(isUsableRoot(root)).toBe(usable);
    if (!usable) expect(() => partner.client([root])).toThrow(root);
  });

  test('without TLS, to a loopback address', async () => {
    const root = await partner.plainGms(answering(200));
    expect(await partner.client([root]).withdraw('red', group, undefined)).toMatchObject({ outcome: 'accepted' });
  });
});

describe('several roots', () => {
  const refused = 'https://127.0.0.1:1/xcap-root';

  test('the next one is asked when one cannot be reached or answers 5xx', async () => {
    const broken = await partner.gms(answering(502));
    const good = await partner.gms(answering(200));
    expect(await partner.client([refused, broken, good]).withdraw('red', group, undefined)).toMatchObject({
      outcome: 'accepted',
    });
    expect(partner.received).toHaveLength(2);
  });

  test('a 4xx is an answer: nobody else is asked', async () => {
    const first = await partner.gms(answering(403));
    const second = await partner.gms(answering(200));
    expect(await partner.client([first, second]).withdraw('red', group, undefined)).toMatchObject({
      outcome: 'refused',
    });
    expect(partner.received).toHaveLength(1);
  });

  test('a root that failed is asked last for half a minute, then first again', async () => {
    let broken = true;
    const asked: string[] = [];
    const first = await partner.gms((response) => {
      asked.push('first');
      response.writeHead(broken ? 503 : 200).end();
    });
    const second = await partner.gms((response) => {
      asked.push('second');
      response.writeHead(200).end();
    });
    const red = partner.client([first, second]);
    await red.withdraw('red', group, undefined);
    broken = false;
    await red.withdraw('red', group, undefined);
    partner.clock += 31_000;
    await red.withdraw('red', group, undefined);
    expect(asked).toEqual(['first', 'second', 'second', 'first']);
  });

  test('a kept connection that the other side has just closed costs no failure', async () => {
    let connections = 0;
    const root = await partner.gms((response) => {
      response.writeHead(200).end();
      // Closed without a word after the answer, so that the client finds out by using it
      if (++connections === 1) response.once('finish', () => setImmediate(() => response.socket?.destroy()));
    });
    const red = partner.client([root]);
    expect(await red.withdraw('red', group, undefined)).toMatchObject({ outcome: 'accepted' });
    expect(await red.withdraw('red', group, undefined)).toMatchObject({ outcome: 'accepted' });
  });

  test('a request that is ended fails at once, and no other root is asked', async () => {
    const ended = new AbortController();
    const asked: string[] = [];
    const frozen = await partner.gms(() => {
      asked.push('frozen');
      ended.abort(new Error('the gateway stops'));
    });
    const other = await partner.gms(() => asked.push('other'));
    expect(await partner.client([frozen, other]).fetch('red', group, undefined, ended.signal)).toEqual({
      outcome: 'failed',
      reason: expect.stringMatching(/the gateway stops/),
    });
    expect(asked).toEqual(['frozen']);
  });

  test('a request that waits for a connection is ended too', async () => {
    const ended = new AbortController();
    const sockets = new Set<Socket>();
    // Takes connections and says nothing: the handshake never ends
    const frozen = createServer((socket) => {
      sockets.add(socket);
      ended.abort(new Error('the gateway stops'));
    });
    frozen.listen(0, '127.0.0.1');
    await once(frozen, 'listening');
    const { port } = frozen.address() as AddressInfo;
    const red = partner.client([`https://127.0.0.1:${port}/xcap-root`], {}, 60_000);
    const requests = Array.from({ length: 20 }, () => red.fetch('red', group, undefined, ended.signal));
    const outcomes = await Promise.all(requests);
    expect(outcomes.filter((one) => one.outcome === 'failed' && /the gateway stops/.test(one.reason))).toHaveLength(20);
    await red.close();
    for (const socket of sockets) socket.destroy();
    frozen.close();
  });

  test('nothing answers: the reason names the last root', async () => {
    expect(await partner.client([refused]).fetch('red', group, undefined)).toEqual({
      outcome: 'failed',
      reason: expect.stringMatching(/^https:\/\/127\.0\.0\.1:1\/xcap-root: .*ECONNREFUSED/),
    });
  });

  test.each(['silent', 'unknown'])('a partner that is %s cannot be asked, and nothing throws', async (name) => {
    const red = partner.client([]);
    expect(await red.provide(name, group, bytes, undefined)).toMatchObject({ outcome: 'failed' });
    expect(await red.fetch(name, group, undefined)).toMatchObject({ outcome: 'failed' });
  });

  test('after close every request fails, and nothing throws', async () => {
    const red = partner.client([await partner.gms(answering(200))]);
    await red.close();
    expect(await red.withdraw('red', group, undefined)).toMatchObject({ outcome: 'failed' });
  });
});

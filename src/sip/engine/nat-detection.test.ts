// Where a NOTIFY goes over UDP when the subscriber's Contact is not the source of its SUBSCRIBE (RFC 3261 clause 12.2.1.1).
import { describe, expect, test } from '@jest/globals';
import type { NatDetection } from './core.ts';
import { answer, connectSrf, HandClock, portOf, srfRequest, subscribe, UdpPeer } from './engine.testkit.ts';
import { startEngine } from './engine.ts';

const notify = {
  method: 'NOTIFY',
  headers: { Event: 'xcap-diff', 'Subscription-State': 'active;expires=3600' },
  stackDialogId: 'nat;from-tag=alice1',
};

/**
 * Subscribes from one socket with the Contact of another and lets one NOTIFY go out.
 * @param contact URI with PORT in place of the other socket's port
 * @param answering which socket answers it
 */
async function play(natDetection: NatDetection, contact: string, answering: 'source' | 'contact' | 'nobody') {
  const engine = await startEngine({ listen: ['udp:127.0.0.1:0'], natDetection, timers: { t1: 10, t2: 80 } });
  const [source, named] = [await UdpPeer.open(), await UdpPeer.open()];
  const srf = await connectSrf(engine, {
    subscribe: (_request, response) => response.send(200, { headers: { Expires: '3600' } }),
  });
  const port = portOf(engine, 'udp');
  const uri = contact.replace('PORT', String(named.port));
  source.send(subscribe({ port: source.port, callId: 'nat', contact: `<${uri}>` }), port);
  await source.next('SIP/2.0 200');
  const outcome = srfRequest(srf, 'sip:placeholder', notify);
  const peer = answering === 'source' ? source : named;
  if (answering !== 'nobody') {
    const request = await peer.next('NOTIFY');
    expect(request).toContain(`NOTIFY ${uri} SIP/2.0`);
    peer.send(answer(request, 'SIP/2.0 200 OK'), port);
  }
  const { status } = (await outcome).response;
  const tried = { source: source.all.length > 1, contact: named.all.length > 0 };
  srf.disconnect();
  for (const socket of [source, named]) socket.close();
  await engine.close();
  return { status, ...tried };
}

describe('RFC 3261 12.2.1.1: the remote target is the Contact', () => {
  const elsewhere = 'sip:alice@127.0.0.1:PORT';

  test.each(['auto', 'never'] as const)('%s: another port of the same address is no NAT', async (mode) => {
    expect(await play(mode, elsewhere, 'contact')).toEqual({ status: 200, source: false, contact: true });
  });

  test('auto: nobody answers there, so the source is tried', async () => {
    expect(await play('auto', elsewhere, 'source')).toEqual({ status: 200, source: true, contact: true });
  });

  test('never: nobody answers there, and that is all', async () => {
    expect(await play('never', elsewhere, 'nobody')).toEqual({ status: 408, source: false, contact: true });
  });

  test('auto: nobody answers anywhere', async () => {
    expect(await play('auto', elsewhere, 'nobody')).toEqual({ status: 408, source: true, contact: true });
  });

  test('auto: a Contact of another private network is behind a NAT, the source is answered', async () => {
    expect(await play('auto', 'sip:alice@10.9.8.7:5060', 'source')).toMatchObject({ status: 200, source: true });
  });

  test('auto: a name that nobody knows leaves the source', async () => {
    expect(await play('auto', 'sip:alice@host.invalid', 'source')).toMatchObject({ status: 200, source: true });
  });

  test('auto: a name service that does not answer leaves the source', async () => {
    const never = new Promise<never>(() => undefined);
    const names = { naptr: () => never, srv: () => never, addresses: () => never };
    const clock = new HandClock();
    const engine = await startEngine({ listen: ['udp:127.0.0.1:0'] }, { names, clock });
    const peer = await UdpPeer.open();
    const srf = await connectSrf(engine, {
      subscribe: (_request, response) => response.send(200, { headers: { Expires: '3600' } }),
    });
    peer.send(subscribe({ port: peer.port, callId: 'nat', contact: '<sip:a@b.example>' }), portOf(engine, 'udp'));
    await peer.next('SIP/2.0 200');
    const outcome = srfRequest(srf, 'sip:placeholder', notify);
    while (peer.all.length < 2) {
      clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    peer.send(answer(await peer.next('NOTIFY'), 'SIP/2.0 200 OK'), portOf(engine, 'udp'));
    expect((await outcome).response.status).toBe(200);
    srf.disconnect();
    peer.close();
    await engine.close();
  });

  test('always: the source first, as a drachtio-server does', async () => {
    expect(await play('always', elsewhere, 'source')).toEqual({ status: 200, source: true, contact: false });
  });

  test('always: nobody answers there, so the Contact is tried', async () => {
    expect(await play('always', elsewhere, 'contact')).toEqual({ status: 200, source: true, contact: true });
  });
});

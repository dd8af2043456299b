import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  answer,
  connectSrf,
  HandClock,
  portOf,
  type Srf,
  type SrfRequest,
  type SrfResponse,
  sip,
  srfRequest,
  subscribe,
  tagOf,
  UdpPeer,
  values,
} from './engine.testkit.ts';
import { type Engine, startEngine } from './engine.ts';

const NOTIFY = {
  method: 'NOTIFY',
  headers: {
    Event: 'xcap-diff',
    'Subscription-State': 'active;expires=3600',
    'Content-Type': 'application/xcap-diff+xml',
  },
  body: '<xcap-diff>Übung</xcap-diff>',
};

/** Answers 200 and gives back the dialog id. */
function accept(response: SrfResponse, expires = '3600'): Promise<string> {
  return new Promise((resolve, reject) => {
    response.send(200, { headers: { Expires: expires } }, (error) =>
      error ? reject(error) : resolve(response.meta.dialogId),
    );
  });
}

describe('unmodified drachtio-srf over UDP', () => {
  let engine: Engine;
  let peer: UdpPeer;
  let srf: Srf;
  let connected = false;
  const clock = new HandClock();
  const seen: SrfRequest[] = [];
  let onSubscribe: (request: SrfRequest, response: SrfResponse) => void;

  beforeEach(async () => {
    engine = await startEngine({ listen: ['udp:127.0.0.1:0'] }, { clock });
    peer = await UdpPeer.open();
    connected = true;
    seen.length = 0;
    onSubscribe = (_request, response) => response.send(200, { headers: { Expires: '3600' } });
    srf = await connectSrf(engine, {
      options: (request, response) => {
        seen.push(request);
        response.send(200, { headers: { Accept: 'application/xcap-diff+xml' } });
      },
      subscribe: (request, response) => {
        seen.push(request);
        onSubscribe(request, response);
      },
      notify: (request, response) => {
        seen.push(request);
        response.send(200);
      },
    });
  });
  afterEach(async () => {
    if (connected) srf.disconnect();
    peer.close();
    await engine.close();
  });
  const toEngine = (text: string) => peer.send(text, portOf(engine, 'udp'));

  test('RFC 6665 4.2: SUBSCRIBE, 200, NOTIFY, 200, refresh, unsubscribe, last NOTIFY', async () => {
    const dialogs: string[] = [];
    onSubscribe = (request, response) => {
      void accept(response, request.get('Expires')).then((id) => dialogs.push(request.stackDialogId, id));
    };
    toEngine(subscribe({ port: peer.port, callId: 'life@peer' }));
    const ok = await peer.next('SIP/2.0 200');
    const toTag = tagOf(values(ok, 'To')[0]);
    expect(toTag).not.toBe('');
    expect(values(ok, 'Contact')).toEqual([`<sip:127.0.0.1:${portOf(engine, 'udp')}>`]);
    expect(values(ok, 'Expires')).toEqual(['3600']);

    const first = srfRequest(srf, 'sip:placeholder', { ...NOTIFY, stackDialogId: 'life@peer;from-tag=alice1' });
    const notify = await peer.next('NOTIFY');
    expect(notify.split('\r\n')[0]).toBe(`NOTIFY sip:alice@127.0.0.1:${peer.port} SIP/2.0`);
    expect(values(notify, 'From')).toEqual([`<sip:gms@blue.example>;tag=${toTag}`]);
    expect(values(notify, 'To')).toEqual(['"Alice" <sip:alice@blue.example>;tag=alice1']);
    expect(values(notify, 'Contact')).toHaveLength(1);
    expect(values(notify, 'Content-Length')).toEqual([String(Buffer.byteLength(NOTIFY.body))]);
    expect(notify.endsWith(`\r\n\r\n${NOTIFY.body}`)).toBe(true);
    toEngine(answer(notify, 'SIP/2.0 200 OK'));
    expect((await first).response.status).toBe(200);

    toEngine(subscribe({ port: peer.port, callId: 'life@peer', toTag, cseq: 11 }));
    await peer.next('SIP/2.0 200');
    toEngine(subscribe({ port: peer.port, callId: 'life@peer', toTag, cseq: 12, extra: ['Expires: 0'] }));
    await peer.next('SIP/2.0 200');
    const id = 'life@peer;from-tag=alice1';

    const terminated = { Event: 'xcap-diff', 'Subscription-State': 'terminated;reason=timeout' };
    const last = srfRequest(srf, 'sip:placeholder', { method: 'NOTIFY', stackDialogId: id, headers: terminated });
    const lastNotify = await peer.next('NOTIFY');
    expect(Number.parseInt(values(lastNotify, 'CSeq')[0] ?? '', 10)).toBe(
      Number.parseInt(values(notify, 'CSeq')[0] ?? '', 10) + 1,
    );
    toEngine(answer(lastNotify, 'SIP/2.0 200 OK'));
    expect((await last).response.status).toBe(200);
    expect(dialogs).toEqual(['', id, id, id, id, id]);
    expect((await engine.counts()).dialogs).toBe(0);
    await expect(srfRequest(srf, 'sip:placeholder', { ...NOTIFY, stackDialogId: id })).rejects.toMatchObject({
      code: 'ENODIALOG',
    });
  });

  test('RFC 3261 17.2.2: a lost 200 is replayed and the application is asked once', async () => {
    const text = subscribe({ port: peer.port });
    toEngine(text);
    const first = await peer.next('SIP/2.0 200');
    toEngine(text);
    expect(await peer.next('SIP/2.0 200')).toBe(first);
    expect(seen).toHaveLength(1);
    clock.advance(32_000);
    expect((await engine.counts()).serverTransactions).toBe(0);
  });

  test('RFC 3261 17.2.2: retransmissions are absorbed while the application thinks', async () => {
    let late: SrfResponse | undefined;
    onSubscribe = (_request, response) => {
      late = response;
    };
    const text = subscribe({ port: peer.port, callId: 'slow' });
    toEngine(text);
    toEngine(text);
    toEngine(subscribe({ port: peer.port, method: 'OPTIONS' }));
    await peer.next('SIP/2.0 200');
    expect(seen.map(({ method }) => method)).toEqual(['SUBSCRIBE', 'OPTIONS']);
    late?.send(200);
    expect(values(await peer.next('SIP/2.0 200'), 'Call-ID')).toEqual(['slow']);
  });

  test('RFC 3261 17.1.2.2: a NOTIFY nobody answers is sent 11 times, then it is 408 and the dialog is gone', async () => {
    toEngine(subscribe({ port: peer.port, callId: 'deaf' }));
    await peer.next('SIP/2.0 200');
    const outcome = srfRequest(srf, 'sip:placeholder', { ...NOTIFY, stackDialogId: 'deaf;from-tag=alice1' });
    const sent = [await peer.next('NOTIFY')];
    // Timer E: 0.5, 1, 2 s, then every 4 s (T2).
    for (const pause of [500, 1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000, 4000]) {
      clock.advance(pause - 1);
      expect(peer.all.filter((text) => text.startsWith('NOTIFY'))).toHaveLength(sent.length);
      clock.advance(1);
      sent.push(await peer.next('NOTIFY'));
    }
    expect(sent).toHaveLength(11);
    expect(new Set(sent).size).toBe(1);
    clock.advance(500);
    const { response } = await outcome;
    expect([response.status, response.reason]).toEqual([408, 'Request Timeout']);
    expect(await engine.counts()).toMatchObject({ dialogs: 0, clientTransactions: 0 });
  });

  test('RFC 3261 17.1.2.2: after a provisional response retransmissions come every T2', async () => {
    toEngine(subscribe({ port: peer.port, callId: 'busy' }));
    await peer.next('SIP/2.0 200');
    const outcome = srfRequest(srf, 'sip:placeholder', { ...NOTIFY, stackDialogId: 'busy;from-tag=alice1' });
    const notify = await peer.next('NOTIFY');
    toEngine(answer(notify, 'SIP/2.0 100 Trying'));
    toEngine(subscribe({ port: peer.port, method: 'OPTIONS' }));
    await peer.next('SIP/2.0 200');
    clock.advance(500);
    await peer.next('NOTIFY');
    clock.advance(3_999);
    expect(peer.all.filter((text) => text.startsWith('NOTIFY'))).toHaveLength(2);
    clock.advance(1);
    await peer.next('NOTIFY');
    toEngine(answer(notify, 'SIP/2.0 200 OK'));
    expect((await outcome).response.status).toBe(200);
  });

  test('RFC 6665 4.2.2: 481 to a NOTIFY ends the dialog', async () => {
    toEngine(subscribe({ port: peer.port, callId: 'gone' }));
    await peer.next('SIP/2.0 200');
    const outcome = srfRequest(srf, 'sip:placeholder', { ...NOTIFY, stackDialogId: 'gone;from-tag=alice1' });
    toEngine(answer(await peer.next('NOTIFY'), 'SIP/2.0 481 Subscription does not exist'));
    expect((await outcome).response.status).toBe(481);
    expect((await engine.counts()).dialogs).toBe(0);
  });

  test('RFC 3261 12.2.2: a request that is out of order is 500, one with a gap is delivered', async () => {
    toEngine(subscribe({ port: peer.port, callId: 'order' }));
    const toTag = tagOf(values(await peer.next('SIP/2.0 200'), 'To')[0]);
    toEngine(subscribe({ port: peer.port, callId: 'order', toTag, cseq: 9 }));
    expect(await peer.next()).toMatch(/^SIP\/2.0 500/);
    toEngine(subscribe({ port: peer.port, callId: 'order', toTag, cseq: 20 }));
    expect(await peer.next()).toMatch(/^SIP\/2.0 200/);
  });

  test('a request for a dialog that is not known is delivered without dialog id, as drachtio-server does', async () => {
    onSubscribe = (_request, response) => response.send(481);
    toEngine(subscribe({ port: peer.port, toTag: 'unknown' }));
    await peer.next('SIP/2.0 481');
    expect(seen.map(({ stackDialogId }) => stackDialogId)).toEqual(['']);
  });

  test.each([
    ['RFC 3261 8.2.1: INVITE is 405 with Allow', 'INVITE', [], /^SIP\/2.0 405[\s\S]*Allow: OPTIONS, SUBSCRIBE, NOTIFY/],
    ['RFC 3261 8.2.1: a method that no application takes is 405', 'PUBLISH', [], /^SIP\/2.0 405/],
    ['RFC 3261 21.5.2: an unknown method is 501', 'FROBNICATE', [], /^SIP\/2.0 501/],
    [
      'RFC 3261 8.2.2.3: Require is 420 with Unsupported',
      'OPTIONS',
      ['Require: foo'],
      /^SIP\/2.0 420[\s\S]*Unsupported: foo/,
    ],
    ['RFC 3261 9.2: CANCEL of nothing is 481', 'CANCEL', [], /^SIP\/2.0 481/],
    ['RFC 3261 12.1.1: SUBSCRIBE without Contact is 400', 'SUBSCRIBE', ['no contact'], /^SIP\/2.0 400/],
    ['RFC 3261 20.22: Max-Forwards over 255 is 400', 'OPTIONS', ['Max-Forwards: 256'], /^SIP\/2.0 400/],
    ['RFC 4475 3.3.11: Max-Forwards 0 does not matter to the last hop', 'OPTIONS', ['mf 0'], /^SIP\/2.0 200/],
  ])('%s', async (_rule, method, extra, expected) => {
    let text = subscribe({ port: peer.port, method, extra: extra.filter((line) => line.includes(':')) });
    if (extra[0] === 'no contact') text = text.replace(/Contact: .*\r\n/, '');
    if (extra[0] === 'mf 0') text = text.replace('Max-Forwards: 70', 'Max-Forwards: 0');
    toEngine(text);
    expect(await peer.next()).toMatch(expected);
  });

  test.each(['tel:+4930123', 'sips:gms@blue.example', 'unknown:thing'])('RFC 3261 8.2.2.1: %s is 416', async (uri) => {
    toEngine(subscribe({ port: peer.port }).replace('sip:gms@blue.example SIP', `${uri} SIP`));
    expect(await peer.next()).toMatch(/^SIP\/2.0 416/);
  });

  test('RFC 3261 9.2: CANCEL of a request in progress is 200 and changes nothing', async () => {
    let held: SrfResponse | undefined;
    onSubscribe = (_request, response) => {
      held = response;
    };
    toEngine(subscribe({ port: peer.port, callId: 'c', branch: 'z9hG4bKc' }));
    toEngine(subscribe({ port: peer.port, callId: 'c', branch: 'z9hG4bKc', method: 'CANCEL' }));
    expect(values(await peer.next('SIP/2.0 200'), 'CSeq')).toEqual(['10 CANCEL']);
    held?.send(200);
    expect(values(await peer.next('SIP/2.0 200'), 'CSeq')).toEqual(['10 SUBSCRIBE']);
  });

  test('RFC 3261 17.1: ACK is never answered', async () => {
    toEngine(subscribe({ port: peer.port, method: 'ACK' }));
    toEngine(subscribe({ port: peer.port, method: 'ACK', extra: ['Max-Forwards: x'] }));
    toEngine(subscribe({ port: peer.port, method: 'OPTIONS' }));
    expect(values(await peer.next(), 'CSeq')).toEqual(['10 OPTIONS']);
  });

  test('RFC 3261 8.2.2.2: the same request by another way is 482', async () => {
    toEngine(subscribe({ port: peer.port, callId: 'forked', branch: 'z9hG4bKone' }));
    await peer.next('SIP/2.0 200');
    toEngine(subscribe({ port: peer.port, callId: 'forked', branch: 'z9hG4bKtwo' }));
    expect(await peer.next()).toMatch(/^SIP\/2.0 482/);
    expect(seen).toHaveLength(1);
  });

  test('RFC 3261 17.2.3: the same branch from another sent-by is another transaction', async () => {
    const other = await UdpPeer.open();
    toEngine(subscribe({ port: peer.port, branch: 'z9hG4bKsame' }));
    await peer.next('SIP/2.0 200');
    other.send(subscribe({ port: other.port, branch: 'z9hG4bKsame' }), portOf(engine, 'udp'));
    expect(await other.next()).toMatch(/^SIP\/2.0 200/);
    expect(seen).toHaveLength(2);
    other.close();
  });

  test('RFC 3581 4: rport and received tell where a request came from, and the answer goes there', async () => {
    const text = subscribe({ port: peer.port, method: 'OPTIONS' }).replace(
      `127.0.0.1:${peer.port}`,
      'hidden.example:9',
    );
    toEngine(text);
    expect(values(await peer.next(), 'Via')[0]).toMatch(
      new RegExp(`^SIP/2.0/UDP hidden.example:9;rport=${peer.port};received=127.0.0.1;branch=`),
    );
  });

  test('RFC 3261 18.2.2: without rport the answer goes to the port in Via', async () => {
    const other = await UdpPeer.open();
    toEngine(subscribe({ port: other.port, method: 'OPTIONS' }).replace(';rport', ''));
    expect(await other.next()).toMatch(/^SIP\/2.0 200/);
    other.close();
  });

  test('RFC 3261 7.3.3: compact forms, folding and repeated blanks reach the application in long form', async () => {
    const lines = [
      'SUBSCRIBE sip:gms@blue.example SIP/2.0',
      `v: SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bKcompact;rport`,
      'f: <sip:a@blue.example>;tag=c',
      't: <sip:gms@blue.example>',
      'i: compact',
      'CSeq: 1 SUBSCRIBE',
      `m: <sip:a@127.0.0.1:${peer.port}>`,
      'o: xcap-diff;\r\n\t  diff-processing=xcap-patching',
      'u: presence',
      'k: gruu',
      'a: *;+g.3gpp.mcptt',
      'Subject: much     space',
    ];
    toEngine(sip(lines));
    await peer.next('SIP/2.0 200');
    const [request] = seen;
    expect(request?.get('Event')).toBe('xcap-diff; diff-processing=xcap-patching');
    expect(request?.get('Subject')).toBe('much space');
    const names = (request?.msg.raw ?? '').split('\r\n').map((line) => line.split(':')[0]);
    expect(names).toEqual(
      expect.arrayContaining(['Allow-Events', 'Supported', 'Accept-Contact', 'Contact', 'Call-ID']),
    );
  });

  test('RFC 3261 12.1.1, 12.2.1.1: Record-Route becomes the route set of a loose router', async () => {
    const proxy = await UdpPeer.open();
    const routes = [`Record-Route: <sip:127.0.0.1:${proxy.port};lr>, <sip:far.example;lr>`];
    toEngine(subscribe({ port: peer.port, callId: 'loose', contact: '<sip:alice@far.example>', extra: routes }));
    const ok = await peer.next('SIP/2.0 200');
    expect(values(ok, 'Record-Route')).toEqual([`<sip:127.0.0.1:${proxy.port};lr>`, '<sip:far.example;lr>']);
    const outcome = srfRequest(srf, 'sip:placeholder', { ...NOTIFY, stackDialogId: 'loose;from-tag=alice1' });
    const notify = await proxy.next('NOTIFY sip:alice@far.example SIP/2.0');
    expect(values(notify, 'Route')).toEqual([`<sip:127.0.0.1:${proxy.port};lr>`, '<sip:far.example;lr>']);
    proxy.send(answer(notify, 'SIP/2.0 200 OK'), portOf(engine, 'udp'));
    expect((await outcome).response.status).toBe(200);
    proxy.close();
  });

  test('RFC 3261 12.2.1.1: a strict router takes the Request-URI, the remote target ends the Route', async () => {
    const proxy = await UdpPeer.open();
    const routes = [`Record-Route: <sip:127.0.0.1:${proxy.port}>, <sip:far.example;lr>`];
    toEngine(subscribe({ port: peer.port, callId: 'strict', contact: '<sip:alice@far.example>', extra: routes }));
    await peer.next('SIP/2.0 200');
    void srfRequest(srf, 'sip:placeholder', { ...NOTIFY, stackDialogId: 'strict;from-tag=alice1' }).catch(
      () => undefined,
    );
    const notify = await proxy.next(`NOTIFY sip:127.0.0.1:${proxy.port} SIP/2.0`);
    expect(values(notify, 'Route')).toEqual(['<sip:far.example;lr>', '<sip:alice@far.example>']);
    proxy.close();
  });

  test('a Contact that is not the source of the datagram is answered at the source', async () => {
    toEngine(subscribe({ port: peer.port, callId: 'nat', contact: '<sip:alice@10.9.8.7:5060>' }));
    await peer.next('SIP/2.0 200');
    void srfRequest(srf, 'sip:placeholder', { ...NOTIFY, stackDialogId: 'nat;from-tag=alice1' }).catch(() => undefined);
    expect(await peer.next('NOTIFY')).toMatch(/^NOTIFY sip:alice@10.9.8.7:5060 SIP\/2.0/);
  });

  test('RFC 3261 12.2.1.1: a Contact at another port of the same address gets the NOTIFY', async () => {
    const elsewhere = await UdpPeer.open();
    toEngine(subscribe({ port: peer.port, callId: 'ports', contact: `<sip:alice@127.0.0.1:${elsewhere.port}>` }));
    await peer.next('SIP/2.0 200');
    const outcome = srfRequest(srf, 'sip:placeholder', { ...NOTIFY, stackDialogId: 'ports;from-tag=alice1' });
    const notify = await elsewhere.next('NOTIFY');
    elsewhere.send(answer(notify, 'SIP/2.0 200 OK'), portOf(engine, 'udp'));
    expect((await outcome).response.status).toBe(200);
    expect(peer.all.filter((text) => text.startsWith('NOTIFY'))).toEqual([]);
    elsewhere.close();
  });

  test('RFC 6665 3.2: a refresh moves the remote target', async () => {
    const moved = await UdpPeer.open();
    toEngine(subscribe({ port: peer.port, callId: 'moved' }));
    const toTag = tagOf(values(await peer.next('SIP/2.0 200'), 'To')[0]);
    moved.send(subscribe({ port: moved.port, callId: 'moved', toTag, cseq: 11 }), portOf(engine, 'udp'));
    await moved.next('SIP/2.0 200');
    void srfRequest(srf, 'sip:placeholder', { ...NOTIFY, stackDialogId: 'moved;from-tag=alice1' }).catch(
      () => undefined,
    );
    expect(await moved.next('NOTIFY')).toMatch(new RegExp(`^NOTIFY sip:alice@127.0.0.1:${moved.port} `));
    moved.close();
  });

  test('a lost application: its unanswered requests are 503 at once, and so is what comes after', async () => {
    let asked: () => void = () => undefined;
    const waiting = new Promise<void>((resolve) => {
      asked = resolve;
    });
    onSubscribe = () => asked();
    toEngine(subscribe({ port: peer.port, callId: 'orphan' }));
    await waiting;
    connected = false;
    srf.disconnect();
    const refused = await peer.next();
    expect(refused).toMatch(/^SIP\/2.0 503/);
    expect([values(refused, 'Call-ID'), values(refused, 'Retry-After')]).toEqual([['orphan'], ['5']]);
    toEngine(subscribe({ port: peer.port }));
    expect(await peer.next()).toMatch(/^SIP\/2.0 503/);
  });

  test('a dialog outlives its application: another one takes the requests in it', async () => {
    toEngine(subscribe({ port: peer.port, callId: 'heir' }));
    const toTag = tagOf(values(await peer.next('SIP/2.0 200'), 'To')[0]);
    const heirSaw: string[] = [];
    const heir = await connectSrf(engine, {
      subscribe: (request, response) => {
        heirSaw.push(request.stackDialogId);
        response.send(200);
      },
    });
    connected = false;
    srf.disconnect();
    let answered = '';
    for (let cseq = 11; !answered.startsWith('SIP/2.0 200'); cseq++) {
      toEngine(subscribe({ port: peer.port, callId: 'heir', toTag, cseq }));
      answered = await peer.next();
    }
    expect(heirSaw.at(-1)).toBe('heir;from-tag=alice1');
    heir.disconnect();
  });

  test('requests outside dialogs are completed (RFC 3261 8.1.1)', async () => {
    const outcome = srfRequest(srf, `sip:bob@127.0.0.1:${peer.port}`, {
      method: 'OPTIONS',
      headers: { 'X-Own': 'kept' },
    });
    const request = await peer.next('OPTIONS');
    expect(request.split('\r\n')[0]).toBe(`OPTIONS sip:bob@127.0.0.1:${peer.port} SIP/2.0`);
    expect(values(request, 'Via')[0]).toMatch(/^SIP\/2.0\/UDP 127.0.0.1:\d+;rport;branch=z9hG4bK/);
    expect(values(request, 'Max-Forwards')).toEqual(['70']);
    expect(values(request, 'From')[0]).toMatch(/^<sip:127.0.0.1:\d+>;tag=/);
    expect(values(request, 'To')).toEqual([`<sip:bob@127.0.0.1:${peer.port}>`]);
    expect(values(request, 'X-Own')).toEqual(['kept']);
    toEngine(answer(request, 'SIP/2.0 404 Nobody'));
    expect((await outcome).response).toMatchObject({ status: 404, reason: 'Nobody' });
  });

  test('a body without Content-Type is refused by name', async () => {
    const options = { method: 'MESSAGE', body: 'x' };
    await expect(srfRequest(srf, `sip:bob@127.0.0.1:${peer.port}`, options)).rejects.toThrow('missing content-type');
  });

  test('INVITE is refused by name', async () => {
    const options = { method: 'INVITE', headers: {} };
    await expect(srfRequest(srf, `sip:bob@127.0.0.1:${peer.port}`, options)).rejects.toThrow('does not send INVITE');
  });

  describe('as subscriber', () => {
    const headers = { Event: 'xcap-diff', Expires: '600', From: '<sip:gms@blue.example>', To: '<sip:gms@red.example>' };
    const order = () => srfRequest(srf, `sip:gms@127.0.0.1:${peer.port}`, { method: 'SUBSCRIBE', headers });
    const notify = (request: string, cseq: number, state: string) =>
      sip([
        `NOTIFY ${/<([^>]*)>/.exec(values(request, 'Contact')[0] ?? '')?.[1]} SIP/2.0`,
        `Via: SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bKn${cseq};rport`,
        `From: ${values(request, 'To')[0]};tag=red1`,
        `To: ${values(request, 'From')[0]}`,
        `Call-ID: ${values(request, 'Call-ID')[0]}`,
        `CSeq: ${cseq} NOTIFY`,
        `Contact: <sip:gms@127.0.0.1:${peer.port}>`,
        'Event: xcap-diff',
        `Subscription-State: ${state}`,
      ]);
    const accepted = (request: string) =>
      answer(request, 'SIP/2.0 200 OK', [`Contact: <sip:gms@127.0.0.1:${peer.port}>`, 'Expires: 600']).replace(
        'To: <sip:gms@red.example>',
        'To: <sip:gms@red.example>;tag=red1',
      );

    test('RFC 6665 4.1: SUBSCRIBE, 200, NOTIFY in the dialog, refresh, terminated NOTIFY ends it', async () => {
      const outcome = order();
      const request = await peer.next('SUBSCRIBE');
      toEngine(accepted(request));
      const { response } = await outcome;
      const id = `${values(request, 'Call-ID')[0]};from-tag=${tagOf(values(request, 'From')[0])}`;
      expect(response.stackDialogId).toBe(id);
      toEngine(notify(request, 1, 'active;expires=600'));
      await peer.next('SIP/2.0 200');
      const refresh = srfRequest(srf, 'sip:placeholder', { method: 'SUBSCRIBE', stackDialogId: id, headers });
      const again = await peer.next('SUBSCRIBE');
      expect(values(again, 'To')[0]).toBe('<sip:gms@red.example>;tag=red1');
      expect(Number.parseInt(values(again, 'CSeq')[0] ?? '', 10)).toBeGreaterThan(
        Number.parseInt(values(request, 'CSeq')[0] ?? '', 10),
      );
      toEngine(answer(again, 'SIP/2.0 200 OK', ['Expires: 600']));
      await refresh;
      toEngine(notify(request, 2, 'terminated;reason=noresource'));
      await peer.next('SIP/2.0 200');
      expect(seen.map(({ stackDialogId }) => stackDialogId)).toEqual([id, id]);
      expect((await engine.counts()).dialogs).toBe(0);
    });

    test('RFC 6665 4.1.2.4: a NOTIFY that overtakes the 2xx is answered by the application and counts', async () => {
      const outcome = order();
      const request = await peer.next('SUBSCRIBE');
      toEngine(notify(request, 7, 'active;expires=600'));
      await peer.next('SIP/2.0 200');
      toEngine(accepted(request));
      await outcome;
      // The dialog knows the CSeq of that NOTIFY: the same number again is out of order.
      toEngine(notify(request, 7, 'active;expires=600').replace('z9hG4bKn7', 'z9hG4bKother'));
      expect(await peer.next()).toMatch(/^SIP\/2.0 500/);
      toEngine(notify(request, 8, 'active;expires=600'));
      expect(await peer.next()).toMatch(/^SIP\/2.0 200/);
      expect(seen.map(({ stackDialogId }) => stackDialogId === '')).toEqual([true, false]);
    });

    test('RFC 6665 4.4.1: a subscription that ended before its 2xx leaves no dialog', async () => {
      const outcome = order();
      const request = await peer.next('SUBSCRIBE');
      toEngine(notify(request, 1, 'terminated;reason=noresource'));
      await peer.next('SIP/2.0 200');
      toEngine(accepted(request));
      await outcome;
      expect((await engine.counts()).dialogs).toBe(0);
    });
  });
});

test('an address that cannot be listened on is a named error and nothing stays open', async () => {
  const peer = await UdpPeer.open();
  await expect(startEngine({ listen: [`udp:127.0.0.1:${peer.port}`] })).rejects.toThrow('EADDRINUSE');
  await expect(startEngine({ listen: ['sctp:127.0.0.1:5060'] })).rejects.toThrow('not a listening address');
  peer.close();
});

describe('the next hop', () => {
  const names = {
    naptr: async () => [],
    srv: async (name: string) =>
      name === '_sip._udp.pool.example'
        ? [1, 2].map((priority) => ({ priority, weight: 0, port: 5060, name: `${priority}.pool.example` }))
        : [],
    addresses: async (name: string) => (/^[12]\.pool/.test(name) ? [`127.0.0.${name.charAt(0)}`] : []),
  };

  test('RFC 3263 4.3: a server that does not answer, or answers 503, is passed over for the next one', async () => {
    const clock = new HandClock();
    const own = `127.${1 + (process.pid % 200)}.${1 + (Date.now() % 200)}`;
    const servers = await Promise.all([1, 2, 3].map((last) => UdpPeer.open(`${own}.${last}`, 5060)));
    const engine = await startEngine(
      { listen: ['udp:127.0.0.1:0'] },
      {
        clock,
        names: {
          ...names,
          srv: async () => [1, 2, 3].map((priority) => ({ priority, weight: 0, port: 5060, name: String(priority) })),
          addresses: async (name) => [`${own}.${name}`],
        },
      },
    );
    const srf = await connectSrf(engine, {});
    const [silent, busy, working] = servers;
    const outcome = srfRequest(srf, 'sip:gms@pool.example', { method: 'OPTIONS' });
    const first = await silent?.next('OPTIONS');
    clock.advance(32_000);
    const second = await busy?.next('OPTIONS');
    busy?.send(answer(second ?? '', 'SIP/2.0 503 Busy'), portOf(engine, 'udp'), '127.0.0.1');
    const third = await working?.next('OPTIONS');
    working?.send(answer(third ?? '', 'SIP/2.0 200 OK'), portOf(engine, 'udp'), '127.0.0.1');
    expect((await outcome).response.status).toBe(200);
    const same = [first, second, third].map((text) => [values(text ?? '', 'Call-ID'), values(text ?? '', 'CSeq')]);
    expect(new Set(same.map(String)).size).toBe(1);
    expect(new Set([first, second, third].map((text) => values(text ?? '', 'Via')[0])).size).toBe(3);
    srf.disconnect();
    for (const server of servers) server.close();
    await engine.close();
  });

  test('a name that does not exist is 503 DNS Error', async () => {
    const engine = await startEngine({ listen: ['udp:127.0.0.1:0'] }, { names });
    const srf = await connectSrf(engine, {});
    const { response } = await srfRequest(srf, 'sip:gms@nowhere.example', { method: 'OPTIONS' });
    expect([response.status, response.reason]).toEqual([503, 'DNS Error']);
    srf.disconnect();
    await engine.close();
  });

  test('requests outside dialogs go to the outbound proxy, with a Route when it is a loose router', async () => {
    const proxy = await UdpPeer.open();
    for (const lr of ['', ';lr']) {
      const outboundProxy = `sip:127.0.0.1:${proxy.port}${lr}`;
      const engine = await startEngine({ listen: ['udp:127.0.0.1:0'], outboundProxy });
      const srf = await connectSrf(engine, {});
      const outcome = srfRequest(srf, 'sip:gms@red.example', { method: 'OPTIONS' });
      const request = await proxy.next('OPTIONS sip:gms@red.example SIP/2.0');
      expect(values(request, 'Route')).toEqual(lr === '' ? [] : [`<${outboundProxy}>`]);
      proxy.send(answer(request, 'SIP/2.0 200 OK'), portOf(engine, 'udp'));
      expect((await outcome).response.status).toBe(200);
      srf.disconnect();
      await engine.close();
    }
    proxy.close();
  });

  test('`advertise` is the host in Via and Contact', async () => {
    const peer = await UdpPeer.open();
    const engine = await startEngine({ listen: ['udp:0.0.0.0:0'], advertise: 'gms.blue.example' });
    const srf = await connectSrf(engine, {});
    void srfRequest(srf, `sip:x@127.0.0.1:${peer.port}`, { method: 'SUBSCRIBE', headers: {} }).catch(() => undefined);
    const request = await peer.next('SUBSCRIBE');
    expect(values(request, 'Via')[0]).toContain(`gms.blue.example:${portOf(engine, 'udp')}`);
    expect(values(request, 'Contact')).toEqual([`<sip:gms.blue.example:${portOf(engine, 'udp')}>`]);
    srf.disconnect();
    peer.close();
    await engine.close();
  });
});

test('the engine speaks IPv6', async () => {
  const engine = await startEngine({ listen: ['udp:[::1]:0'] });
  const srf = await connectSrf(engine, { options: (_request, response) => response.send(200) });
  const peer = await UdpPeer.open('::1');
  const text = subscribe({ port: peer.port, address: '[::1]', method: 'OPTIONS' });
  peer.send(text, portOf(engine, 'udp'), '::1');
  expect(values(await peer.next(), 'Via')[0]).toContain(
    `SIP/2.0/UDP [::1]:${peer.port};rport=${peer.port};received=::1`,
  );
  void srfRequest(srf, `sip:bob@[::1]:${peer.port}`, { method: 'OPTIONS' }).catch(() => undefined);
  expect(values(await peer.next('OPTIONS'), 'Via')[0]).toMatch(/^SIP\/2.0\/UDP \[::1\]:\d+;rport/);
  srf.disconnect();
  peer.close();
  await engine.close();
});

test('an engine that is closed twice ends once', async () => {
  const engine = await startEngine({ listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0'] });
  await Promise.all([engine.close(), engine.close()]);
  await engine.close();
  expect(await engine.exited).toBeUndefined();
});

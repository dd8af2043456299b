// Overload on the wire: an application that serves so many requests for each second and no more, with time moved by hand.
import { expect, test } from '@jest/globals';
import { HandClock, portOf, RawApplication, subscribe, UdpPeer, values } from './engine.testkit.ts';
import { type Engine, startEngine } from './engine.ts';

const step = 20;

/** Serves what it is given one by one, `capacity` for each second of the hand-moved clock. */
class SlowApplication extends RawApplication {
  #read = 0;
  #served = 0;
  #credit = 0;
  readonly order: string[] = [];

  /** Answers as many as fit into the step; @returns how many */
  serve(capacity: number): number {
    for (const frame of this.frames.slice(this.#read)) if (frame.includes('|sip|network|')) this.order.push(frame);
    this.#read = this.frames.length;
    this.#credit = Math.min(capacity, this.#credit + (capacity * step) / 1000);
    let answered = 0;
    for (; this.#credit >= 1 && this.#served < this.order.length; this.#credit--) {
      const fields = (this.order[this.#served++] ?? '').split('|');
      this.frame(`a|sip|${fields[8]}|\r\nSIP/2.0 200 OK\r\nExpires: 3600\r\n\r\n`);
      answered++;
    }
    if (this.#served >= this.order.length) this.#credit = 0;
    return answered;
  }

  get given(): number {
    return this.frames.filter((frame) => frame.includes('|sip|network|')).length;
  }
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

async function ready(engine: Engine): Promise<SlowApplication> {
  const application = new SlowApplication(engine);
  application.frame(`l|authenticate|${engine.control.secret}|`);
  application.frame('r|route|subscribe');
  await until(() => application.frames.length === 2);
  return application;
}

test('RFC 3261 21.5.4: at twice what the application serves, new requests are 503 with Retry-After and most of it is still served', async () => {
  const clock = new HandClock();
  const engine = await startEngine({ listen: ['udp:127.0.0.1:0'] }, { clock });
  const application = await ready(engine);
  const peer = await UdpPeer.open();
  const capacity = 250;
  const seconds = 5;
  const port = portOf(engine, 'udp');

  // A subscription from before the overload.
  peer.send(subscribe({ port: peer.port, callId: 'early', cseq: 1 }), port);
  await until(() => application.given === 1);
  application.serve(500 * step);
  const accepted = await peer.next('SIP/2.0 200');
  const toTag = /;tag=(\w+)/.exec(values(accepted, 'To')[0] ?? '')?.[1] ?? '';

  let sent = 1;
  let answered = 1;
  let late = 0;
  for (let time = 0; time < seconds * 1000; time += step) {
    clock.advance(step);
    for (let count = (capacity * 2 * step) / 1000; count > 0; count--, sent++) {
      peer.send(subscribe({ port: peer.port, callId: `load-${sent}` }), port);
    }
    const before = peer.all.length;
    // Each request is with the application or refused before time moves on.
    await until(() => application.given + peer.all.filter((text) => text.startsWith('SIP/2.0 503')).length === sent);
    const now = application.serve(capacity);
    answered += now;
    if (time >= 2000) late += now;
    await until(() => peer.all.filter((text) => text.startsWith('SIP/2.0 200')).length === answered);
    expect(peer.all.length).toBeGreaterThanOrEqual(before);
  }
  expect(late / (seconds - 2)).toBeGreaterThan(capacity * 0.9);
  const refused = peer.all.filter((text) => text.startsWith('SIP/2.0 503'));
  expect(refused.length).toBeGreaterThan(capacity * (seconds - 2) * 0.5);
  const waits = new Set(refused.flatMap((text) => values(text, 'Retry-After').map(Number)));
  expect(refused.every((text) => values(text, 'Retry-After').length === 1)).toBe(true);
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(3);
  // Not all at the same second, or the load would come back in one piece.
  expect(waits.size).toBeGreaterThan(3);
  // 500 ms of queue at most: nobody waits longer than T1.
  expect((await engine.counts()).unanswered).toBeLessThan(capacity / 2);

  // RFC 7339 5.10.1: a refresh is served although new requests are refused.
  const given = application.given;
  peer.send(subscribe({ port: peer.port, callId: 'early', cseq: 2, toTag }), port);
  await until(() => application.given > given);
  expect(application.frames.at(-1)).toContain('Call-ID: early');
  application.close();
  peer.close();
  await engine.close();
});

test('RFC 3261 8.2.7: a refused request that is sent again is refused again, with the same tag', async () => {
  const clock = new HandClock();
  const engine = await startEngine({ listen: ['udp:127.0.0.1:0'] }, { clock });
  const application = await ready(engine);
  const peer = await UdpPeer.open();
  const port = portOf(engine, 'udp');
  const refusals = () => peer.all.filter((text) => text.startsWith('SIP/2.0 503'));
  // Nothing is answered until there are refusals.
  for (let sent = 1; refusals().length === 0; sent++) {
    clock.advance(5);
    peer.send(subscribe({ port: peer.port }), port);
    await until(() => application.given + refusals().length === sent);
  }
  const [first = ''] = refusals();
  const callId = values(first, 'Call-ID')[0] ?? '';
  const branch = /branch=([^;]+)/.exec(values(first, 'Via')[0] ?? '')?.[1] ?? '';
  const again = subscribe({ port: peer.port, callId, branch });
  application.serve(100_000);
  await until(async () => (await engine.counts()).unanswered === 0);
  clock.advance(10_000);
  const count = refusals().length;
  peer.send(again, port);
  await until(() => refusals().length > count);
  expect(values(refusals().at(-1) ?? '', 'To')).toEqual(values(first, 'To'));
  application.close();
  peer.close();
  await engine.close();
});

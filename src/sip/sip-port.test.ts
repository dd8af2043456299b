import { afterEach, describe, expect, test } from '@jest/globals';
import { type Engine, startEngine } from './engine/engine.ts';
import { Subscriber } from './face.testkit.ts';
import { type IncomingRequest, type SipPort, sipPort } from './sip-port.ts';

const close: (() => Promise<void> | void)[] = [];
const warnings: string[] = [];

afterEach(async () => {
  for (const end of close.splice(0).reverse()) await end();
  warnings.length = 0;
});

async function engineOn(options: { readonly sip?: number; readonly control?: number } = {}): Promise<Engine> {
  const engine = await startEngine({
    listen: [`udp:127.0.0.1:${options.sip ?? 0}`],
    control: { port: options.control ?? 0, secret: 'a secret' },
    timers: { t1: 20 },
  });
  close.push(() => stop(engine));
  return engine;
}

const stopped = new Set<Engine>();

async function stop(engine: Engine): Promise<void> {
  if (stopped.has(engine)) return;
  stopped.add(engine);
  await engine.close();
}

function portTo(engine: Engine, secret: string, onRequest: (request: IncomingRequest) => void): SipPort {
  const { host, port } = engine.control;
  const made = sipPort({
    control: { host, port, secret },
    onRequest,
    log: { warn: (_fields, text) => warnings.push(text) },
  });
  close.push(() => made.close());
  return made;
}

async function subscriberOf(engine: Engine): Promise<Subscriber> {
  const [listening = ''] = engine.listening;
  const subscriber = await Subscriber.open(Number(listening.slice(listening.lastIndexOf(':') + 1)));
  close.push(() => subscriber.close());
  return subscriber;
}

const accept = (request: IncomingRequest): void => {
  void request.respond(200, { To: `${request.headers.to};tag=ours`, Expires: '60' });
};

describe('the engine', () => {
  test('refuses a wrong secret: connect rejects and nothing is tried again', async () => {
    const engine = await engineOn();
    await expect(portTo(engine, 'another secret', accept).connect()).rejects.toThrow('refused the secret');
  });

  test('is not there: connect rejects when its patience ends', async () => {
    const engine = await engineOn();
    const { control } = engine;
    await stop(engine);
    const log = { warn: () => undefined };
    const port = sipPort({ control, onRequest: accept, patience: 50, log });
    await expect(port.connect()).rejects.toThrow('the SIP engine is not there');
  });

  test('delivers the body as it came, beyond empty lines and in UTF-8', async () => {
    const engine = await engineOn();
    const bodies: string[] = [];
    await portTo(engine, 'a secret', (request) => {
      bodies.push(request.body);
      accept(request);
    }).connect();
    const subscriber = await subscriberOf(engine);
    const body = `--b\r\n\r\nGrüße ${'ß'.repeat(500)}\r\n\r\nmore\r\n--b--\r\n`;
    await subscriber.subscribe(undefined, { 'Content-Type': 'multipart/mixed;boundary=b' }, body);
    expect(bodies).toEqual([body]);
  });

  test('does not know a dialog: the NOTIFY counts as answered 481', async () => {
    const engine = await engineOn();
    const port = portTo(engine, 'a secret', accept);
    await port.connect();
    expect(await port.notify('nowhere;from-tag=1', { Event: 'xcap-diff' }, '')).toEqual({ status: 481 });
  });

  test('is not connected: the NOTIFY counts as refused with 503', async () => {
    const port = portTo(await engineOn(), 'a secret', accept);
    expect(await port.notify('nowhere;from-tag=1', { Event: 'xcap-diff' }, '')).toEqual({ status: 503 });
  });

  test('goes: what waits for it fails; comes back: requests are taken again', async () => {
    const engine = await engineOn();
    let requests = 0;
    const port = portTo(engine, 'a secret', (request) => {
      requests += 1;
      accept(request);
    });
    await port.connect();
    const subscriber = await subscriberOf(engine);
    subscriber.answer = '';
    await subscriber.subscribe([]);
    const outcome = port.notify(`${subscriber.callId};from-tag=from1`, { Event: 'xcap-diff' }, '');
    const { cseq } = await subscriber.notify();
    await stop(engine);
    expect(await outcome).toEqual({ status: 503, cseq });

    const [listening = ''] = engine.listening;
    await engineOn({ sip: Number(listening.slice(listening.lastIndexOf(':') + 1)), control: engine.control.port });
    const again = await subscriberOf(engine);
    // Until the port is back the engine answers 503.
    const limit = Date.now() + 10_000;
    while ((await again.subscribe([])).status !== 200) expect(Date.now()).toBeLessThan(limit);
    expect(requests).toBe(2);
  });
});

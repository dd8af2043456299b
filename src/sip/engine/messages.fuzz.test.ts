// Mutations of all messages of RFC 4475, and bombs of header fields: judged in bounded time, without exception, without anything left
// behind. The seed is fixed; `npm run fuzz` takes other seeds and many more runs.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { readApplicationMessage } from './application-message.ts';
import { connectSrf, fastest, HandClock, portOf, subscribe, UdpPeer, values } from './engine.testkit.ts';
import { startEngine } from './engine.ts';
import { rewriteMessage } from './message.ts';
import { parseDatagram } from './parse-message.ts';
import { StreamFramer } from './stream-framer.ts';
import { stampVia } from './via.ts';

const runs = Number(process.env.FUZZ_RUNS ?? 400);
const seed = process.env.FUZZ_SEED === undefined ? 4475 : Number(process.env.FUZZ_SEED);
/** Milliseconds that one message may take to judge. */
const limit = 5;

const folder = new URL('../../../test/vectors/torture/', import.meta.url);
const vectors = readdirSync(folder)
  .filter((name) => name.endsWith('.dat'))
  .sort()
  .map((name) => readFileSync(new URL(name, folder)));
const marks = Buffer.from('\r\n \t:;,<>"\\@=?%\0\xff[]/.-|#', 'latin1');

/** A linear congruential sequence, so that a failure can be repeated. */
function sequence(start: number): (below: number) => number {
  let state = start >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    // The low bits of such a sequence repeat soon.
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Octets exchanged, cut out, doubled, spliced from another message, or cut off. */
function mutate(random: (below: number) => number): Buffer {
  const vector = (): Buffer => vectors[random(vectors.length)] ?? Buffer.alloc(0);
  let octets = Buffer.from(vector());
  for (let changes = 1 + random(4); changes > 0; changes--) {
    const at = random(octets.length);
    const to = Math.min(octets.length, at + 1 + random(60));
    switch (random(6)) {
      case 0:
        octets = Buffer.concat([octets.subarray(0, at), octets.subarray(to)]);
        break;
      case 1:
        octets = Buffer.concat([octets.subarray(0, to), octets.subarray(at)]);
        break;
      case 2: {
        const other = vector();
        octets = Buffer.concat([octets.subarray(0, at), other.subarray(random(other.length))]);
        break;
      }
      case 3:
        octets[at] = random(256);
        break;
      default:
        octets[at] = marks[random(marks.length)] ?? 0;
    }
  }
  return random(8) === 0 ? octets.subarray(0, random(octets.length)) : octets;
}

/** What the engine does with a message: read it, and write it for an application. */
function judge(octets: Buffer): string {
  const message = parseDatagram(octets);
  if (message.kind !== 'unparsed') rewriteMessage(message, stampVia(message.via, '192.0.2.1', 5060));
  readApplicationMessage(octets);
  return message.kind;
}

describe(`mutated messages, seed ${seed}`, () => {
  test('none throws, none takes longer than 5 ms', () => {
    const random = sequence(seed);
    const slow: Buffer[] = [];
    const kinds = new Set<string>();
    for (let round = 0; round < runs * 100; round++) {
      const octets = mutate(random);
      const started = performance.now();
      kinds.add(judge(octets));
      if (performance.now() - started > limit) slow.push(octets);
    }
    expect(kinds).toEqual(new Set(['request', 'response', 'unparsed']));
    // A pause of the whole machine does not come back for the same message, a slow path does.
    for (const octets of slow) expect(fastest(() => judge(octets))).toBeLessThan(limit);
  });

  test('on a stream none throws, however it is cut, and the stream ends once or goes on', () => {
    const random = sequence(seed + 1);
    for (let round = 0; round < runs * 4; round++) {
      let lost = 0;
      const framer = new StreamFramer({ message: () => undefined, ping: () => undefined, lost: () => lost++ });
      const stream = Buffer.concat([mutate(random), mutate(random), mutate(random)]);
      for (let at = 0; at < stream.length; ) {
        const to = at + 1 + random(200);
        framer.push(stream.subarray(at, to));
        at = to;
      }
      expect(lost).toBeLessThanOrEqual(1);
    }
  });

  test('an engine that got them all has no fault, serves on, and holds nothing once its timers have run', async () => {
    const random = sequence(seed + 2);
    const clock = new HandClock();
    const engine = await startEngine(
      { listen: ['udp:127.0.0.1:0'], flood: { requests: 1e9, refusals: 1e9 } },
      { clock },
    );
    const served = (_request: unknown, response: { send(status: number): void }) => response.send(404);
    const srf = await connectSrf(engine, { options: served, subscribe: served, notify: served, message: served });
    const peer = await UdpPeer.open();
    for (let round = 0; round < runs; round++) {
      for (let burst = 0; burst < 4; burst++) peer.send(mutate(random), portOf(engine, 'udp'));
      // The engine answers in order: when this is answered it has judged what came before.
      const callId = `after-${round}`;
      peer.send(subscribe({ port: peer.port, method: 'OPTIONS', callId }), portOf(engine, 'udp'));
      let answered = '';
      do answered = await peer.next('SIP/2.0 404');
      while (values(answered, 'Call-ID')[0] !== callId);
    }
    while ((await engine.counts()).unanswered > 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(128_000);
    expect(await engine.counts()).toMatchObject({
      ...{ faults: 0, lastFault: '', unanswered: 0 },
      ...{ serverTransactions: 0, clientTransactions: 0, dialogs: 0, connections: 0 },
    });
    srf.disconnect();
    peer.close();
    await engine.close();
  });
});

describe('bombs of header fields', () => {
  const text = subscribe({ port: 5060 });
  const put = (lines: string): Buffer => Buffer.from(text.replace('Event:', `${lines}\r\nEvent:`), 'latin1');
  const most = 60_000;
  test.each([
    ['blanks in a value', () => put(`X:${' '.repeat(most)}y`)],
    ['blanks before the colon', () => put(`X${' '.repeat(most)}: y`)],
    ['tabs and blanks in turns', () => put(`Subject: ${' \t'.repeat(most / 2)}`)],
    ['folds', () => put(`Subject: a${'\r\n '.repeat(most / 3)}b`)],
    ['7,000 fields', () => put('X: y\r\n'.repeat(7_000).trimEnd())],
    ['7,000 fields without a value', () => put('X:\r\n'.repeat(7_000).trimEnd())],
    ['60,000 commas', () => put(`Contact: ${','.repeat(most)}`)],
    ['commas in Via', () => put(`Via: ${','.repeat(most)}`)],
    ['commas in Route', () => put(`Route: ${','.repeat(8_000)}`)],
    ['semicolons', () => put(`Accept: a/b${';'.repeat(most)}`)],
    ['parameters of Via', () => put(`Via: SIP/2.0/UDP x${';a=b'.repeat(most / 4)}`)],
    ['an open quotation', () => put(`Contact: "${'a'.repeat(most)}`)],
    ['quotation marks', () => put(`Contact: ${'"'.repeat(most)}`)],
    ['backslashes', () => put(`Contact: "${'\\'.repeat(most)}"`)],
    ['angle brackets', () => put(`Contact: ${'<'.repeat(most)}`)],
    ['closing brackets', () => put(`Contact: ${'<>'.repeat(most / 2)}`)],
    ['an endless name', () => put(`${'X'.repeat(most)}: y`)],
    ['an endless Call-ID', () => put(`Call-ID: ${'x'.repeat(most)}`)],
    ['an endless number', () => put(`Expires: ${'9'.repeat(most)}`)],
    ['percent signs in a URI', () => put(`Contact: <sip:${'%'.repeat(most)}@x>`)],
    ['colons in a URI', () => put(`Contact: <sip:${':'.repeat(most)}@x>`)],
    ['a Request-URI without end', () => Buffer.from(text.replace('sip:gms', `sip:${'a'.repeat(most)}`))],
    ['blanks in the Request-Line', () => Buffer.from(text.replace('SUBSCRIBE ', `SUBSCRIBE${' '.repeat(most)}`))],
    ['line ends before the message', () => Buffer.from(`${'\r\n'.repeat(most / 2)}${text}`)],
    ['nothing but blanks', () => Buffer.from(' '.repeat(most))],
    ['nothing but line ends', () => Buffer.from('\r\n'.repeat(most / 2))],
    ['nothing but zeros', () => Buffer.alloc(most)],
    [
      'names of Object',
      () => put('__proto__: x\r\nconstructor: y\r\nprototype: z\r\ntoString: a\r\nhasOwnProperty: b'),
    ],
  ])('%s: judged within 5 ms', (_what, bomb) => {
    const octets = bomb();
    expect(fastest(() => judge(octets))).toBeLessThan(limit);
  });

  test('twice the octets take no more than about twice the time', () => {
    const bomb = (size: number): Buffer => put(`Contact: ${'<sip:a@b>,'.repeat(size / 10)}`);
    const [small, large] = [bomb(3_500), bomb(7_000)].map((octets) => fastest(() => judge(octets)));
    expect(large).toBeLessThan((small ?? 0) * 6 + 0.2);
  });
});

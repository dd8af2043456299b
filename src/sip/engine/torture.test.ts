import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connectSrf, portOf, type Srf, sip, UdpPeer, values } from './engine.testkit.ts';
import { type Engine, startEngine } from './engine.ts';

const folder = new URL('../../../test/vectors/torture/', import.meta.url);
const index = JSON.parse(readFileSync(new URL('index.json', folder), 'utf8')) as {
  messages: {
    file: string;
    section: string;
    title: string;
    kind: string;
    validity: string;
    expected: { gms: string; gmsAcceptable: (number | string)[] };
  }[];
};

describe('RFC 4475 on the wire: OPTIONS, SUBSCRIBE and NOTIFY are served, everything else is refused', () => {
  let engine: Engine;
  let srf: Srf;
  const peers: UdpPeer[] = [];
  // Answers go to the port in Via, 5060 without one: an own loopback address has these free.
  const address = `127.${1 + (process.pid % 200)}.${2 + (Date.now() % 200)}.77`;

  beforeAll(async () => {
    engine = await startEngine({ listen: ['udp:127.0.0.1:0'], timers: { t1: 20 } });
    srf = await connectSrf(engine, {
      options: (_request, response) => response.send(200),
      subscribe: (_request, response) => response.send(200),
      notify: (_request, response) => response.send(200),
    });
    for (const port of [5060, 5050, 5070]) peers.push(await UdpPeer.open(address, port));
  });
  afterAll(async () => {
    srf.disconnect();
    for (const peer of peers) peer.close();
    await engine.close();
  });

  test.each(index.messages)('$section $title ($file): $expected.gms', async ({ file, kind, expected }) => {
    const [peer] = peers;
    if (!peer) throw new Error('no peer');
    const seen = peers.map((other) => other.all.length);
    peer.send(readFileSync(new URL(file, folder)), portOf(engine, 'udp'), '127.0.0.1');
    // The engine answers in order, so what it says to the vector comes before this marker's answer.
    const marker = sip([
      'OPTIONS sip:gms@blue.example SIP/2.0',
      `Via: SIP/2.0/UDP ${address}:5060;branch=z9hG4bK-after-${file}`,
      'From: <sip:marker@blue.example>;tag=m',
      'To: <sip:gms@blue.example>',
      `Call-ID: after-${file}`,
      'CSeq: 1 OPTIONS',
    ]);
    peer.send(marker, portOf(engine, 'udp'), '127.0.0.1');
    await peer.next(`SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP ${address}:5060;branch=z9hG4bK-after-${file}`);
    const answers = peers
      .flatMap((other, at) => other.all.slice(seen[at]))
      .filter((text) => !text.includes(`after-${file}`))
      .map((text) => Number(text.slice(8, 11)));
    const outcome = answers[0] ?? 'discard';
    expect(answers.length).toBeLessThanOrEqual(1);
    expect(expected.gmsAcceptable).toContain(outcome);
    if (kind === 'response') expect(outcome).toBe('discard');
  });

  test('RFC 4475 3.3.5: the refused extensions are listed', () => {
    const refusal = peers.flatMap((peer) => peer.all).find((text) => text.startsWith('SIP/2.0 420'));
    expect(values(refusal ?? '', 'Unsupported')).toEqual(['nothingSupportsThis, nothingSupportsThisEither']);
  });
});

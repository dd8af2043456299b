import { describe, expect, test } from '@jest/globals';
import { codeOf } from '../documents/documents.testkit.ts';
import { resourceList } from './face.testkit.ts';
import type { IncomingRequest } from './sip-port.ts';
import { grantedExpires, needsSips, readSubscribe } from './subscribe-request.ts';

interface Sketch {
  readonly uri?: string;
  readonly contact?: string;
  readonly transport?: string;
  readonly recordRoute?: string;
  readonly event?: string;
}

function request({
  uri = 'sip:gms@red.example',
  contact,
  transport = 'tls',
  recordRoute,
  event,
}: Sketch): IncomingRequest {
  return {
    method: 'SUBSCRIBE',
    uri,
    headers: {
      event: event ?? 'xcap-diff',
      contact: contact ?? '<sip:joe@192.0.2.1>',
      'record-route': recordRoute,
      'content-type': 'application/resource-lists+xml',
    },
    body: resourceList(['a/global/b']),
    source: { transport, address: '192.0.2.1', port: 5061 },
    respond: () => Promise.resolve(),
  };
}

describe('SIPS URIs', () => {
  const contact = '<sips:joe@192.0.2.1>';

  test.each(['tls', 'wss'])('RFC 3261 12.1.1: a sips: Contact over %s is taken', (transport) => {
    expect(readSubscribe(request({ contact, transport }), 10).contact).toBe('sips:joe@192.0.2.1');
  });

  test.each(['udp', 'tcp', 'ws'])('RFC 5630 5.1.1.1: a sips: Contact over %s is refused', async (transport) => {
    expect(await codeOf(() => readSubscribe(request({ contact, transport }), 10))).toBe('unsupported-uri-scheme');
  });

  test('RFC 3261 8.1.1.8: a sips: Request-URI needs a sips: Contact', async () => {
    const uri = 'sips:gms@red.example';
    expect(await codeOf(() => readSubscribe(request({ uri }), 10))).toBe('bad-request');
    expect(readSubscribe(request({ uri, contact }), 10).contact).toBe('sips:joe@192.0.2.1');
  });

  test.each<[Sketch, boolean]>([
    [{}, false],
    [{ uri: 'sips:gms@red.example', contact }, true],
    [{ contact }, true],
    [{ contact, recordRoute: '<sip:proxy.example;lr>' }, false],
    [{ recordRoute: '"A, B" <sips:proxy.example;lr>, <sip:far.example;lr>' }, true],
    [{ recordRoute: '<sip:proxy.example;lr>, <sips:far.example;lr>' }, false],
  ])('RFC 3261 12.1.1: whether our Contact must be sips: for %j', (sketch, expected) => {
    const asked = request(sketch);
    expect(needsSips(asked, /^<(.*)>$/.exec(asked.headers.contact ?? '')?.[1])).toBe(expected);
  });
});

describe('RFC 6665 8.4: the id of Event', () => {
  test.each(['xcap-diff;id="a b"', 'xcap-diff;id="1;x=2"', 'xcap-diff;id', 'xcap-diff;id=""'])(
    '%s is no token, and refused: it could not stand in a NOTIFY',
    async (event) => {
      expect(await codeOf(() => readSubscribe(request({ event }), 10))).toBe('bad-request');
    },
  );

  test('a token is kept as it is', () => {
    expect(readSubscribe(request({ event: "xcap-diff;id=A-7.`~'" }), 10).eventId).toBe("A-7.`~'");
  });
});

describe('RFC 6665 4.2.1.1: the duration', () => {
  test.each([
    [0, 60, 86_400, 0],
    [60, 60, 86_400, 60],
    [4_000, 5_000, 86_400, 4_000],
    [4_294_967_295, 60, 86_400, 86_400],
  ])('%i s asked, at least %i, at most %i: %i s', (asked, minimum, maximum, granted) => {
    expect(grantedExpires(asked, minimum, maximum)).toBe(granted);
  });

  test('shorter than the minimum and than an hour is refused with it', async () => {
    expect(await codeOf(() => grantedExpires(30, 300, 86_400))).toBe('interval-too-brief');
  });
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseAddress, parseSipUri } from './address.ts';
import { fastest, subscribe } from './engine.testkit.ts';
import { rewriteMessage } from './message.ts';
import { parseDatagram } from './parse-message.ts';
import { StreamFramer } from './stream-framer.ts';
import { parseVia, stampVia } from './via.ts';

const parse = (text: string | Buffer) => parseDatagram(Buffer.from(text));
const good = subscribe({ port: 5070, branch: 'z9hG4bKp', callId: 'p' });

describe('requests', () => {
  test('RFC 3261 7.3.1: fields in any order and case, values unfolded', () => {
    const parsed = parse(good.replace('Event: xcap-diff', 'eVENT :\r\n\txcap-diff'));
    expect(parsed).toMatchObject({
      kind: 'request',
      method: 'SUBSCRIBE',
      cseq: 10,
      callId: 'p',
      from: { tag: 'alice1' },
    });
    expect(parsed.kind === 'request' && parsed.fields.find(({ key }) => key === 'event')?.value).toBe('xcap-diff');
  });

  test.each([
    ['a', 'Accept-Contact'],
    ['b', 'Referred-By'],
    ['c', 'Content-Type'],
    ['d', 'Request-Disposition'],
    ['e', 'Content-Encoding'],
    ['j', 'Reject-Contact'],
    ['k', 'Supported'],
    ['n', 'Identity-Info'],
    ['o', 'Event'],
    ['r', 'Refer-To'],
    ['s', 'Subject'],
    ['u', 'Allow-Events'],
    ['x', 'Session-Expires'],
    ['y', 'Identity'],
    ['O', 'Event'],
  ])('RFC 3261 7.3.3: compact form %s is %s', (letter, name) => {
    const parsed = parse(good.replace('Event: xcap-diff', `${letter}: v`));
    const text = parsed.kind === 'request' ? rewriteMessage(parsed, 'SIP/2.0/UDP x') : '';
    expect(text).toContain(`\r\n${name}: v\r\n`);
  });

  test('what was received goes out again octet by octet', () => {
    const octets = Buffer.concat([
      Buffer.from(good.slice(0, -4).replace('Content-Length: 0', 'Content-Type: x/y\r\nContent-Length: 4')),
      Buffer.from('\r\nSubject: Übung ', 'utf8'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('\r\n\r\n'),
      Buffer.from([0, 255, 13, 10]),
    ]);
    const parsed = parseDatagram(octets);
    const via = `SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKp;rport`;
    expect(parsed.kind === 'request' && Buffer.from(rewriteMessage(parsed, via), 'latin1').equals(octets)).toBe(true);
  });

  test.each([
    ['RFC 3261 7: line ends that are not CRLF', (text: string) => text.replaceAll('\r\n', '\n'), 0],
    ['a line feed inside a value', (text: string) => text.replace('Event: xcap', 'Event: a\nX: b'), 0],
    ['a control character', (text: string) => text.replace('Event: xcap', 'Event: a\u0001'), 400],
    ['RFC 3261 8.1.1.7: no Via', (text: string) => text.replace(/Via: .*\r\n/, ''), 0],
    ['RFC 3261 8.1.1: no CSeq', (text: string) => text.replace(/CSeq: .*\r\n/, ''), 400],
    ['RFC 3261 8.1.1.5: CSeq of 2**31', (text: string) => text.replace('CSeq: 10', 'CSeq: 2147483648'), 400],
    [
      'a Call-ID that would break the control protocol',
      (text: string) => text.replace('Call-ID: p', 'Call-ID: a|b'),
      400,
    ],
    ['two From fields', (text: string) => text.replace('Event:', 'f: <sip:x@y>;tag=1\r\nEvent:'), 400],
    ['RFC 3261 20.14: Content-Length with a sign', (text: string) => text.replace('Length: 0', 'Length: +0'), 400],
    ['no line behind the header', (text: string) => text.slice(0, -2), 400],
    ['SIP/3.0', (text: string) => text.replace('SIP/2.0\r\n', 'SIP/3.0\r\n'), 505],
    ['201 fields', (text: string) => text.replace('Event:', `${'X: y\r\n'.repeat(200)}Event:`), 400],
    ['a value of 9 kB', (text: string) => text.replace('Event: ', `Event: ${'x'.repeat(9_000)}`), 400],
    [
      'a header of 40 kB',
      (text: string) => text.replace('Event:', `${`X: ${'y'.repeat(8_000)}\r\n`.repeat(5)}Event:`),
      513,
    ],
  ])('%s', (_what, spoil, status) => {
    expect(parse(spoil(good))).toMatchObject({ kind: 'unparsed', status });
  });

  test.each(['__proto__', 'constructor', 'hasOwnProperty'])('a field named %s is a field like others', (name) => {
    const parsed = parse(good.replace('Event: xcap-diff', `${name}: x`));
    expect(parsed.kind === 'request' && parsed.fields.some(({ key }) => key === name.toLowerCase())).toBe(true);
  });

  test.each([
    ['blanks', `From: ${' '.repeat(60_000)}x`],
    ['commas', `Contact: ${','.repeat(60_000)}`],
    ['open quotes', `Contact: ${'"'.repeat(60_001)}`],
    ['brackets', `Via: ${'<'.repeat(60_000)}`],
    ['fields', 'x:y\r\n'.repeat(12_000)],
    ['folds', `X: ${'\r\n '.repeat(20_000)}y`],
    ['commas in Via', `Via: ${'SIP/2.0/UDP a,'.repeat(4_000)}b`],
  ])('60 kB of %s take linear time', (_what, bomb) => {
    const octets = Buffer.from(good.replace('Event:', `${bomb}\r\nEvent:`));
    expect(fastest(() => parseDatagram(octets))).toBeLessThan(5);
  });
});

test('arbitrary octets never throw and never become a message without its identity', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(good.length), (noise, at) => {
      const octets = Buffer.concat([Buffer.from(good.slice(0, at)), noise, Buffer.from(good.slice(at))]);
      const parsed = parseDatagram(octets);
      if (parsed.kind !== 'unparsed') expect(parsed.callId.length * parsed.from.uri.length).toBeGreaterThan(0);
    }),
    { seed: 3261, numRuns: 2_000 },
  );
});

test('a stream cut anywhere gives the same messages', () => {
  const stream = Buffer.from(
    `${good}\r\n\r\n${good.replace('Content-Length: 0\r\n\r\n', 'Content-Length: 3\r\n\r\nabc')}${good}`,
  );
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 40 }), (sizes) => {
      const bodies: string[] = [];
      let pings = 0;
      const framer = new StreamFramer({
        message: (message) => bodies.push(message.kind === 'request' ? message.body : message.kind),
        ping: () => pings++,
        lost: () => bodies.push('lost'),
      });
      let at = 0;
      for (let turn = 0; at < stream.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1;
        framer.push(stream.subarray(at, at + size));
        at += size;
      }
      expect([bodies, pings, framer.partial]).toEqual([['', 'abc', ''], 1, false]);
    }),
    { seed: 18_3, numRuns: 200 },
  );
});

describe('addresses (RFC 3261 20.10, 25.1)', () => {
  test.each([
    ['sip:a@b', 'sip:a@b', ''],
    ['<sip:a@b;lr>;tag=1', 'sip:a@b;lr', '1'],
    ['"Quoted \\" , ; <" <sip:a@b> ; x = "y;z" ; TAG = t', 'sip:a@b', 't'],
    ['Two Words<sip:a@b>;tag=1', 'sip:a@b', '1'],
    ['sip:a@b;tag=1', 'sip:a@b', '1'],
    ['<tel:+49;phone-context=x>', 'tel:+49;phone-context=x', ''],
    ['<sip:a@[2001:db8::1]:5060>;tag=1', 'sip:a@[2001:db8::1]:5060', '1'],
  ])('%s', (value, uri, tag) => {
    expect(parseAddress(value)).toMatchObject({ uri, tag });
  });

  test.each([
    ...['', 'sip:', '<sip:a@b', '"open <sip:a@b>', '< sip:a@b>', '<sip:a@b>;', '<sip:a@b>;;tag=1', 'a, b <sip:a@b>'],
    ...['sip:a@b?x=y', '<sip:a@b> x', 'nonsense', '<sip:a b@c>', '<sip:a@b>;tag='],
  ])('%j is none', (value) => {
    expect(parseAddress(value)).toBeUndefined();
  });
});

test.each([
  ['sip:host', { user: '', host: 'host', port: undefined }],
  ['sips:u:p@h:5061;transport=TLS', { scheme: 'sips', user: 'u:p', host: 'h', port: 5061, transport: 'tls' }],
  ['sip:u;p=1?x@h;lr', { user: 'u;p=1?x', host: 'h', loose: true, headers: false }],
  ['sip:[2001:DB8::1]:5070;maddr=1.2.3.4?a=b', { host: '2001:db8::1', port: 5070, maddr: '1.2.3.4', headers: true }],
])('RFC 3261 19.1: %s', (uri, expected) => {
  expect(parseSipUri(uri)).toMatchObject(expected);
});

test.each(['tel:+49', 'sip:', 'sip:@', 'sip:h:0', 'sip:h:70000', 'sip:[::1', 'sip:h x'])('%s is no SIP URI', (uri) => {
  expect(parseSipUri(uri)).toBeUndefined();
});

test('RFC 3581 4, RFC 3261 18.2.1: what a server writes into Via', () => {
  const stamped = (text: string) => {
    const via = parseVia(text);
    return via && stampVia(via, '192.0.2.9', 4000);
  };
  expect(stamped('SIP/2.0/UDP 192.0.2.9:5060;branch=b')).toBe('SIP/2.0/UDP 192.0.2.9:5060;branch=b');
  expect(stamped('SIP/2.0/UDP h;branch=b;x=1')).toBe('SIP/2.0/UDP h;received=192.0.2.9;branch=b;x=1');
  expect(stamped('SIP / 2.0 / udp h : 9 ;rport=1;received=6.6.6.6')).toBe(
    'SIP/2.0/UDP h:9;rport=4000;received=192.0.2.9',
  );
  expect(stamped('SIP/2.0/TCP [2001:db8::1]:5060;rport')).toBe(
    'SIP/2.0/TCP [2001:db8::1]:5060;rport=4000;received=192.0.2.9',
  );
});

// RFC 5118: the torture test messages for SIP over IPv6, as far as the reader has to tell them apart.
import { expect, test } from '@jest/globals';
import { parseDatagram } from './parse-message.ts';
import { stampVia } from './via.ts';

interface Sample {
  readonly method?: string;
  readonly uri: string;
  readonly vias?: readonly string[];
  readonly contact?: string;
  readonly to?: string;
}

function message({ method = 'REGISTER', uri, vias, contact, to = 'sip:user@example.com' }: Sample): Buffer {
  const sent = vias ?? ['SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111'];
  return Buffer.from(
    [
      `${method} ${uri} SIP/2.0`,
      `To: ${to}`,
      'From: sip:user@example.com;tag=81x2',
      ...sent.map((via) => `Via: ${via}`),
      'Call-ID: SSG9559905523997077@hlau_4100',
      'Max-Forwards: 70',
      ...(contact === undefined ? [] : [`Contact: ${contact}`]),
      `CSeq: 98176 ${method}`,
      'Content-Length: 0',
      '',
      '',
    ].join('\r\n'),
  );
}

const caller = '"Caller" <sip:caller@[2001:db8::1]>';

test.each<[clause: string, sample: Sample]>([
  ['4.1: an IPv6 reference in Request-URI, Via and Contact', { uri: 'sip:[2001:db8::10]', contact: caller }],
  ['4.3: a port inside the brackets is part of the address', { uri: 'sip:[2001:db8::10:5070]', contact: caller }],
  ['4.4: a port behind the brackets', { uri: 'sip:[2001:db8::10]:5070', contact: caller }],
  [
    '4.5: received with brackets',
    {
      method: 'BYE',
      uri: 'sip:[2001:db8::10]',
      to: 'sip:user@example.com;tag=bd76ya',
      vias: ['SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111'],
    },
  ],
  [
    '4.5: received without brackets',
    {
      method: 'OPTIONS',
      uri: 'sip:[2001:db8::10]',
      vias: ['SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3'],
    },
  ],
  [
    '4.7: IPv4 and IPv6 in one list of Vias',
    {
      method: 'BYE',
      uri: 'sip:user@host.example.net',
      to: 'sip:user@example.net;tag=9817--94',
      vias: [
        'SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111',
        'SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144',
        'SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200',
      ],
    },
  ],
  [
    '4.9: IPv4-mapped addresses',
    {
      method: 'INVITE',
      uri: 'sip:user@example.com',
      vias: [
        'SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19',
        'SIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bKas3-111',
      ],
      contact: '"T. desk phone" <sip:ted@[::ffff:192.0.2.2]>',
    },
  ],
  [
    '4.10: an extra colon before an IPv4 part',
    { method: 'OPTIONS', uri: 'sip:user@[2001:db8:::192.0.2.1]', to: 'sip:user@[2001:db8:::192.0.2.1]' },
  ],
  [
    '4.10: the same without it',
    { method: 'OPTIONS', uri: 'sip:user@[2001:db8::192.0.2.1]', to: 'sip:user@[2001:db8::192.0.2.1]' },
  ],
])('RFC 5118 %s is read', (_clause, sample) => {
  const read = parseDatagram(message(sample));
  expect(read).toMatchObject({ kind: 'request', method: sample.method ?? 'REGISTER', uri: sample.uri });
});

test('RFC 5118 4.2: an IPv6 address without brackets in the Request-URI is 400', () => {
  expect(parseDatagram(message({ uri: 'sip:2001:db8::10', contact: caller }))).toMatchObject({
    kind: 'unparsed',
    status: 400,
  });
});

test('RFC 5118 4.5: received is written without brackets, whatever was there', () => {
  const read = parseDatagram(
    message({
      method: 'OPTIONS',
      uri: 'sip:[2001:db8::10]',
      vias: ['SIP/2.0/UDP [2001:db8::9:1]:6050;received=[2001:db8::9:255];branch=z9hG4bKas3;rport'],
    }),
  );
  if (read.kind !== 'request') throw new Error('not read');
  expect(stampVia(read.via, '2001:db8::9:255', 5060)).toBe(
    'SIP/2.0/UDP [2001:db8::9:1]:6050;rport=5060;received=2001:db8::9:255;branch=z9hG4bKas3',
  );
});

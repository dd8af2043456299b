import { describe, expect, test } from '@jest/globals';
import { parseSipUri } from './address.ts';
import { locate, type NameService } from './locate.ts';
import type { TransportName } from './transport.ts';

const zone: NameService = {
  naptr: async (name) =>
    name === 'naptr.example'
      ? [
          { order: 50, preference: 60, service: 'SIP+D2T', replacement: '_sip._tcp.naptr.example' },
          { order: 50, preference: 50, service: 'SIPS+D2T', replacement: '_sips._tcp.naptr.example' },
          { order: 90, preference: 1, service: 'SIP+D2U', replacement: '_sip._udp.naptr.example' },
        ]
      : [],
  srv: async (name) => {
    const records: Record<string, { priority: number; weight: number; port: number; name: string }[]> = {
      '_sips._tcp.naptr.example': [{ priority: 1, weight: 0, port: 5071, name: 'tls.example' }],
      '_sip._tcp.naptr.example': [
        { priority: 2, weight: 0, port: 5082, name: 'second.example' },
        { priority: 1, weight: 0, port: 5081, name: 'first.example' },
      ],
      '_sip._tcp.root.example': [{ priority: 0, weight: 0, port: 0, name: '' }],
      '_sip._udp.root.example': [{ priority: 1, weight: 0, port: 5090, name: 'first.example' }],
      '_sip._udp.srv.example': [{ priority: 1, weight: 0, port: 5090, name: 'first.example' }],
    };
    return records[name] ?? [];
  },
  addresses: async (name) => {
    const records: Record<string, string[]> = {
      'tls.example': ['192.0.2.1'],
      'first.example': ['192.0.2.2', '2001:db8::2'],
      'second.example': ['192.0.2.3'],
      'plain.example': ['192.0.2.4'],
    };
    return records[name] ?? [];
  },
};

async function found(uri: string, usable: readonly TransportName[] = ['udp', 'tcp', 'tls']): Promise<string[]> {
  const parsed = parseSipUri(uri);
  if (!parsed) throw new Error(uri);
  const candidates = await locate(parsed, (transport) => usable.includes(transport), zone, ['udp']);
  return candidates.map(({ transport, address, port }) => `${transport} ${address} ${port}`);
}

describe('RFC 3263 4', () => {
  test.each([
    ['4.2: a numeric address is used as it is, UDP unless told otherwise', 'sip:192.0.2.9', ['udp 192.0.2.9 5060']],
    ['4.1: a numeric address in a SIPS URI is TLS', 'sips:192.0.2.9', ['tls 192.0.2.9 5061']],
    ['4.1: the transport parameter decides', 'sip:192.0.2.9:7;transport=tcp', ['tcp 192.0.2.9 7']],
    ['RFC 3261 19.1.1: maddr overrides the host', 'sip:a@plain.example;maddr=192.0.2.8', ['udp 192.0.2.8 5060']],
    ['4.2: a port means addresses only', 'sip:plain.example:5099', ['udp 192.0.2.4 5099']],
    ['4.2: without NAPTR and SRV the addresses with the default port', 'sip:plain.example', ['udp 192.0.2.4 5060']],
    ['4.1: without NAPTR the SRV of the transports', 'sip:srv.example', ['udp 192.0.2.2 5090', 'udp 2001:db8::2 5090']],
    ['RFC 2782: a root target is no service', 'sip:root.example', ['udp 192.0.2.2 5090', 'udp 2001:db8::2 5090']],
    ['an unknown name', 'sip:nowhere.example', []],
    ['an unknown transport', 'sip:192.0.2.9;transport=sctp', []],
  ])('%s', async (_rule, uri, expected) => {
    expect(await found(uri)).toEqual(expected);
  });

  test('4.1: NAPTR orders the transports, SRV the servers', async () => {
    expect(await found('sip:naptr.example')).toEqual([
      'tls 192.0.2.1 5071',
      'tcp 192.0.2.2 5081',
      'tcp 2001:db8::2 5081',
      'tcp 192.0.2.3 5082',
    ]);
    expect(await found('sips:naptr.example')).toEqual(['tls 192.0.2.1 5071']);
    expect((await found('sip:naptr.example', ['udp', 'tcp']))[0]).toBe('tcp 192.0.2.2 5081');
  });

  test('RFC 5922 7.1: the certificate of the domain that was asked for is expected', async () => {
    const uri = parseSipUri('sips:naptr.example');
    const candidates = uri ? await locate(uri, () => true, zone, ['tls']) : [];
    expect(candidates[0]?.serverName).toBe('naptr.example');
  });
});

// sipsak, a SIP tool of others, asks a running gateway for its OPTIONS over UDP, TCP and TLS, and sends some that are broken.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { redConfiguration, runGateway, type TestGateway } from '../../src/gateway/gateway.testkit.ts';
import { describeWith } from '../describe-with.ts';

let gateway: TestGateway;
let gnutls: string;

/** sipsak takes the session tickets that follow a TLS 1.3 handshake for the end of the connection. */
const upToTls12 = '[global]\noverride-mode = blocklist\n[overrides]\ndisabled-version = tls1.3\n';

beforeAll(async () => {
  gateway = await runGateway({
    ...redConfiguration(),
    sip: {
      listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0', 'tls:127.0.0.1:0'],
      tls: { cert: 'red.crt', key: 'red.key', ca: 'ca.crt' },
    },
  });
  gnutls = join(gateway.folder, 'gnutls.conf');
  await writeFile(gnutls, upToTls12);
}, 30_000);
afterAll(() => gateway.close());

interface Outcome {
  /** 0 when the last answer was 200 and what was searched for was in it. */
  readonly code: number;
  readonly output: string;
}

function sipsak(program: string, listener: number, ...args: readonly string[]): Promise<Outcome> {
  const port = /:(\d+)(?:;|$)/.exec((gateway.urls.sip[listener] ?? '').slice(4))?.[1] ?? '';
  const env = { ...process.env, GNUTLS_SYSTEM_PRIORITY_FILE: gnutls };
  return new Promise((resolve) => {
    execFile(
      program,
      ['-s', 'sip:gms@127.0.0.1', '-r', port, '-vv', ...args],
      { env, timeout: 40_000 },
      (error, out) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ code, output: out });
      },
    );
  });
}

describeWith('sipsak', 'sipsak against a running gateway', (program) => {
  test.each([
    ['udp', 0],
    ['tcp', 1],
    ['tls', 2],
  ] as const)(
    'RFC 3261 11.2: OPTIONS over %s is 200 with what we take',
    async (transport, listener) => {
      const tls = transport === 'tls' ? [`--tls-ca-cert=${join(gateway.folder, 'ca.crt')}`] : [];
      const { code, output } = await sipsak(
        program,
        listener,
        '-E',
        transport,
        '-q',
        'Allow-Events: xcap-diff',
        ...tls,
      );
      expect([code, output]).toEqual([0, expect.stringContaining('SIP/2.0 200 OK')]);
      expect(output).toContain(`SIP/2.0/${transport.toUpperCase()} 127.0.0.1:`);
    },
    60_000,
  );

  test('RFC 3261 16.3: a traceroute ends at the first hop, which is the last', async () => {
    const { code, output } = await sipsak(program, 0, '-T');
    expect([code, output]).toEqual([0, expect.stringContaining('SIP/2.0 200 OK')]);
  }, 60_000);

  test('RFC 3261 18.1: OPTIONS that come faster than they are answered leave it answering', async () => {
    const flood = await sipsak(program, 0, '-F', '-e', '500');
    expect(flood.output).toContain('500');
    expect((await sipsak(program, 0)).code).toBe(0);
  }, 60_000);

  const usual = {
    line: 'OPTIONS sip:gms@127.0.0.1 SIP/2.0',
    via: 'Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKCASE;rport',
    forwards: 'Max-Forwards: 70',
    from: 'From: <sip:sipsak@red.example>;tag=1',
    to: 'To: <sip:gms@127.0.0.1>',
    call: 'Call-ID: CASE',
    cseq: 'CSeq: 1 OPTIONS',
    length: 'Content-Length: 0',
  };
  test.each([
    ['as it should be', 200, {}],
    ['a bracket that is not closed', 400, { to: 'To: <sip:gms@127.0.0.1' }],
    ['no CSeq', 400, { cseq: '' }],
    ['a CSeq of another method', 400, { cseq: 'CSeq: 1 SUBSCRIBE' }],
    ['a CSeq beyond 32 bits', 400, { cseq: 'CSeq: 36893488147419103232 OPTIONS' }],
    ['a negative Content-Length', 400, { length: 'Content-Length: -999' }],
    ['more body than came', 400, { length: 'Content-Length: 9999' }],
    ['two From', 400, { forwards: 'From: <sip:somebody@red.example>;tag=2' }],
    ['another version', 505, { line: 'OPTIONS sip:gms@127.0.0.1 SIP/7.0' }],
    ['an unknown scheme', 416, { line: 'OPTIONS name:opaque SIP/2.0' }],
    ['an extension that is required', 420, { forwards: 'Require: x-unknown' }],
  ])(
    'RFC 4475: %s is %i',
    async (name, status, change) => {
      const slug = name.replaceAll(' ', '-');
      const lines = Object.values({ ...usual, ...change }).filter((line) => line !== '');
      const file = join(gateway.folder, `${slug}.sip`);
      await writeFile(file, `${lines.join('\n').replaceAll('CASE', slug)}\n\n`);
      const { output } = await sipsak(program, 0, '-f', file, '-i');
      expect(output).toMatch(new RegExp(`^SIP/2.0 ${status} `, 'm'));
    },
    60_000,
  );
});

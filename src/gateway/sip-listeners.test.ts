// A gateway that listens for SIP over every transport, on both families of addresses.
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { writeLabCertificates } from '../config/lab-certificates.ts';
import { redConfiguration, runGateway, type TestGateway } from './gateway.testkit.ts';

let gateway: TestGateway;

beforeEach(async () => {
  gateway = await runGateway({
    ...redConfiguration(),
    sip: {
      listen: ['udp:[::1]:0', 'tcp:127.0.0.1:0', 'tls:127.0.0.1:0', 'ws:127.0.0.1:0', 'wss:[::1]:0'],
      tls: { cert: 'red.crt', key: 'red.key', ca: 'ca.crt' },
    },
  });
});
afterEach(() => gateway.close());

function portOf(uri: string | undefined): number {
  return Number(/:(\d+)(;|$)/.exec(uri ?? '')?.[1]);
}

async function presented(port: number): Promise<string | undefined> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const fingerprint = socket.getPeerX509Certificate()?.fingerprint256;
  socket.destroy();
  return fingerprint;
}

const fingerprint = async (): Promise<string> =>
  new X509Certificate(await readFile(join(gateway.folder, 'red.crt'))).fingerprint256;

test('tells the URI of each listener', () => {
  expect(gateway.urls.sip).toEqual([
    expect.stringMatching(/^sip:\[::1\]:\d+$/),
    expect.stringMatching(/^sip:127\.0\.0\.1:\d+;transport=tcp$/),
    expect.stringMatching(/^sip:127\.0\.0\.1:\d+;transport=tls$/),
    expect.stringMatching(/^sip:127\.0\.0\.1:\d+;transport=ws$/),
    expect.stringMatching(/^sip:\[::1\]:\d+;transport=wss$/),
  ]);
});

test('RFC 5630 3.1.4: over TLS a request is answered, with a Contact that has no transport=tls', async () => {
  const port = portOf(gateway.urls.sip[2]);
  const socket = connect({ host: '127.0.0.1', port, ca: await readFile(join(gateway.folder, 'ca.crt')) });
  await once(socket, 'secureConnect');
  const body =
    '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list><entry uri="org.openmobilealliance.groups/global/byGroupID/"/></list></resource-lists>';
  socket.write(
    [
      'SUBSCRIBE sip:gms@red.example SIP/2.0',
      'Via: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bKtls',
      'Max-Forwards: 70',
      'From: <sip:mcptt@red.example>;tag=a',
      'To: <sip:gms@red.example>',
      'Call-ID: tls',
      'CSeq: 1 SUBSCRIBE',
      'Contact: <sip:mcptt@127.0.0.1:9;transport=tcp>',
      'P-Asserted-Identity: <sip:mcptt@red.example>',
      'Event: xcap-diff',
      'Expires: 0',
      'Content-Type: application/resource-lists+xml',
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\r\n'),
  );
  const [answer] = (await once(socket.setEncoding('utf8'), 'data')) as [string];
  expect(answer).toMatch(/^SIP\/2\.0 200 OK\r\n/);
  expect(answer).toContain(`Contact: <sip:gms@127.0.0.1:${port};transport=tcp;gr>`);
  socket.destroy();
});

test('a certificate that was renewed is shown to who connects after a reload', async () => {
  const port = portOf(gateway.urls.sip[2]);
  const before = await fingerprint();
  expect(await presented(port)).toBe(before);
  await writeLabCertificates({ folder: gateway.folder, force: true, days: 60, now: Date.now() });
  expect(await gateway.reload(await gateway.changed((configuration) => configuration))).toEqual([]);
  const after = await fingerprint();
  expect(after).not.toBe(before);
  expect(await presented(port)).toBe(after);
});

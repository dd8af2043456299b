// Files are read once for a start or a reload: what was checked is what is used, whatever stands in the file a moment later.
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { request } from 'undici';
import { startGateway } from '../gateway.ts';
import { digestUserLine } from '../identity/digest-users.ts';
import type { RunningGateway } from '../manage/running-gateway.ts';
import { redConfiguration, runGateway, type TestGateway } from './gateway.testkit.ts';

const running: RunningGateway[] = [];
afterEach(async () => {
  for (const gateway of running.splice(0).reverse()) await gateway.close();
});

async function withUsers(): Promise<TestGateway> {
  const gateway = await runGateway(redConfiguration());
  running.push(gateway);
  await writeUsers(gateway, digestUserLine('ines', 'red.example', 'secret', ['sip:ines@red.example']));
  return gateway;
}

async function writeUsers({ folder }: TestGateway, text: string): Promise<void> {
  await writeFile(join(folder, 'users.txt'), `${text}\n`);
  await chmod(join(folder, 'users.txt'), 0o600);
}

const digest = { realm: 'red.example', users: 'users.txt' };
const withDigest = (before: object): Readonly<Record<string, unknown>> => ({ ...before, identity: { digest } });

/** Spoils every file that a configuration of red names. */
async function spoil(gateway: TestGateway): Promise<void> {
  for (const name of ['red.crt', 'red.key', 'ca.crt']) await writeFile(join(gateway.folder, name), 'half written');
  await writeUsers(gateway, 'half written');
}

async function certificateAt(root: string): Promise<string> {
  const { hostname, port } = new URL(root);
  const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect');
    return new X509Certificate(socket.getPeerCertificate().raw).fingerprint256;
  } finally {
    socket.destroy();
  }
}

async function challenge(xcap: string): Promise<string> {
  const answer = await request(`${xcap}/resource-lists/users/sip:ines@red.example/index`);
  await answer.body.dump();
  return String(answer.headers['www-authenticate']);
}

test('a reload uses the files as they were when they were checked', async () => {
  const gateway = await withUsers();
  const changed = await gateway.changed(withDigest);
  const expected = new X509Certificate(await readFile(join(gateway.folder, 'red.crt'))).fingerprint256;
  await spoil(gateway);
  expect(await gateway.reload(changed)).toEqual([]);
  expect(await certificateAt(gateway.urls.interconnect ?? '')).toBe(expected);
  expect(await challenge(gateway.urls.xcap)).toContain('Digest');
});

test('a start uses the files as they were when they were checked', async () => {
  const gateway = await withUsers();
  const changed = await gateway.changed((before) => ({ ...withDigest(before), storage: { sqlite: 'other.db' } }));
  const expected = new X509Certificate(await readFile(join(gateway.folder, 'red.crt'))).fingerprint256;
  await spoil(gateway);
  const other = await startGateway(changed, pino({ level: 'silent' }));
  running.push(other);
  expect(await certificateAt(other.urls.interconnect ?? '')).toBe(expected);
  expect(await challenge(other.urls.xcap)).toContain('Digest');
});

import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { FilesExist, writeLabCertificates } from './lab-certificates.ts';

let folder: string;
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

beforeAll(async () => {
  folder = join(mkdtempSync(join(tmpdir(), 'mcgw-lab-')), 'certificates');
  await writeLabCertificates({ folder, force: false, days: 10, now: Date.now() });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a folder that cannot be made is an error at once', async () => {
  const options = { folder: '/proc/x', force: false, days: 10, now: Date.now() };
  await expect(writeLabCertificates(options)).rejects.toThrow(/^ENOENT/);
});

test('keys can be read by their owner only', () => {
  for (const name of ['ca.key', 'red.key', 'blue.key']) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
});

test('certificates name the GMS, its PSI and loopback', () => {
  const certificate = new X509Certificate(read('red.crt'));
  expect(certificate.verify(new X509Certificate(read('ca.crt')).publicKey)).toBe(true);
  expect(certificate.checkHost('gms.red.example')).toBe('gms.red.example');
  expect(certificate.checkHost('gms.blue.example')).toBeUndefined();
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect(certificate.subjectAltName).toContain('URI:sip:gms@red.example');
});

test('mutual TLS works between the two systems', async () => {
  const ca = read('ca.crt');
  const server = createServer({ ca, cert: read('red.crt'), key: read('red.key'), requestCert: true });
  const peer = new Promise<string | undefined>((resolve) => {
    server.on('secureConnection', (socket: TLSSocket) => {
      resolve(socket.authorized ? socket.getPeerX509Certificate()?.subjectAltName : undefined);
      socket.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const client = connect({
    host: '127.0.0.1',
    port,
    servername: 'gms.red.example',
    ca,
    cert: read('blue.crt'),
    key: read('blue.key'),
  });
  client.resume();
  expect(await peer).toContain('DNS:gms.blue.example');
  client.destroy();
  await new Promise((resolve) => server.close(resolve));
});

test('files that are there are left alone, and replaced by force', async () => {
  const before = read('red.crt');
  const again = { folder, days: 10, now: Date.now() };
  await expect(writeLabCertificates({ ...again, force: false })).rejects.toBeInstanceOf(FilesExist);
  expect(read('red.crt')).toBe(before);
  expect(await writeLabCertificates({ ...again, force: true })).toHaveLength(6);
  expect(read('red.crt')).not.toBe(before);
});

// Certificates for tests beside those of `mcgw certificates`, made by the operating system's openssl and signed by the same lab CA.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { KeyMaterial } from './edge-proxies.ts';

const openssl = promisify(execFile);

/** Makes NAME.key and NAME.crt for a DNS name, and an address when there is one, in the folder of `ca.crt` and `ca.key`. */
export async function issueCertificate(folder: string, name: string, address?: string): Promise<KeyMaterial> {
  const at = (extension: string): string => join(folder, `${name}.${extension}`);
  const [ca, caKey] = [join(folder, 'ca.crt'), join(folder, 'ca.key')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const names = [`DNS:${name}`, ...(address === undefined ? [] : [`IP:${address}`])].join(',');
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`];
  await openssl('openssl', ['req', '-new', ...kind, ...subject, '-keyout', at('key'), '-out', at('csr')]);
  const signer = ['-CA', ca, '-CAkey', caKey, '-days', '30'];
  await openssl('openssl', [
    'x509',
    '-req',
    '-in',
    at('csr'),
    '-copy_extensions',
    'copy',
    ...signer,
    '-out',
    at('crt'),
  ]);
  const [caText, cert, key] = await Promise.all([ca, at('crt'), at('key')].map((file) => readFile(file, 'utf8')));
  return { ca: caText ?? '', cert: cert ?? '', key: key ?? '' };
}

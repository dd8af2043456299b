// A lab certificate authority and certificates of the example systems red and blue, for trying interconnection on one machine.
// Not for real use: the CA key lies beside what it signs.
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { makeFolders } from '../folders.ts';

const day = 24 * 60 * 60 * 1000;

export interface LabCertificatesOptions {
  /** Folder to write to; created when absent. */
  readonly folder: string;
  /** Replace files that are there. */
  readonly force: boolean;
  /** Validity in days, counted from an hour ago. */
  readonly days: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Example systems that get a certificate. */
export const labSystems = ['red', 'blue'] as const;

/** Files that would be written are there already. */
export class FilesExist extends Error {
  readonly files: readonly string[];

  constructor(files: readonly string[]) {
    super(`${files.join(', ')} already there; --force replaces`);
    this.files = files;
  }
}

/**
 * Writes `ca.crt`, `ca.key` and for each system `NAME.crt`, `NAME.key`, good for server and client side, keys readable by their owner
 * only. Returns the files written. Throws FilesExist, having written nothing, unless `force`.
 */
export async function writeLabCertificates({
  folder,
  force,
  days,
  now,
}: LabCertificatesOptions): Promise<readonly string[]> {
  const names = ['ca', ...labSystems].flatMap((name) => [`${name}.crt`, `${name}.key`]);
  const present = names.map((name) => join(folder, name)).filter((file) => existsSync(file));
  if (present.length > 0 && !force) throw new FilesExist(present);
  const validity = { notBeforeDate: new Date(now - day / 24), notAfterDate: new Date(now + days * day) };
  const authority = await generate([{ name: 'commonName', value: 'mcgw lab CA' }], {
    ...keyKind,
    ...validity,
    extensions: [
      { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  makeFolders(folder);
  const written: string[] = [];
  const write = async (name: string, pem: string, mode: number): Promise<void> => {
    const file = join(folder, name);
    // A file that is replaced would keep its mode.
    if (force) await rm(file, { force: true });
    await writeFile(file, pem, { mode, flag: 'wx' });
    written.push(file);
  };
  await write('ca.crt', authority.cert, 0o644);
  await write('ca.key', authority.private, 0o600);
  for (const system of labSystems) {
    const pair = await generate([{ name: 'commonName', value: `gms.${system}.example` }], {
      ...keyKind,
      ...validity,
      ca: { cert: authority.cert, key: authority.private },
      extensions: [
        { name: 'basicConstraints', cA: false, critical: true },
        { name: 'keyUsage', digitalSignature: true, critical: true },
        { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
        {
          name: 'subjectAltName',
          altNames: [
            { type: 2, value: `gms.${system}.example` },
            { type: 6, value: `sip:gms@${system}.example` },
            { type: 2, value: 'localhost' },
            { type: 7, ip: '127.0.0.1' },
            { type: 7, ip: '::1' },
          ],
        },
      ],
    });
    await write(`${system}.crt`, pair.cert, 0o644);
    await write(`${system}.key`, pair.private, 0o600);
  }
  return written;
}

const keyKind = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;

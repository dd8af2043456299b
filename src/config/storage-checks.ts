// What must hold of the store that a configuration names: one engine, and a database that is not spoken to in the clear over a network.
import { isIP } from 'node:net';
import { type PostgresAddress, parsePostgresUrl } from '../postgres-url.ts';
import type { Finding, Sections } from './cross-checks.ts';

const path = ['storage', 'postgres'];

/** Everything that is wrong with the section `storage`. */
export function storageChecks({ storage }: Sections): readonly Finding[] {
  if (storage === undefined) return [];
  const { sqlite, postgres } = storage;
  if (postgres === undefined) {
    return sqlite === undefined ? [{ path: ['storage', 'sqlite'], text: 'is required', severity: 'error' }] : [];
  }
  if (sqlite !== undefined) {
    return [{ path, text: 'stands beside storage.sqlite; a gateway has one of them', severity: 'error' }];
  }
  const address = postgresAddress(postgres);
  return address === undefined ? [] : exposure(address);
}

/** The address in `storage.postgres`; undefined when it is none, which the schema tells. */
export function postgresAddress(url: string): PostgresAddress | undefined {
  const parsed = parsePostgresUrl(url);
  return 'address' in parsed ? parsed.address : undefined;
}

function exposure({ host, tls }: PostgresAddress): readonly Finding[] {
  if (isHere(host)) return [];
  if (tls === undefined) {
    const text = `all that is stored goes to ${host} in the clear; add ?sslmode=verify-full&sslrootcert=FILE`;
    return [{ path, text, severity: 'warning' }];
  }
  if (tls.verify === 'nothing') {
    return [
      {
        path,
        text: 'sslmode=require believes every server; verify-full looks at its certificate',
        severity: 'warning',
      },
    ];
  }
  return [];
}

function isHere(host: string): boolean {
  return (
    host.startsWith('/') || host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
  );
}

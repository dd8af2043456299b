// The section `storage`: one store, and a URL that is one, told at its key and without the password in it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { loadConfiguration, problemLine } from './load.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mcgw-storage-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function loaded(storage: string): ReturnType<typeof loadConfiguration> {
  const file = join(folder, 'gateway.yaml');
  const rest = [
    'system: { name: red, domains: [red.example], gms: "sip:gms@red.example" }',
    'xcap: { listen: { port: 8080 }, root: "http://127.0.0.1:8080/xcap-root" }',
  ];
  writeFileSync(file, [...rest, `storage: ${storage}`].join('\n'));
  return loadConfiguration(file, Date.now());
}

test.each<[rule: string, storage: string, ...expected: string[]]>([
  ['a database here', '{ postgres: "postgres://g:secret@127.0.0.1/groups" }'],
  ['a database behind a Unix socket', '{ postgres: "postgres:///groups?host=/run/postgresql" }'],
  [
    'two stores',
    '{ sqlite: red.db, postgres: "postgres://g:secret@localhost/groups" }',
    '3: storage.postgres: stands beside storage.sqlite; a gateway has one of them',
  ],
  ['no store', '{}', '3: storage.sqlite: is required'],
  [
    'no URL',
    '{ postgres: "gateway:secret@db" }',
    '3: storage.postgres: must be postgres://USER:PASSWORD@HOST:PORT/DATABASE with @ : / ? # percent-encoded',
  ],
  ['no database', '{ postgres: "postgres://g:secret@db" }', '3: storage.postgres: names no database'],
  ['a number', '{ postgres: 5432 }', '3: storage.postgres: must be a text'],
  [
    'a misspelt key',
    '{ postgress: "postgres://g@localhost/groups" }',
    '3: storage.postgress: unknown key, did you mean postgres?',
    '3: storage.sqlite: is required',
  ],
  [
    'the network in the clear',
    '{ postgres: "postgres://g:secret@db.example/groups" }',
    '3: storage.postgres: warning: all that is stored goes to db.example in the clear; add ?sslmode=verify-full&sslrootcert=FILE',
  ],
  [
    'any server',
    '{ postgres: "postgres://g:secret@db.example/groups?sslmode=require" }',
    '3: storage.postgres: warning: sslmode=require believes every server; verify-full looks at its certificate',
  ],
])('%s', (_, storage, ...expected) => {
  const { problems } = loaded(storage);
  const lines = problems.map(problemLine).map((line) => line.replace(`${join(folder, 'gateway.yaml')}:`, ''));
  expect(lines).toEqual(expected);
  expect(lines.join()).not.toContain('secret');
});

test('a CA is looked for beside the configuration, and told when it is not there', () => {
  const { problems, sections } = loaded(
    '{ postgres: "postgres://g@db/groups?sslmode=verify-full&sslrootcert=ca.crt" }',
  );
  const ca = join(folder, 'ca.crt');
  expect(problems.map(({ key, text }) => `${key}: ${text}`)).toEqual([`storage.postgres: ${ca} does not exist`]);
  expect(sections.storage?.postgres).toBe(
    `postgres://g@db/groups?sslmode=verify-full&sslrootcert=${encodeURIComponent(ca)}`,
  );
});

// `mcgw check`: what it finds beyond the schema, each problem once and at the line of its key.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openSqliteStore } from '../../store/sqlite/sqlite-store.ts';
import { check } from './check.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mcgw-check-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const system = 'system: { name: red, domains: [red.example], gms: "sip:gms@red.example" }';
const xcap = 'xcap: { listen: { port: 8080 }, root: "http://127.0.0.1:8080/xcap-root" }';
const storage = 'storage: { sqlite: red.db }';

async function checked(
  ...lines: readonly string[]
): Promise<{ readonly code: number; readonly out: readonly string[] }> {
  const file = join(folder, 'gateway.yaml');
  writeFileSync(file, `${lines.join('\n')}\n`);
  const out: string[] = [];
  const code = await check(file, { out: (line) => out.push(line), err: (line) => out.push(line) });
  return { code, out: out.map((line) => line.replaceAll(`${folder}/`, '')) };
}

test('a sound configuration leaves nothing behind', async () => {
  expect(await checked(system, xcap, storage)).toEqual({ code: 0, out: ['gateway.yaml: no errors, no warnings'] });
  expect(existsSync(join(folder, 'red.db'))).toBe(false);
});

test('a store that cannot be created is an error at its key', async () => {
  expect(await checked(system, xcap, 'storage: { sqlite: /proc/x/y.db }')).toEqual({
    code: 2,
    out: [expect.stringMatching(/^gateway\.yaml:3: storage\.sqlite: \/proc\/x\/y\.db cannot be created: /)],
  });
});

test('a file that is no store is an error at its key', async () => {
  writeFileSync(join(folder, 'red.db'), 'a text');
  expect(await checked(system, xcap, storage)).toEqual({
    code: 2,
    out: ['gateway.yaml:3: storage.sqlite: red.db is not a SQLite database'],
  });
});

test('trusting every address and an administrator of elsewhere are warnings', async () => {
  const other = system.replace(' }', ', administrators: ["sip:ann@blue.example", "sip:ann@red.example"] }');
  expect(await checked(other, xcap, storage, 'identity: { trustedProxies: [0.0.0.0/0, "::/0", 10.0.0.0/8] }')).toEqual({
    code: 0,
    out: [
      'gateway.yaml:1: system.administrators[0]: warning: sip:ann@blue.example is in none of system.domains',
      'gateway.yaml:4: identity.trustedProxies[0]: warning: 0.0.0.0/0 lets everybody who reaches us be whoever they say',
      'gateway.yaml:4: identity.trustedProxies[1]: warning: ::/0 lets everybody who reaches us be whoever they say',
      'gateway.yaml: no errors, 3 warnings',
    ],
  });
});

test.each(['nonsense', 'http:127.0.0.1:80', 'udp:127.0.0.1:99999', 'udp:127.0.0.1'])(
  'the SIP listener %s is one problem',
  async (listen) => {
    const { code, out } = await checked(system, xcap, storage, `sip: { listen: ["${listen}"] }`);
    expect([code, out]).toEqual([2, [expect.stringMatching(/^gateway\.yaml:4: sip\.listen\[0\]: must /)]]);
  },
);

test('a policy that cannot be read is named at the line of each key that names it', async () => {
  const partner = [
    'partners:',
    '  - name: blue',
    '    domains: [blue.example]',
    '    gms: sip:gms@blue.example',
    '    certificates: [{ san: gms.blue.example }]',
    '    agreement: { theyRequest: [{ groups: "sip:*@red.example" }] }',
    '    outboundPolicy: missing.yaml',
  ];
  const { out } = await checked(system, xcap, storage, ...partner);
  expect(out).toContain('gateway.yaml:10: partners[0].outboundPolicy: missing.yaml does not exist');
  expect(out.filter((line) => line.includes('missing.yaml'))).toHaveLength(1);
});

describe('a selection of a policy that matches none of the stored or example groups', () => {
  const partner =
    'partners: [ { name: blue, domains: [blue.example], gms: "sip:gms@blue.example", inboundPolicy: p.yaml, certificates: [ { san: gms.blue.example } ], agreement: { state: active } } ]';
  const policy = (select: string): void =>
    writeFileSync(
      join(folder, 'p.yaml'),
      `policy: p\nversion: 1\nrules:\n  - { name: a, remove: { select: ${select} } }\n`,
    );

  test('is a warning at its line', async () => {
    policy('//mcpttgi:of-a-later-release');
    const { out } = await checked(system, xcap, storage, partner);
    expect(out.filter((line) => line.includes('selects nothing'))).toEqual([
      expect.stringMatching(
        /^p\.yaml:4: rules\[0\]\.remove\.select: (warning: )?\/\/mcpttgi:of-a-later-release selects nothing in any stored or example group$/,
      ),
    ]);
  });

  test('is none when an example or a stored group matches', async () => {
    policy('//mcpttgi:owner');
    const example = await checked(system, xcap, storage, partner);
    expect(example.out.filter((line) => line.includes('selects nothing'))).toEqual([]);
    policy('//mcpttgi:of-a-later-release');
    const store = await openSqliteStore(join(folder, 'red.db'));
    await store.close();
    const database = new DatabaseSync(join(folder, 'red.db'));
    database
      .prepare(
        'INSERT INTO document (auid, tree, xui, name, tag, group_id, modified, size, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      )
      .run(
        'org.openmobilealliance.groups',
        'users',
        'sip:a@red.example',
        'g',
        't',
        'sip:g@red.example',
        '',
        1,
        Buffer.from('<m:of-a-later-release xmlns:m="urn:3gpp:ns:mcpttGroupInfo:1.0"/>'),
      );
    database.close();
    const stored = await checked(system, xcap, storage, partner);
    expect(stored.out.filter((line) => line.includes('selects nothing'))).toEqual([]);
  });
});

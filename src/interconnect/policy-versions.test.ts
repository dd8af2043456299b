// Policies change safely: durable, resumed after a crash, one version for each document, whatever comes in meanwhile.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { closeSchemas, groupDocument, refusalOf } from '../documents/documents.testkit.ts';
import { refusedKind } from '../documents/provenance.ts';
import type { Policy } from '../policy/policy.ts';
import { parsePolicy, policyFromSource } from '../policy/policy-file.ts';
import { type Blue, crash, openBlue, red } from './blue.testkit.ts';
import { TestClock } from './interconnect.testkit.ts';

const inbound = { partner: 'red', direction: 'inbound' } as const;
const count = 40;
const ids = Array.from({ length: count }, (_, number) => `sip:tg${number}@red.example`);

function policy(version: number, more = ''): Policy {
  const owner = `{ name: owner, insert: { into: //g:list-service, element: "<mcpttgi:owner>v${version}</mcpttgi:owner>" } }`;
  return parsePolicy(`policy: from-red\nversion: ${version}\nrules:\n  - ${owner}\n${more}`, 'from-red.yaml');
}

let folder: string;
let clock: TestClock;
let blue: Blue;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'versions-'));
  clock = new TestClock();
  blue = await openBlue(folder, clock);
});
afterEach(async () => {
  await blue.interconnection.stop();
  await blue.store.close();
  await rm(folder, { recursive: true });
});
afterAll(closeSchemas);

async function provide(groupId: string, name = 'a'): Promise<void> {
  const source = groupDocument({ uri: groupId, name, members: ['sip:omar@blue.example'] });
  await blue.interconnection.acceptProvision(red, groupId, source, {});
}

const activate = (version: number, more?: string): Promise<unknown> =>
  blue.versions.activate(policy(version, more), inbound, 'operator');

/** Which version each served document shows, and which its source says; sorted and without repetition. */
async function versions(): Promise<readonly string[]> {
  const seen = await Promise.all(
    ids.map(async (groupId) => {
      const text = Buffer.from((await blue.documents.findGroup(groupId))?.bytes ?? new Uint8Array()).toString();
      const shown = [...text.matchAll(/<mcpttgi:owner>(v\d+)</g)].map((match) => match[1]).join('+');
      return `${shown} ${(await blue.documents.findSource(groupId))?.policyVersion}`;
    }),
  );
  return [...new Set(seen)].sort();
}

test('an activation cut short by a crash is carried on after it', async () => {
  for (const groupId of ids) await provide(groupId);
  await activate(1);
  await blue.interconnection.idle();
  const half = Promise.withResolvers<void>();
  let changes = 0;
  blue.documents.onChange(() => {
    changes += 1;
    if (changes === count / 2) half.resolve();
  });
  await activate(2);
  await half.promise;
  await crash(blue);
  blue = await openBlue(folder, clock);
  // Each document is of one version as a whole.
  for (const seen of await versions()) expect(['v1 1', 'v2 2']).toContain(seen);
  await blue.interconnection.idle();
  expect(await versions()).toEqual(['v2 2']);
  expect((await blue.versions.list())[0]).toMatchObject({ active: { version: 2 }, inLine: true });
}, 20_000);

test('only documents whose bytes change are told of', async () => {
  for (const groupId of ids.slice(0, 3)) await provide(groupId);
  await activate(1);
  await blue.interconnection.idle();
  const changed: (string | undefined)[] = [];
  blue.documents.onChange((event) => changed.push(...event.changes.map(({ groupId }) => groupId)));
  const same = policy(1, '  - { name: nothing, remove: { select: "//mcpttgi:none" } }\n');
  await blue.versions.activate(same, inbound, 'operator');
  await blue.interconnection.idle();
  expect(changed).toEqual([]);
  expect((await blue.versions.list())[0]?.derivation).toMatchObject({ total: 3, changed: 0, unchanged: 3, refused: 0 });
});

test('activations at the same time follow each other; what arrives meanwhile is of the last version', async () => {
  for (const groupId of ids) await provide(groupId);
  await Promise.all([
    activate(1),
    activate(2),
    ...ids.slice(0, 10).map((groupId) => provide(groupId, 'b')),
    activate(3),
    ...ids.slice(10, 20).map((groupId) => provide(groupId, 'c')),
    blue.versions.rollback(inbound, 'operator'),
    activate(4),
    ...ids.slice(0, 20).map((groupId) => provide(groupId, 'd')),
  ]);
  await blue.interconnection.idle();
  expect(await versions()).toEqual(['v4 4']);
  const [listed] = await blue.versions.list();
  expect([listed?.active.version, listed?.earlier.map(({ version }) => version)]).toEqual([4, [2, 1, 0]]);
}, 20_000);

test('a refused group is flagged over a restart, and no more once a version accepts it', async () => {
  await provide('sip:tg0@red.example');
  await activate(1);
  await activate(2, '  - { name: strict, require: { select: //g:nothing, otherwise: nothing there } }\n');
  await blue.interconnection.idle();
  await crash(blue);
  blue = await openBlue(folder, clock);
  await blue.interconnection.idle();
  const flag = await blue.store.record(refusedKind, 'sip:tg0@red.example');
  expect(JSON.parse(flag ?? '{}')).toMatchObject({ policy: 'from-red', policyVersion: 2, code: 'constraint-failure' });
  await blue.versions.rollback(inbound, 'operator');
  await blue.interconnection.idle();
  expect(await blue.store.record(refusedKind, 'sip:tg0@red.example')).toBeUndefined();
});

test('a version that cannot be compiled any more keeps the gateway from starting, and says which', async () => {
  await activate(1);
  await blue.interconnection.idle();
  await crash(blue);
  blue = await openBlue(folder, clock);
  const [kept] = await blue.store.records('policy-text');
  await blue.store.commit({
    records: [
      { kind: 'policy-text', name: kept?.name ?? '', value: JSON.stringify({ file: 'f', text: 'x', files: {} }) },
    ],
  });
  await crash(blue);
  await expect(openBlue(folder, clock)).rejects.toThrow(
    'the inbound policy from-red version 1 that was activated for red cannot be used',
  );
  // Nothing was opened that the next test could meet.
  await rm(folder, { recursive: true });
  folder = await mkdtemp(join(tmpdir(), 'versions-'));
  blue = await openBlue(folder, clock);
});

test('a version whose key is another one now is refused instead of making other pseudonyms', async () => {
  const text = (version: number): string =>
    `policy: from-red\nversion: ${version}\nrules:\n  - { name: hide, pseudonym: { members: { domain: red.example } } }\n`;
  const file = join(folder, 'policy.yaml');
  await writeFile(join(folder, 'pseudonym.key'), 'a key of at least sixteen characters');
  for (const version of [1, 2]) {
    await blue.versions.activate(await policyFromSource({ file, text: text(version), files: {} }), inbound, 'operator');
  }
  await blue.interconnection.idle();
  await writeFile(join(folder, 'pseudonym.key'), 'another key of sixteen characters');
  await expect(blue.versions.rollback(inbound, 'operator')).rejects.toMatchObject({
    code: 'constraint-failure',
    phrase: expect.stringContaining('its key is not the one that it was activated with') as unknown,
  });
  const [listed] = await blue.versions.list();
  expect(listed?.active.version).toBe(2);
});

test('what was rolled back to stays over a restart, though the file holds what was activated', async () => {
  await crash(blue);
  blue = await openBlue(folder, clock, policy(1));
  // The operator writes version 2 into the file and activates it instead of reloading.
  blue.onDisk.inbound = policy(2);
  await activate(2);
  expect((await blue.versions.list())[0]).toMatchObject({ active: { version: 2 }, differsFromFile: false });
  await blue.versions.rollback(inbound, 'operator');
  expect((await blue.versions.list())[0]).toMatchObject({ active: { version: 1 }, differsFromFile: true });
  await crash(blue);
  blue = await openBlue(folder, clock, policy(2));
  expect((await blue.versions.list())[0]).toMatchObject({ active: { version: 1, how: 'rolled-back' } });
  await crash(blue);
  blue = await openBlue(folder, clock, policy(3));
  expect((await blue.versions.list())[0]).toMatchObject({ active: { version: 3, how: 'file' } });
});

test('a file that comes to hold what was activated from elsewhere has been seen', async () => {
  await activate(1);
  blue.onDisk.inbound = policy(1);
  await activate(1);
  const [listed] = await blue.versions.list();
  expect([listed?.differsFromFile, listed?.active.version, listed?.earlier.length]).toEqual([false, 1, 1]);
});

test('a rollback without a version before, and a policy that nobody has, are refused', async () => {
  expect((await refusalOf(blue.versions.rollback(inbound, 'operator'))).code).toBe('not-found');
  expect((await refusalOf(blue.versions.activate(policy(1), {}, 'operator'))).code).toBe('not-found');
  expect((await refusalOf(blue.versions.activate(policy(1), { partner: 'green' }, 'operator'))).code).toBe(
    'partner-unknown',
  );
});

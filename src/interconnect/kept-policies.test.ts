// Texts of policies are kept as long as a rollback or the provenance of a group needs them, and no longer.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { closeSchemas, groupDocument } from '../documents/documents.testkit.ts';
import { provenanceKind } from '../documents/provenance.ts';
import type { Policy } from '../policy/policy.ts';
import { parsePolicy } from '../policy/policy-file.ts';
import { type Blue, openBlue, red } from './blue.testkit.ts';
import { TestClock } from './interconnect.testkit.ts';
import { textKind } from './kept-policies.ts';

const scope = { partner: 'red', direction: 'inbound' } as const;
const kept = 'sip:kept@red.example';
const plain = 'sip:plain@red.example';

let folder: string;
let blue: Blue;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kept-'));
  blue = await openBlue(folder, new TestClock(), undefined, 3);
});
afterEach(async () => {
  await closed();
  await rm(folder, { recursive: true });
});
afterAll(closeSchemas);

async function closed(): Promise<void> {
  await blue.interconnection.stop();
  await blue.store.close();
}

/** From version 3 on it refuses the group `kept`. */
function policy(version: number): Policy {
  const refusing = `\n  - { name: no, when: { group: "${kept}" }, require: { select: "false()", otherwise: no } }`;
  const owner = `insert: { into: //g:list-service, element: "<mcpttgi:owner>v${version}</mcpttgi:owner>" }`;
  const text = `policy: from-red\nversion: ${version}\nrules:\n  - { name: owner, ${owner} }${version < 3 ? '' : refusing}\n`;
  return parsePolicy(text, 'from-red.yaml');
}

async function activate(version: number): Promise<void> {
  await blue.versions.activate(policy(version), scope, 'operator');
  await settled();
}

const settled = (): Promise<void> => blue.interconnection.idle();

/** The versions whose texts are kept. */
async function texts(): Promise<readonly number[]> {
  const records = await blue.store.records(textKind);
  return records.map(({ value }) => Number(/version: (\d+)/.exec(value)?.[1])).sort();
}

test('what is in force, can be rolled back to, or made a stored group stays; all other texts go', async () => {
  for (const groupId of [kept, plain]) {
    const source = groupDocument({ uri: groupId, members: ['sip:omar@blue.example'] });
    await blue.interconnection.acceptProvision(red, groupId, source, {});
  }
  for (let version = 1; version <= 6; version++) await activate(version);
  expect(await texts()).toEqual([1, 2, 3, 4, 5, 6]);
  expect(await blue.versions.prune()).toBe(2);
  expect(await texts()).toEqual([2, 4, 5, 6]);
  const provenance = JSON.parse((await blue.store.record(provenanceKind, kept)) ?? '');
  expect(await blue.store.record(textKind, provenance.policyDigest)).toContain('version: 2');
  expect(await blue.versions.prune()).toBe(0);
  for (const version of [5, 4]) {
    await blue.versions.rollback(scope, 'operator');
    await settled();
    expect(await blue.documents.findSource(plain)).toMatchObject({ policyVersion: version });
  }
  await expect(blue.versions.rollback(scope, 'operator')).rejects.toThrow('no version before');
});

test('a version that comes back into force while texts are looked for stays', async () => {
  for (let version = 1; version <= 4; version++) await activate(version);
  const pruned = blue.versions.prune();
  await Promise.all([pruned, blue.versions.activate(policy(1), scope, 'operator')]);
  expect(await texts()).toContain(1);
  expect(await blue.store.record(textKind, policy(1).digest ?? '')).toContain('version: 1');
});

test('fewer versions are kept from the next start on, when the configuration says so', async () => {
  for (let version = 1; version <= 3; version++) await activate(version);
  await closed();
  blue = await openBlue(folder, new TestClock(), policy(3), 2);
  await settled();
  await blue.versions.prune();
  expect(await texts()).toEqual([2, 3]);
  await closed();
  blue = await openBlue(folder, new TestClock(), policy(3), 20);
  const [inbound] = await blue.versions.list();
  expect(inbound?.earlier.map(({ version }) => version)).toEqual([2]);
});

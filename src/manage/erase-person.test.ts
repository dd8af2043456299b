// A person is taken from everything beside documents: who wrote in the journal, who made local edits, who brought policies into force.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { byGroup, closeSchemas, groupDocument } from '../documents/documents.testkit.ts';
import { type Blue, openBlue, red } from '../interconnect/blue.testkit.ts';
import { TestClock } from '../interconnect/interconnect.testkit.ts';
import { parsePolicy } from '../policy/policy-file.ts';
import { verifyJournal } from '../store/journal-verify.ts';
import { parseNodeSelector } from '../xml/node-selector.ts';
import { erasePerson } from './erase-person.ts';

const group = 'sip:tg@red.example';
const ines = 'sip:Ines@blue.example';
const omar = 'sip:omar@blue.example';
const now = (): number => Date.parse('2026-01-02T03:04:05.000Z');

let folder: string;
let blue: Blue;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'erase-'));
  blue = await openBlue(folder, new TestClock());
  const source = groupDocument({ uri: group, members: [omar] });
  await blue.interconnection.acceptProvision(red, group, source, {});
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

async function edit(identity: string, node: string, body: string): Promise<void> {
  const address = { selector: parseNodeSelector(node.split('/')), bindings: [] };
  await blue.documents.putNode(
    { role: 'administrator', identity },
    byGroup(group),
    address,
    async () => Buffer.from(body),
    {},
  );
}

const name = (text: string): Promise<void> =>
  edit('sip:ines@blue.example', 'group/list-service/display-name', `<display-name>${text}</display-name>`);

async function authors(): Promise<readonly string[]> {
  return (await blue.documents.overlay(group)).edits.map(({ actor }) => actor);
}

function activate(version: number, actor: string): Promise<unknown> {
  const policy = parsePolicy(`policy: from-red\nversion: ${version}\nrules: []\n`, 'from-red.yaml');
  return blue.versions.activate(policy, { partner: 'red', direction: 'inbound' }, actor);
}

test('its local edits and policy versions stay, by nobody any more; those of others say who', async () => {
  await name('as Ines says');
  await edit(omar, 'group/list-service/list/entry[@uri="sip:zoe@blue.example"]', '<entry uri="sip:zoe@blue.example"/>');
  await activate(1, ines);
  await activate(2, omar);
  await blue.interconnection.idle();
  const served = Buffer.from((await blue.documents.findGroup(group))?.bytes ?? '').toString();
  expect(await authors()).toEqual(['sip:ines@blue.example', omar]);
  const context = { store: blue.store, policies: blue.versions, now };
  const erased = await erasePerson(context, ines, 'operator');
  expect(erased).toMatchObject({ localEdits: 1, policyVersions: 1 });
  expect(erased.entries).toBeGreaterThanOrEqual(2);
  expect(await authors()).toEqual(['(erased)', omar]);
  const [inbound] = await blue.versions.list();
  expect([inbound?.active.actor, inbound?.earlier[0]?.actor]).toEqual([omar, '(erased)']);
  expect(await blue.store.journal()).toContainEqual(
    expect.objectContaining({ actor: 'operator', action: 'person-erased', detail: erased }),
  );
  expect(await verifyJournal(blue.store)).toMatchObject({ intact: true });
  // A new source replays them as before.
  await blue.interconnection.acceptProvision(
    red,
    group,
    groupDocument({ uri: group, members: [omar, red.identity] }),
    {},
  );
  const after = Buffer.from((await blue.documents.findGroup(group))?.bytes ?? '').toString();
  expect([served, after].map((text) => text.includes('as Ines says'))).toEqual([true, true]);
  expect(await authors()).toEqual(['(erased)', omar]);
  expect(await erasePerson(context, ines, 'operator')).toEqual({ entries: 0, localEdits: 0, policyVersions: 0 });
});

test('nothing of it is left in the file, also of edits that were kept in another way before', async () => {
  const zoe = '[@uri="sip:zoe@blue.example"]';
  await edit(
    omar,
    `group/list-service/list/entry${zoe}`,
    `<entry uri="sip:zoe@blue.example"><!--${'x'.repeat(30_000)}--></entry>`,
  );
  await name('third');
  // What is left needs fewer pages of the file.
  await blue.edits.drop(group, 1, 'operator');
  await activate(1, ines);
  await erasePerson({ store: blue.store, policies: blue.versions, now }, ines, 'operator');
  for (const file of [join(folder, 'store.db-wal'), join(folder, 'store.db')]) {
    const text = (await readFile(file)).toString('latin1').toLowerCase();
    expect(text.includes('ines@blue.example')).toBe(false);
    if (file.endsWith('.db')) expect(text).toContain('third');
  }
});

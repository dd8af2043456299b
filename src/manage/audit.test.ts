// The journal by API and command, at a whole gateway: listing, export, verification, erasure.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { stringify } from 'yaml';
import { redConfiguration, runGateway, type TestGateway, token } from '../gateway/gateway.testkit.ts';
import { openSqliteStore } from '../store/sqlite/sqlite-store.ts';
import type { JournalRecord } from '../store/store.ts';
import { undocumented } from './answers.testkit.ts';
import { auditErase, auditExport, auditList, auditVerify, auditVerifyStore } from './commands/audit.ts';
import { type ManagementClient, managementClient } from './commands/management-client.ts';
import { printed } from './commands/printed.testkit.ts';

let red: TestGateway;
let client: ManagementClient;

const person = 'sip:Ines@red.example';
const lists = '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"/>';

beforeAll(async () => {
  red = await runGateway(redConfiguration());
  client = managementClient({ url: red.urls.manage, token });
  for (const user of ['ines', 'omar']) {
    const identity = `sip:${user}@red.example`;
    const response = await request(`${red.urls.xcap}/resource-lists/users/${identity}/index`, {
      method: 'PUT',
      headers: { 'content-type': 'application/resource-lists+xml', 'x-3gpp-asserted-identity': `"${identity}"` },
      body: lists,
    });
    expect(response.statusCode).toBe(201);
    await response.body.dump();
  }
});
afterAll(async () => {
  await client.close();
  await red.close();
});

async function exported(filter: Parameters<typeof auditExport>[1] = {}): Promise<readonly JournalRecord[]> {
  let text = '';
  const out = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  expect(await auditExport(client, filter, out)).toBe(0);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JournalRecord);
}

const listed = async (filter: Parameters<typeof auditList>[1]): Promise<readonly JournalRecord[]> =>
  JSON.parse(await printed((terminal) => auditList(client, filter, terminal))) as JournalRecord[];

test('entries are listed with who did what, and filtered', async () => {
  const text = await printed((terminal) => auditList(client, { json: false }, terminal));
  expect(text).toMatch(/^SEQUENCE +AT +ACTOR +ACTION +SUBJECT +DETAIL\n/);
  expect(text).toMatch(/sip:ines@red\.example +document-put +resource-lists\/users\/sip:ines@red\.example\/index /);
  const json = { json: true };
  expect(await listed({ ...json, actor: 'sip:omar@red.example' })).toHaveLength(1);
  expect(await listed({ ...json, action: 'document-put', limit: '1' })).toHaveLength(1);
  expect(await listed({ ...json, until: '2020-01-01' })).toEqual([]);
  expect(await listed({ ...json, since: '1h', action: 'document-put' })).toHaveLength(2);
  expect(await listed({ ...json, since: '2999-01-01T00:00:00+02:00' })).toEqual([]);
  await expect(listed({ ...json, since: 'yesterday' })).rejects.toThrow('since must be an instant');
});

test('the export has every entry on a line of its own', async () => {
  const all = await exported();
  expect(all.map(({ sequence }) => sequence)).toEqual(all.map((_, index) => index + 1));
  expect(await exported({ action: 'document-put' })).toHaveLength(2);
  expect((await exported({ after: '1' }))[0]?.sequence).toBe(2);
});

test('an export of more than one slice is complete', async () => {
  const nobody = { out: () => undefined, err: () => undefined };
  for (let done = 0; done < 520; done++) await auditErase(client, 'sip:nobody@red.example', nobody);
  expect(await exported({ action: 'person-erased' })).toHaveLength(520);
  expect(await listed({ json: true, action: 'person-erased', limit: '510' })).toHaveLength(510);
});

describe('verification', () => {
  test('tells an anchor that holds later, and 1 for one that is not in the chain', async () => {
    const text = await printed((terminal) => auditVerify(client, { json: false }, terminal));
    const anchor = /^intact: \d+ entries \(1 to \d+, 0 with erased texts\)\nanchor (\d+:[\w-]{43})$/.exec(text)?.[1];
    expect(await printed((terminal) => auditVerify(client, { json: false, anchor }, terminal))).toMatch(/^intact/);
    const forged = anchor?.replace(/:./, (start) => (start === ':x' ? ':y' : ':x'));
    expect(await printed((terminal) => auditVerify(client, { json: false, anchor: forged }, terminal), 1)).toMatch(
      /^broken at entry \d+: it is not the entry of the anchor/,
    );
    await expect(auditVerify(client, { json: false, anchor: 'x' }, { out: String, err: String })).rejects.toThrow(
      'SEQUENCE:HASH',
    );
  });
});

describe('without a gateway', () => {
  test('the store of a configuration is verified; one that a gateway has open is refused', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'audit-'));
    const config = join(folder, 'red.yaml');
    await writeFile(config, stringify({ ...redConfiguration(), interconnect: undefined, partners: [] }));
    const file = join(folder, 'groups.db');
    const store = await openSqliteStore(file);
    await store.commit({ journal: [{ at: '2026-01-02T03:04:05.000Z', actor: 'a', action: 'b', subject: 'c' }] });
    const verify = (code: number): Promise<string> =>
      printed((terminal) => auditVerifyStore({ config, json: false }, terminal), code);
    expect(await verify(1)).toContain('in use');
    await store.close();
    expect(await verify(0)).toMatch(/^intact: 1 entry /);
    const database = new DatabaseSync(file);
    database.exec("UPDATE journal SET actor = 'x'");
    database.close();
    expect(await verify(1)).toMatch(/^broken at entry 1: /);
    await rm(folder, { recursive: true });
  });
});

test('a person is erased, which is journalled without naming it, and the chain holds', async () => {
  const before = JSON.parse(await printed((terminal) => auditVerify(client, { json: true }, terminal)));
  expect(await printed((terminal) => auditErase(client, person, terminal))).toBe(`${person} erased from 1 entry`);
  const all = await exported();
  expect(JSON.stringify(all).toLowerCase()).not.toContain('sip:ines@red.example');
  expect(all.find(({ actor }) => actor === '(erased)')).toMatchObject({ action: 'document-put', subject: '(erased)' });
  expect(all.at(-1)).toMatchObject({ actor: 'operator', action: 'person-erased', detail: { entries: 1 } });
  expect(await exported({ actor: 'sip:omar@red.example' })).toHaveLength(1);
  const verdict = await printed((terminal) => auditVerify(client, { json: true, anchor: before.anchor }, terminal));
  expect(JSON.parse(verdict)).toMatchObject({ intact: true, erased: 1 });
});

test('the answers are as documented', async () => {
  const ask = async (path: string, body?: object): Promise<readonly string[]> => {
    const method = body === undefined ? 'GET' : 'POST';
    const response = await request(`${red.urls.manage}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return undocumented(method, path, response.statusCode, await response.body.json());
  };
  expect(await ask('/journal?limit=5')).toEqual([]);
  expect(await ask('/journal/verification')).toEqual([]);
  expect(await ask('/journal/erasure', { person: 'sip:nobody@red.example' })).toEqual([]);
  expect(await ask('/journal/erasure', { person: 7 })).toEqual([]);
});

// The commands that talk to a running gateway, against two whole ones.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../../../test/until.ts';
import {
  blueConfiguration,
  redConfiguration,
  runGateway,
  type TestGateway,
  token,
} from '../../gateway/gateway.testkit.ts';
import type { ListedDelivery, ListedGroup, ListedPartner } from '../listings.ts';
import { check } from './check.ts';
import { deliveryDrop, deliveryList, deliveryRelease, deliveryRetry } from './delivery.ts';
import { groupDelete, groupGet, groupList, groupPut } from './group.ts';
import { AddressProblem, type ManagementClient, ManagementFailure, managementClient } from './management-client.ts';
import { partnerList, partnerPull, partnerPullAll, partnerPush } from './partner.ts';
import { printed } from './printed.testkit.ts';
import { subscriptionList } from './subscription.ts';
import { columns } from './terminal.ts';

const groupId = 'sip:harbour-tg1@red.example';
const document = fileURLToPath(new URL('../../../config/groups/harbour-tg1.xml', import.meta.url));
const plain = { json: false };

let red: TestGateway;
let blue: TestGateway;
let atRed: ManagementClient;
let atBlue: ManagementClient;

beforeAll(async () => {
  red = await runGateway(redConfiguration());
  blue = await runGateway(blueConfiguration(red.urls.interconnect));
  atRed = managementClient({ url: red.urls.manage, token });
  atBlue = managementClient({ url: blue.urls.manage, token });
});
afterAll(async () => {
  await atRed.close();
  await atBlue.close();
  await red.close();
  await blue.close();
});

test('groups are put, listed, printed and deleted', async () => {
  expect(await printed((terminal) => groupPut(atRed, groupId, document, plain, terminal))).toMatch(
    /^sip:harbour-tg1@red\.example created, tag "[\w-]+"$/,
  );
  expect(await printed((terminal) => groupPut(atRed, groupId, document, plain, terminal))).toContain('unchanged');
  expect(await printed((terminal) => groupList(atRed, plain, terminal))).toMatch(
    /^GROUP +HOME +TAG +POLICY +STALE SINCE\nsip:harbour-tg1@red\.example +here +[\w-]+ +- +-$/,
  );
  expect(await printed((terminal) => groupGet(atRed, groupId, plain, terminal))).toMatch(/^<\?xml[\s\S]*<\/group>$/);
  const facts = JSON.parse(
    await printed((terminal) => groupGet(atRed, groupId, { json: true }, terminal)),
  ) as ListedGroup;
  expect(facts).toMatchObject({ groupId, home: true });
  expect(await printed((terminal) => groupDelete(atRed, groupId, terminal))).toBe(`${groupId} deleted`);
  expect(await printed((terminal) => groupList(atRed, { json: true }, terminal))).toBe('[]');
});

test('a refusal is told with code and phrase', async () => {
  await expect(groupDelete(atRed, 'sip:none@red.example', { out: String, err: String })).rejects.toThrow(
    new ManagementFailure('not-found: No such resource (404)'),
  );
});

test('TS 23.280 10.2.7: pull and push play the flows by hand, deliveries are listed, retried and dropped', async () => {
  await printed((terminal) => groupPut(atRed, groupId, document, plain, terminal));
  expect(await printed((terminal) => partnerPull(atBlue, 'red', groupId, plain, terminal))).toMatch(/ stored, /);
  expect(await printed((terminal) => groupList(atBlue, { ...plain, partner: 'red' }, terminal))).toMatch(
    /\nsip:harbour-tg1@red\.example +red /,
  );
  const partners = JSON.parse(
    await printed((terminal) => partnerList(atBlue, { json: true }, terminal)),
  ) as ListedPartner[];
  expect(partners).toMatchObject([{ name: 'red', active: true, groupsHeld: 1 }]);
  expect(await printed((terminal) => partnerList(atBlue, plain, terminal))).toMatch(
    /\nred +red\.example +active +1 +0 +0 +0 +0 +closed$/,
  );

  expect(await printed((terminal) => partnerPush(atRed, 'blue', groupId, plain, terminal))).toBe(
    `${groupId} queued for blue`,
  );
  const deliveries = async (): Promise<readonly ListedDelivery[]> =>
    JSON.parse(await printed((terminal) => deliveryList(atRed, { json: true, partner: 'blue' }, terminal)));
  await until(deliveries, ([first]) => first?.outcome !== undefined, 'an attempt');
  expect(await printed((terminal) => deliveryList(atRed, plain, terminal))).toMatch(
    /^PARTNER +GROUP .*\nblue +sip:harbour-tg1@red\.example +provide +queued +\d/,
  );
  expect(await printed((terminal) => deliveryRetry(atRed, 'blue', groupId, terminal))).toContain('will be delivered');
  expect(await printed((terminal) => deliveryDrop(atRed, 'blue', groupId, terminal))).toContain('dropped');
  expect(await deliveries()).toEqual([]);
});

test('deliveries that wait for an operator are listed with what lets them go', async () => {
  const listed = (states: readonly string[]) => {
    const deliveries = states.map((state) => ({ partner: 'blue', groupId, action: 'withdraw', state, attempts: 0 }));
    const client = { ...atRed, json: async () => ({ deliveries }) };
    return printed((terminal) => deliveryList(client, plain, terminal));
  };
  expect(await listed(['queued', 'delivered'])).not.toContain('mcgw delivery');
  expect(await listed(['braked'])).toMatch(/\nbraked: mcgw delivery release PARTNER \[GROUP\] lets them go$/);
  expect(await listed(['parked', 'parked'])).toMatch(/\nparked: mcgw delivery retry PARTNER GROUP [^\n]*$/);
});

test('TS 23.280 10.2.7: the user profile names the own GMS as the source of a group of another system', async () => {
  const profile = await printed((terminal) => groupList(atBlue, { json: true, profile: true }, terminal));
  expect(JSON.parse(profile)).toEqual([
    { groupId, partner: 'red', gms: 'sip:gms@blue.example', xcapRoot: blue.urls.xcap },
  ]);
  const table = await printed((terminal) => groupList(atBlue, { ...plain, profile: true }, terminal));
  expect(table).toMatch(/^GROUP +GMS +XCAP ROOT\nsip:harbour-tg1@red\.example +sip:gms@blue\.example +http:/);
});

test('TS 23.280 10.2.7: a pull by pattern asks for every known group and tells how it went', async () => {
  const pull = (pattern: string, code = 0): Promise<string> =>
    printed((terminal) => partnerPullAll(atBlue, 'red', pattern, plain, terminal), code);
  await expect(partnerPull(atBlue, 'red', 'sip:none@red.example', plain, { out: String, err: String })).rejects.toThrow(
    'not-found: red gives no such group: it has none with this ID, or its agreement does not cover it',
  );
  expect(await pull('sip:harbour-*@red.example')).toBe('1 of 1 asked for: 0 stored, 1 unchanged, 0 removed, 0 failed');
  expect(await pull('sip:no*', 1)).toBe(
    '1 of 1 asked for: 0 stored, 0 unchanged, 0 removed, 1 failed\nsip:none@red.example failed: not-found',
  );
  expect(await pull('sip:x*')).toBe('0 of 0 asked for: 0 stored, 0 unchanged, 0 removed, 0 failed');
});

test('the brake is released by partner and by group', async () => {
  const release = (group: string | undefined) => printed((terminal) => deliveryRelease(atRed, 'blue', group, terminal));
  expect(await release(undefined)).toBe(
    '0 withdrawals released for blue\nthe brake of blue holds nothing for interconnect.brake.window seconds from now',
  );
  await expect(release('sip:none@red.example')).rejects.toThrow('not-found: No such delivery (404)');
  await expect(printed((terminal) => deliveryRelease(atRed, 'green', undefined, terminal))).rejects.toThrow(
    'partner-unknown',
  );
});

test('subscriptions are listed', async () => {
  expect(await printed((terminal) => subscriptionList(atRed, plain, terminal))).toBe(
    'SUBSCRIBER  ROLE  EXPIRES  TOLD  RESOURCES',
  );
  expect(await printed((terminal) => subscriptionList(atRed, { json: true }, terminal))).toBe('[]');
});

describe('the gateway is found', () => {
  test('by its configuration, unless that has no management face', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mcgw-commands-'));
    const file = join(folder, 'gateway.yaml');
    const { system, xcap, storage } = redConfiguration();
    const { port } = new URL(red.urls.manage ?? '');
    try {
      writeFileSync(file, JSON.stringify({ system, xcap, storage, manage: { listen: { port: Number(port) }, token } }));
      const client = managementClient({ config: file });
      expect(await client.json('subscriptions')).toEqual({ subscriptions: [] });
      await client.close();
      writeFileSync(file, JSON.stringify({ system, xcap, storage }));
      expect(() => managementClient({ config: file })).toThrow(new AddressProblem(`${file} has no section manage`));
      writeFileSync(file, JSON.stringify({ system, xcap }));
      expect(() => managementClient({ config: file })).toThrow(`${file}:1: storage: is required`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('and says so when the token is wrong', async () => {
    const client = managementClient({ url: red.urls.manage, token: 'another-token' });
    await expect(client.json('groups')).rejects.toThrow(/^token-invalid: .* \(401\)$/);
    await client.close();
  });
});

test('check shows the problems of policies beside those of the configuration', async () => {
  const file = join(red.folder, 'checked.yaml');
  const configuration = redConfiguration() as { partners: object[] };
  const partners = configuration.partners.map((partner) => ({ ...partner, outboundPolicy: 'wrong.yaml' }));
  writeFileSync(join(red.folder, 'wrong.yaml'), 'policy: wrong\nversion: 1\nrules:\n  - { name: x }\n');
  writeFileSync(file, JSON.stringify({ ...configuration, partners }));
  const problems = await printed((terminal) => check(file, terminal), 2);
  expect(problems).toContain(`${join(red.folder, 'wrong.yaml')}:4: rules[0]: rule "x": needs exactly one of`);
  writeFileSync(file, JSON.stringify(configuration));
  expect(await printed((terminal) => check(file, terminal))).toBe(`${file}: no errors, no warnings`);
});

test('columns are as wide as their widest cell', () => {
  expect(
    columns(
      ['A', 'LONG'],
      [
        ['aaa', undefined],
        ['b', ''],
      ],
    ),
  ).toBe('A    LONG\naaa  -\nb    -');
});

// Whole gateways in one process: start, stop, restart, reload.
import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { until } from '../test/until.ts';
import { writeLabCertificates } from './config/lab-certificates.ts';
import {
  blueConfiguration,
  redConfiguration,
  runGateway,
  type TestConfiguration,
  type TestGateway,
  token,
} from './gateway/gateway.testkit.ts';
import type { ListedDelivery, ListedGroup } from './manage/listings.ts';
import { changesOf, Subscriber } from './sip/face.testkit.ts';

const groupId = 'sip:harbour-tg1@red.example';
let harbour: string;
const running: TestGateway[] = [];

beforeAll(async () => {
  harbour = await readFile(new URL('../config/groups/harbour-tg1.xml', import.meta.url), 'utf8');
});
afterEach(async () => {
  for (const gateway of running.splice(0)) await gateway.close();
});

async function run(configuration: TestConfiguration): Promise<TestGateway> {
  const gateway = await runGateway(configuration);
  running.push(gateway);
  return gateway;
}

async function manage(
  gateway: TestGateway,
  path: string,
  init: { method?: 'PUT'; body?: string } = {},
): Promise<unknown> {
  const answer = await request(`${gateway.urls.manage}/api/v1/${path}`, {
    headers: { authorization: `Bearer ${token}` },
    ...init,
  });
  if (answer.statusCode >= 300) throw new Error(`${path}: ${answer.statusCode} ${await answer.body.text()}`);
  return answer.body.json();
}

const putHarbour = (gateway: TestGateway): Promise<unknown> =>
  manage(gateway, `groups/${encodeURIComponent(groupId)}`, { method: 'PUT', body: harbour });
const groupsOf = async (gateway: TestGateway): Promise<readonly ListedGroup[]> =>
  ((await manage(gateway, 'groups')) as { groups: ListedGroup[] }).groups;
const deliveriesOf = async (gateway: TestGateway): Promise<readonly ListedDelivery[]> =>
  ((await manage(gateway, 'deliveries')) as { deliveries: ListedDelivery[] }).deliveries;

/** As an MC service server of the gateway's own system asks for the group. */
async function readAsServer(gateway: TestGateway, identity: string): Promise<{ status: number; body: string }> {
  const answer = await request(`${gateway.urls.xcap}/org.openmobilealliance.groups/global/byGroupID/${groupId}`, {
    headers: { 'x-3gpp-asserted-identity': `"${identity}"` },
  });
  return { status: answer.statusCode, body: await answer.body.text() };
}

function presentedCertificate(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? '');
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

describe('start', () => {
  test('tells the addresses that are really bound', async () => {
    const { urls } = await run(redConfiguration());
    expect(urls.xcap).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*\/xcap-root$/);
    expect(urls.interconnect).toMatch(/^https:\/\/127\.0\.0\.1:[1-9]\d*\/xcap-root$/);
    expect(urls.sip).toEqual([expect.stringMatching(/^sip:127\.0\.0\.1:[1-9]\d*$/)]);
    expect(urls.manage).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
  });

  test('leaves out the faces that are not configured', async () => {
    const { system, xcap, identity, storage, logging } = redConfiguration();
    const { urls } = await run({ system, xcap, identity, storage, logging });
    expect(Object.keys(urls).filter((face) => face !== 'sip')).toEqual(['xcap']);
    expect(urls.sip).toEqual([]);
  });

  test('a part that cannot start closes those that did', async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
    const address = blocker.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const other = await run(redConfiguration());
    const configuration = redConfiguration();
    const storage = { sqlite: join(other.folder, 'second.db') };
    // management is the last face to open
    const blocked = { ...configuration, storage, manage: { listen: { port }, token } };
    await expect(runGateway(blocked)).rejects.toThrow(/EADDRINUSE/);
    await new Promise((resolve) => blocker.close(resolve));
    // the store is free again, which it would not be while it is open
    expect(await groupsOf(await run({ ...configuration, storage }))).toEqual([]);
  });
});

describe('restart', () => {
  test('groups are still there, with the same tags', async () => {
    const first = await run(redConfiguration());
    await putHarbour(first);
    const before = await groupsOf(first);
    running.pop();
    const second = await first.restart();
    running.push(second);
    expect(await groupsOf(second)).toEqual(before);
  });

  test('TS 23.280 10.2.7: what a partner could not be given before is delivered after', async () => {
    const blue = await run(blueConfiguration());
    const red = await run(redConfiguration('https://127.0.0.1:1/xcap-root'));
    await putHarbour(red);
    const failed = (deliveries: readonly ListedDelivery[]): boolean => (deliveries[0]?.attempts ?? 0) > 0;
    expect(await until(() => deliveriesOf(red), failed, 'a first attempt')).toMatchObject([{ state: 'queued' }]);
    await red.reload(await red.changed(() => redConfiguration(blue.urls.interconnect)));
    await until(
      () => groupsOf(blue),
      (groups) => groups.length === 1,
      'the group at blue',
    );
    await until(
      () => deliveriesOf(red),
      ([first]) => first?.state === 'delivered',
      'the delivery',
    );
  });
});

describe('reload', () => {
  const withPolicy = (configuration: TestConfiguration): TestConfiguration => ({
    ...configuration,
    partners: (configuration.partners as object[]).map((partner) => ({ ...partner, inboundPolicy: 'from-red.yaml' })),
  });
  const policy = (max: number): string =>
    `policy: from-red\nversion: ${max}\nrules:\n  - { name: ceiling, clamp: { priority: [mcptt, mcdata], max: ${max} } }\n`;

  test('an agreement that is suspended lets nothing pass from then on', async () => {
    const red = await run(redConfiguration());
    const blue = await run(blueConfiguration(red.urls.interconnect));
    await putHarbour(red);
    const suspended = (configuration: TestConfiguration): TestConfiguration => ({
      ...configuration,
      partners: (configuration.partners as { agreement: object }[]).map((partner) => ({
        ...partner,
        agreement: { ...partner.agreement, state: 'suspended' },
      })),
    });
    expect(await red.reload(await red.changed(suspended))).toEqual([]);
    // inside the agreement's patterns the home says why it refuses, outside of them there would be no such group
    expect((await readAsServer(blue, 'sip:mcptt@blue.example')).status).toBe(502);
    expect(await groupsOf(blue)).toEqual([]);
    await red.reload(await red.changed((configuration) => configuration));
    // failed requests are remembered for a moment
    const read = (): Promise<{ status: number }> => readAsServer(blue, 'sip:mcptt@blue.example');
    await until(read, ({ status }) => status === 200, 'the group at blue');
  });

  test('RFC 5875 4.7: who may read a group no longer is told so by the subscription', async () => {
    const listening = (configuration: TestConfiguration): TestConfiguration => ({
      ...configuration,
      partners: (configuration.partners as object[]).map((partner) => ({ ...partner, sipFrom: ['127.0.0.1'] })),
    });
    const withdrawn = (configuration: TestConfiguration): TestConfiguration => ({
      ...configuration,
      partners: (configuration.partners as { agreement: object }[]).map((partner) => ({
        ...partner,
        agreement: { ...partner.agreement, weProvide: [], theyRequest: [] },
      })),
    });
    const red = await run(listening(redConfiguration()));
    await putHarbour(red);
    const subscriber = await Subscriber.open(Number(red.urls.sip[0]?.split(':').at(-1)), 'sip:gms@blue.example');
    const sel = `org.openmobilealliance.groups/global/byGroupID/${groupId}`;
    expect((await subscriber.subscribe([sel])).status).toBe(200);
    const [told = ''] = changesOf(await subscriber.notify());
    await red.reload(await red.changed(withdrawn));
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} ${told.split(' ').at(-1)} -`]);
    subscriber.close();
  });

  test('a changed policy file is applied to the kept source', async () => {
    const red = await run(redConfiguration());
    const blue = await run(blueConfiguration(red.urls.interconnect));
    await putHarbour(red);
    await readAsServer(blue, 'sip:mcptt@blue.example');
    await writeFile(join(blue.folder, 'from-red.yaml'), policy(5));
    expect(await blue.reload(await blue.changed(withPolicy))).toEqual([]);
    // A list may be ahead of what is served by the time that the disk takes.
    await until(
      () => readAsServer(blue, 'sip:mcptt@blue.example'),
      ({ body }) => body.includes('on-network-group-priority>5<'),
      'the new derivation',
    );
    expect((await groupsOf(blue))[0]?.policyVersion).toBe(5);
  });

  test('a change of whom we serve is named and reaches neither policies nor documents before a restart', async () => {
    const red = await run(redConfiguration());
    const blue = await run(blueConfiguration(red.urls.interconnect));
    await writeFile(
      join(blue.folder, 'from-red.yaml'),
      'policy: from-red\nversion: 1\nrules:\n  - { name: ours, members: { keep: [{ served: true }] } }\n',
    );
    await blue.reload(await blue.changed(withPolicy));
    await putHarbour(red);
    const before = await readAsServer(blue, 'sip:mcptt@blue.example');
    expect(before.status).toBe(200);
    expect(before.body).not.toContain('sip:ines@red.example');
    const served = await blue.changed((configuration) => ({
      ...withPolicy(configuration),
      system: { ...(configuration.system as object), servedUsers: ['sip:ines@red.example'] },
    }));
    expect(await blue.reload(served)).toEqual(['system.servedUsers']);
    const pull = await request(`${blue.urls.manage}/api/v1/partners/red/pull`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ groupId }),
    });
    expect(pull.statusCode).toBe(200);
    expect((await readAsServer(blue, 'sip:mcptt@blue.example')).body).toBe(before.body);
  });

  test('certificates are read again and shown to who connects from then on', async () => {
    const red = await run(redConfiguration());
    const { port } = new URL(red.urls.interconnect ?? '');
    const before = await presentedCertificate(Number(port));
    await writeLabCertificates({ folder: red.folder, force: true, days: 60, now: Date.now() });
    expect(await red.reload(await red.changed((configuration) => configuration))).toEqual([]);
    const after = await presentedCertificate(Number(port));
    expect(after).not.toBe(before);
    expect(after).toBe(new X509Certificate(await readFile(join(red.folder, 'red.crt'))).fingerprint256);
  });

  test('keys that need a restart are named and stay as they were', async () => {
    const red = await run(redConfiguration());
    const changed = await red.changed((configuration) => ({
      ...configuration,
      storage: { sqlite: 'other.db', journal: { days: 30 } },
      sip: { listen: ['udp:127.0.0.1:0'], minimumExpires: 5 },
    }));
    expect(await red.reload(changed)).toEqual(['sip.minimumExpires', 'storage.sqlite', 'storage.journal']);
    expect(await groupsOf(red)).toEqual([]);
  });
});

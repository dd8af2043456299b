// The primary goes away and comes back: the partner serves its last good copy, marks it stale, and catches up.
import { afterEach, expect, test } from '@jest/globals';
import { border } from '../../src/demo/example-groups.ts';
import { byGroupId, manage, xcap } from '../../src/demo/faces.ts';
import {
  choosePorts,
  createCertificates,
  demoFolder,
  type RunningSystem,
  type SystemPorts,
  startSystem,
} from '../../src/demo/systems.ts';
import { until } from '../until.ts';

const closing: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Listed {
  readonly groupId: string;
  readonly staleSince?: string;
}

async function listed({ manageUrl, manageToken }: RunningSystem): Promise<Listed | undefined> {
  const { groups } = (await manage(manageUrl, manageToken, 'groups')) as { readonly groups: readonly Listed[] };
  return groups[0];
}

/** Ports such that each system reaches the other directly, with nothing in between. */
async function directPorts(): Promise<Record<'red' | 'blue', SystemPorts>> {
  const { red, blue } = await choosePorts('any');
  return { red: { ...red, tap: red.interconnect }, blue: { ...blue, tap: blue.interconnect } };
}

test('TS 23.280 10.2.7: while the primary is unreachable the last good copy is served and marked stale', async () => {
  const folder = await demoFolder();
  closing.push(() => folder.remove());
  await createCertificates(folder.path);
  const ports = await directPorts();
  const first = await startSystem(folder.path, 'red', ports);
  closing.push(() => first.stop());
  const blue = await startSystem(folder.path, 'blue', ports, { interconnect: { revalidate: 0.25, timeout: 2 } });
  closing.push(() => blue.stop());
  const { groupId, document } = await border();
  const path = 'org.openmobilealliance.groups/users/sip:groups@red.example/border-7.xml';
  const put = (body: string): ReturnType<typeof xcap> =>
    xcap(first.xcapRoot, { method: 'PUT', path, identity: 'sip:admin@red.example', body });
  const get = (): ReturnType<typeof xcap> =>
    xcap(blue.xcapRoot, { method: 'GET', path: byGroupId(groupId), identity: 'sip:mcptt@blue.example' });
  expect((await put(document)).status).toBe(201);
  const fresh = await get();
  expect(fresh.status).toBe(200);
  expect((await listed(blue))?.staleSince).toBeUndefined();

  await first.kill();
  await until(
    () => listed(blue),
    (group) => group?.staleSince !== undefined,
    'the stale mark',
  );
  expect(await get()).toEqual(fresh);

  const again = await startSystem(folder.path, 'red', ports);
  closing.push(() => again.stop());
  await until(
    () => listed(blue),
    (group) => group !== undefined && group.staleSince === undefined,
    'the end of the stale mark',
    20_000,
  );
  expect((await put(document.replace('Red Border Police', 'Red Border Guard'))).status).toBe(200);
  const caughtUp = await until(get, (answer) => answer.tag !== fresh.tag, 'the changed group', 20_000);
  expect(caughtUp.body).toContain('Red Border Guard');
}, 90_000);

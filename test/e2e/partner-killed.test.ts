// The partner dies between store and answer: the primary must repeat, and the repeat must neither lose nor double the group.
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { harbour } from '../../src/demo/example-groups.ts';
import { byGroupId, manage, xcap } from '../../src/demo/faces.ts';
import { McServiceServer, type Notification } from '../../src/demo/mc-service-server.ts';
import { Observations } from '../../src/demo/observations.ts';
import {
  choosePorts,
  createCertificates,
  demoFolder,
  keyPair,
  labCa,
  type RunningSystem,
  startSystem,
} from '../../src/demo/systems.ts';
import { type Exchange, startWireTap } from '../../src/demo/wire-tap.ts';
import { until } from '../until.ts';

const closing: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

let folder: string;

beforeEach(async () => {
  const made = await demoFolder();
  closing.push(() => made.remove());
  folder = made.path;
  await createCertificates(folder);
});

interface DeliveryList {
  readonly deliveries: readonly { readonly groupId: string; readonly state: string; readonly attempts: number }[];
}

async function deliveryOf(
  red: RunningSystem,
  groupId: string,
): Promise<DeliveryList['deliveries'][number] | undefined> {
  const list = (await manage(red.manageUrl, red.manageToken, 'deliveries')) as DeliveryList;
  return list.deliveries.find((delivery) => delivery.groupId === groupId);
}

test('TS 23.280 10.2.7: a partner killed between store and answer holds the group once after the retry', async () => {
  const ports = await choosePorts('any');
  const exchanges = new Observations<Exchange>();
  const lost = new Observations<Exchange>();
  let withholding = true;
  const [ca, asServer, asClient] = await Promise.all([labCa(folder), keyPair(folder, 'blue'), keyPair(folder, 'red')]);
  const tap = await startWireTap({
    port: ports.blue.tap,
    asServer: { ca, ...asServer },
    asClient: { ca, ...asClient },
    target: { host: '127.0.0.1', port: ports.blue.interconnect },
    onExchange: (exchange) => exchanges.add(exchange),
    withhold: () => withholding,
    onWithheld: (exchange) => lost.add(exchange),
  });
  closing.push(() => tap.close());
  const red = await startSystem(folder, 'red', ports);
  closing.push(() => red.stop());
  const killed = await startSystem(folder, 'blue', ports);
  closing.push(() => killed.kill());
  const { groupId, document } = await harbour();

  const put = await xcap(red.xcapRoot, {
    method: 'PUT',
    path: 'org.openmobilealliance.groups/users/sip:groups@red.example/harbour-tg1.xml',
    identity: 'sip:admin@red.example',
    body: document,
  });
  expect(put.status).toBe(201);
  const stored = await lost.first(0, () => true, 'the answer that red never sees');
  expect(stored.response.startLine).toBe('HTTP/1.1 201 Created');
  await killed.kill();
  expect((await deliveryOf(red, groupId))?.state).toBe('queued');

  withholding = false;
  const blue = await startSystem(folder, 'blue', ports);
  closing.push(() => blue.stop());
  const survived = await xcap(blue.xcapRoot, {
    method: 'GET',
    path: byGroupId(groupId),
    identity: 'sip:omar@blue.example',
  });
  expect(survived.status).toBe(200);

  const notifications = new Observations<Notification>();
  const server = new McServiceServer({
    identity: 'sip:mcptt@blue.example',
    gms: 'sip:gms@blue.example',
    server: { host: '127.0.0.1', port: ports.blue.sip },
    resources: ['org.openmobilealliance.groups/global/byGroupID/'],
    onNotification: (notification) => notifications.add(notification),
  });
  closing.push(() => server.close());
  expect(await server.subscribe(600)).toBe('SIP/2.0 200 OK');
  const initial = await notifications.first(0, () => true, 'the initial NOTIFY');
  expect(initial.documents.map((told) => told.newTag)).toEqual([survived.tag]);

  // The primary knows of no tag, so it creates first, and learns that the group is there
  const repeated = await exchanges.first(
    0,
    ({ request, response }) => request.startLine.startsWith('PUT ') && response.startLine === 'HTTP/1.1 200 OK',
    'the repeated PUT',
    20_000,
  );
  expect(exchanges.since(0, () => true).map(({ response }) => response.startLine)).toEqual([
    'HTTP/1.1 412 Precondition Failed',
    'HTTP/1.1 200 OK',
  ]);
  expect(repeated.request.body).toBe(stored.request.body);

  // A change after the repeat proves that the outbox went on, and that its NOTIFY is the first since the initial one.
  const changed = await xcap(red.xcapRoot, {
    method: 'PUT',
    path: 'org.openmobilealliance.groups/users/sip:groups@red.example/harbour-tg1.xml',
    identity: 'sip:admin@red.example',
    body: document.replace('Harbour patrol', 'Harbour watch'),
  });
  expect(changed.status).toBe(200);
  const told = await notifications.first(1, () => true, 'the NOTIFY of the change');
  expect(told.documents).toHaveLength(1);
  expect(told.documents[0]?.previousTag).toBe(survived.tag);
  await until(
    () => deliveryOf(red, groupId),
    (delivery) => delivery?.state === 'delivered',
    'the delivery of the change',
  );
  const groups = (await manage(blue.manageUrl, blue.manageToken, 'groups')) as { readonly groups: readonly unknown[] };
  expect(groups.groups).toHaveLength(1);
}, 60_000);

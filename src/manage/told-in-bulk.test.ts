// The provenance of a group names who was told of it, also by a NOTIFY about thousands of groups.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { closeSchemas, groupDocument } from '../documents/documents.testkit.ts';
import { type Blue, openBlue, red } from '../interconnect/blue.testkit.ts';
import { TestClock } from '../interconnect/interconnect.testkit.ts';
import { TimerQueue } from '../sip/engine/timer-queue.ts';
import { NotificationJournal } from '../sip/notification-journal.ts';
import { erasePerson } from './erase-person.ts';
import { provenanceOf } from './provenance.ts';

const group = 'sip:g7@red.example';
const at = '2026-01-02T03:04:05.000Z';
const now = (): number => Date.parse(at);

let folder: string;
let blue: Blue;
let journal: NotificationJournal;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'told-'));
  blue = await openBlue(folder, new TestClock());
  await blue.interconnection.acceptProvision(
    red,
    group,
    groupDocument({ uri: group, members: ['sip:omar@blue.example'] }),
    {},
  );
  const timers = new TimerQueue({ now, wakeAfter: () => () => undefined });
  journal = new NotificationJournal({
    store: blue.store,
    timers,
    log: { error: (...fault) => expect(fault).toEqual([]) },
  });
});
afterEach(async () => {
  await blue.interconnection.stop();
  await blue.store.close();
  await rm(folder, { recursive: true });
});
afterAll(closeSchemas);

async function tell(identity: string, count: number, newTag: string | undefined, status = 200): Promise<void> {
  const told = Array.from({ length: count }, (_, number) => ({
    resource: { kind: 'group', groupId: `sip:g${number}@red.example` } as const,
    newTag,
  }));
  journal.note({ role: 'server', identity }, told, status);
  await journal.flush();
}

const notified = async (groupId = group): Promise<unknown> => (await provenanceOf(blue, groupId))?.notified;

test.each([1, 20, 21, 100, 1000, 1001, 3000])('of %d documents', async (count) => {
  await tell('sip:mcptt@blue.example', Math.max(count, 8), 'a');
  expect(await notified()).toEqual([{ at, tag: 'a', subscribers: ['sip:mcptt@blue.example'] }]);
});

test('each subscriber with what it was told last; failures and other groups are not named', async () => {
  await tell('sip:mcptt@blue.example', 1500, 'a');
  await tell('sip:mcptt@blue.example', 1500, 'b');
  await tell('sip:mcdata@blue.example', 1500, 'b');
  await tell('sip:mcvideo@blue.example', 1500, 'b', 481);
  const told = [
    { at, tag: 'b', subscribers: ['sip:mcdata@blue.example'] },
    { at, tag: 'b', subscribers: ['sip:mcptt@blue.example'] },
  ];
  expect(await notified()).toEqual(told);
  await erasePerson({ store: blue.store, policies: blue.versions, now }, 'sip:mcdata@blue.example', 'operator');
  expect(await notified()).toEqual(told.slice(1));
  await tell('sip:mcptt@blue.example', 1500, undefined);
  expect(await notified()).toEqual([]);
});

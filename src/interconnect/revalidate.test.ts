import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { closeSchemas } from '../documents/documents.testkit.ts';
import { openSystems, partnerAgreement, type Systems } from './interconnect.testkit.ts';

const group = 'sip:alpha@red.example';

let systems: Systems;
beforeEach(async () => {
  systems = await openSystems({
    red: { partners: { blue: { agreement: { theyRequest: [{ groups: 'sip:*@red.example' }] } } } },
  });
  await systems.red.putGroup('alpha');
  await systems.blue.interconnection.group(systems.blue.server, group);
  systems.blue.sent.length = 0;
});
afterEach(async () => {
  expect(systems.blue.faults).toEqual([]);
  await systems.close();
});
afterAll(closeSchemas);

const source = () => systems.blue.documents.findSource(group);
const since = (seconds: number): string =>
  new Date(Date.parse('2026-01-02T03:04:05.000Z') + seconds * 1000).toISOString();

/** One revalidation interval and everything that it sets off. */
async function interval(): Promise<void> {
  await systems.advance(1000);
  await systems.blue.interconnection.idle();
}

describe('requested groups stay current by conditional requests on a timer', () => {
  test('unchanged at the primary: asked with the tag held, nothing changes', async () => {
    const before = await source();
    await interval();
    expect(systems.blue.sent).toEqual([{ kind: 'fetch', partner: 'red', groupId: group }]);
    expect(await source()).toEqual(before);
    expect(systems.blue.events).toHaveLength(1);
  });

  test('changed at the primary: derived and stored again', async () => {
    await systems.red.putGroup('alpha', { name: 'Newer' });
    await interval();
    expect(Buffer.from((await source())?.bytes ?? []).toString()).toContain('Newer');
    expect(systems.blue.events).toHaveLength(2);
  });

  test('gone at the primary: the copy is removed and its readers are told', async () => {
    await systems.red.deleteGroup('alpha');
    await interval();
    expect(await systems.blue.documents.findGroup(group)).toBeUndefined();
    expect(systems.blue.events.at(-1)?.changes).toEqual([expect.objectContaining({ groupId: group, tag: undefined })]);
    systems.blue.sent.length = 0;
    await interval();
    expect(systems.blue.sent).toEqual([]);
  });

  test('primary unreachable: the last derived copy is served and marked stale; back: it is current again', async () => {
    systems.blue.link = () => 'down';
    await interval();
    expect((await source())?.staleSince).toBe(since(1000));
    await interval();
    expect((await source())?.staleSince).toBe(since(1000));
    const served = await systems.blue.interconnection.group(systems.blue.server, group);
    expect(served.groupId).toBe(group);
    systems.blue.link = () => 'none';
    await interval();
    expect((await source())?.staleSince).toBeUndefined();
    expect(systems.blue.events).toHaveLength(1);
  });

  test('a new content that policy refuses leaves the last good one, marked stale', async () => {
    systems.blue.reload({
      partners: {
        red: {
          agreement: partnerAgreement('red'),
          inbound: "  - { name: few, require: { select: 'count(//g:entry) < 2', otherwise: too many } }",
        },
      },
    });
    await systems.settle();
    await systems.red.putGroup('alpha', { members: ['sip:omar@blue.example', 'sip:lena@blue.example'] });
    await interval();
    expect((await source())?.staleSince).toBe(since(1000));
    expect(await systems.blue.journal('fetch-failed')).toMatchObject([{ detail: { code: 'constraint-failure' } }]);
  });

  test('a silent primary is not asked for every single group', async () => {
    for (let i = 0; i < 10; i++) {
      await systems.red.putGroup(`g${i}`);
      await systems.blue.interconnection.group(systems.blue.server, `sip:g${i}@red.example`);
    }
    systems.blue.sent.length = 0;
    systems.blue.link = () => 'down';
    await interval();
    expect(systems.blue.sent).toHaveLength(2);
    const held = await systems.blue.store.sources('red');
    expect(held.filter(({ staleSince }) => staleSince !== undefined)).toHaveLength(11);
  });

  test('what is provided in between keeps the tag of the same content, so that the next request is conditional', async () => {
    const before = await source();
    await systems.blue.interconnection.acceptProvision(systems.red.asPartner, group, before?.bytes ?? Buffer.of(), {});
    expect((await source())?.primaryTag).toBe(before?.primaryTag);
    expect(before?.primaryTag).toBeDefined();
  });

  test('groups that we may not request are kept current by provision alone', async () => {
    systems.blue.reload({ partners: { red: { agreement: { theyProvide: [{ groups: 'sip:*@red.example' }] } } } });
    await interval();
    expect(systems.blue.sent).toEqual([]);
    expect((await source())?.staleSince).toBeUndefined();
  });
});

import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { closeSchemas, refusalOf } from '../documents/documents.testkit.ts';
import { openSystems, type Systems } from './interconnect.testkit.ts';

const names = ['g1', 'g2', 'g3', 'g4', 'g5', 'g6', 'other'];

let systems: Systems;
beforeEach(async () => {
  systems = await openSystems();
  for (const name of names) await systems.red.putGroup(name);
  await systems.settle();
});
afterEach(async () => {
  expect(systems.blue.faults).toEqual([]);
  await systems.close();
});
afterAll(closeSchemas);

const pull = (pattern: string) => systems.blue.interconnection.pullAll('red', pattern, 'operator');
const progress = () => systems.blue.interconnection.pullProgress('red');

test('every known group that matches is asked for once, four at a time; a second pull joins the first', async () => {
  const gate = Promise.withResolvers<'none'>();
  systems.blue.link = () => gate.promise;
  expect(progress()).toBeUndefined();
  expect(await pull('sip:g*')).toMatchObject({ total: 6, unchanged: 0, failed: 0 });
  while (systems.blue.sent.length < 4) await new Promise(setImmediate);
  expect(await pull('sip:other*')).toMatchObject({ pattern: 'sip:g*', total: 6 });
  expect(systems.blue.sent).toHaveLength(4);
  gate.resolve('none');
  await systems.settle();
  expect(systems.blue.sent.map(({ groupId }) => groupId)).not.toContain('sip:other@red.example');
  expect(progress()).toMatchObject({ total: 6, stored: 6, failed: 0, finished: expect.stringMatching(/Z$/) });
});

test('a group that an own server asked for in vain is known; failures are told with their group', async () => {
  const early = 'sip:early@red.example';
  await refusalOf(systems.blue.interconnection.group(systems.blue.server, early));
  expect(await pull('sip:early*')).toMatchObject({ total: 1 });
  await systems.settle();
  expect(progress()).toMatchObject({ failed: 1, failures: [{ groupId: early, code: 'not-found' }] });
  await systems.red.putGroup('early', { members: ['sip:rosa@red.example'] });
  await pull('sip:early*');
  await systems.settle();
  expect(progress()).toMatchObject({ stored: 1, failed: 0 });
  expect(await systems.blue.documents.findGroup(early)).toBeDefined();
});

test('what the partner lists and nobody knows here is pulled too', async () => {
  await systems.red.putGroup('new1', { members: ['sip:rosa@red.example'] });
  await systems.red.putGroup('new2', { members: ['sip:rosa@red.example'] });
  await pull('sip:new*');
  await systems.settle();
  expect(progress()).toMatchObject({ total: 2, stored: 2, failed: 0 });
  expect(await systems.blue.documents.findGroup('sip:new2@red.example')).toBeDefined();
});

test('a fault of our own ends the pull, which is told, and the next one begins anew', async () => {
  systems.blue.link = ({ kind }) => {
    if (kind === 'directory') throw new Error('out of order');
    return 'none';
  };
  await pull('sip:g*');
  await systems.settle();
  expect(systems.blue.faults.splice(0)).toEqual([new Error('out of order')]);
  expect(progress()).toMatchObject({ stored: 6, finished: expect.stringMatching(/Z$/) });
  systems.blue.link = () => 'none';
  expect(await pull('sip:other*')).toMatchObject({ pattern: 'sip:other*' });
  await systems.settle();
});

test('an unknown partner is refused', async () => {
  expect((await refusalOf(systems.blue.interconnection.pullAll('violet', '*', 'operator'))).code).toBe(
    'partner-unknown',
  );
});

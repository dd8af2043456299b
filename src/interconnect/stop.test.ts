// A gateway stops in time, whatever its partners do: a frozen partner takes requests and never answers.
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openSystems, type Systems } from './interconnect.testkit.ts';

const alpha = 'sip:alpha@red.example';
const frozen = (): Promise<'down'> => new Promise(() => undefined);

let systems: Systems;
beforeEach(async () => {
  systems = await openSystems();
});
afterEach(() => systems.close());

/** Moves on without waiting for what is under way. */
const advance = (seconds: number): Promise<void> => systems.clock.advance(seconds * 1000, () => setImmediate());

function watched(work: Promise<void>): { readonly ended: boolean; readonly work: Promise<void> } {
  const end = (): void => {
    state.ended = true;
  };
  const state = { ended: false, work: work.then(end) };
  return state;
}

test('flow B that goes on after its callers were answered is ended at once', async () => {
  systems.blue.link = frozen;
  const answer = systems.blue.interconnection.group(systems.blue.server, alpha).catch((error: unknown) => error);
  await advance(60);
  expect(await answer).toMatchObject({ code: 'partner-unreachable' });
  await systems.blue.interconnection.stop();
  expect(await systems.blue.journal('fetch-failed')).toEqual([]);
});

test('a caller who still waits gets its answer before, and others are refused meanwhile', async () => {
  systems.blue.link = frozen;
  const answer = systems.blue.interconnection.group(systems.blue.server, alpha).catch((error: unknown) => error);
  await advance(1);
  const stop = watched(systems.blue.interconnection.stop());
  await advance(1);
  expect(stop.ended).toBe(false);
  const late = systems.blue.interconnection.group(systems.blue.server, 'sip:beta@red.example');
  await expect(late).rejects.toMatchObject({ code: 'unavailable' });
  await advance(8);
  await stop.work;
  expect(await answer).toMatchObject({ row: { status: expect.any(Number) } });
});

test('revalidation is ended at once and marks no copy stale', async () => {
  await systems.red.putGroup('alpha');
  await systems.settle();
  systems.blue.link = frozen;
  await advance(1000);
  expect(systems.blue.sent).toMatchObject([{ kind: 'fetch', groupId: alpha }]);
  await systems.blue.interconnection.stop();
  expect(await systems.blue.documents.findSource(alpha)).not.toHaveProperty('staleSince');
  expect(await systems.blue.journal('fetch-failed')).toEqual([]);
});

test('a delivery under way is ended after a short patience and stays queued', async () => {
  systems.red.link = frozen;
  await systems.red.putGroup('alpha');
  await advance(1);
  const stop = watched(systems.red.interconnection.stop());
  await advance(7);
  expect(stop.ended).toBe(false);
  await advance(1);
  await stop.work;
  expect(await systems.red.store.delivery('blue', alpha)).toMatchObject({ state: 'queued' });
});

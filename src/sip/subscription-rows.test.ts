import { describe, expect, test } from '@jest/globals';
import type { Commit, SubscriptionWrite } from '../store/store.ts';
import { type Clock, TimerQueue } from './engine/timer-queue.ts';
import { parseEntry } from './resource-entry.ts';
import { newSubscription } from './subscription.ts';
import { readRow, SubscriptionRows, subscriptionDialogs } from './subscription-rows.ts';
import { WatchedSubscription } from './watched-subscription.ts';

const group = 'org.openmobilealliance.groups/global/byGroupID/sip:a@red.example';

function subscription(): WatchedSubscription {
  const entry = parseEntry(group, 'http://gms.red.example/xcap-root/');
  const made = new WatchedSubscription(
    { timerFired: () => undefined },
    {
      id: 'call;from-tag=1',
      toTag: '2',
      principal: { role: 'server', identity: 'sip:mcptt@red.example' },
      eventId: '',
      contact: '<sip:gms@127.0.0.1:5060;gr>',
      peer: '127.0.0.1',
    },
    newSubscription(10_000_500),
    entry === undefined ? [] : [entry],
    JSON.stringify({ callId: 'call', localTag: '2', remoteTag: '1' }),
  );
  made.state.accepted = true;
  return made;
}

/** Rows over a store that only remembers, with a clock that wakes when told. */
function rows() {
  const commits: Commit[] = [];
  const wakes: (() => void)[] = [];
  const clock: Clock = {
    now: () => 0,
    wakeAfter: (_delay, wake) => {
      wakes.push(wake);
      return () => undefined;
    },
  };
  const made = new SubscriptionRows({
    store: {
      commit: async (commit) => {
        commits.push(commit);
        return { outcome: 'committed', sequence: commits.length, at: '' };
      },
    },
    timers: new TimerQueue(clock),
    log: { error: () => undefined },
  });
  const writes = (): readonly SubscriptionWrite[] => commits.flatMap((commit) => commit.subscriptions ?? []);
  const last = () => {
    const write = writes().at(-1);
    return write?.write === 'put' ? readRow(write.subscription) : undefined;
  };
  return { rows: made, commits, writes, last, wakes };
}

describe('what is kept of a subscription', () => {
  test('everything that a restart needs, and the expiry in whole seconds', async () => {
    const { rows: kept, writes, last } = rows();
    const one = subscription();
    one.told.set('group sip:a@red.example', 't1');
    await kept.put(one);
    expect(last()).toEqual({
      ...one.facts,
      id: undefined,
      diffProcessing: 'no-patching',
      entries: [group],
      reserved: 0,
      told: { 'group sip:a@red.example': 't1' },
      dialog: { callId: 'call', localTag: '2', remoteTag: '1' },
    });
    expect(writes()[0]).toMatchObject({ write: 'put', subscription: { id: 'call;from-tag=1', expires: 10_001 } });
  });

  test('full state that is owed is not kept as told', async () => {
    const { rows: kept, last } = rows();
    const one = subscription();
    await kept.put(one, true);
    expect(last()?.told).toBeUndefined();
    one.state.outstanding = true;
    one.state.telling = 'full';
    await kept.put(one);
    expect(last()?.told).toBeUndefined();
  });

  test('RFC 3261 12.2.1.1: CSeq is reserved a thousand ahead, again when half is used', async () => {
    const { rows: kept, last } = rows();
    const one = subscription();
    one.cseq = 5_000;
    await kept.put(one);
    expect(last()?.reserved).toBe(6_000);
    expect(one.reserved).toBe(6_000);
    one.cseq = 5_400;
    await kept.put(one);
    expect(last()?.reserved).toBe(6_000);
    one.cseq = 5_500;
    await kept.put(one);
    expect(last()?.reserved).toBe(6_500);
  });

  test('late writes go together, once for each subscription, and not for one that was removed', async () => {
    const { rows: kept, commits, writes } = rows();
    const one = subscription();
    kept.putLater(one);
    kept.putLater(one);
    expect(commits).toHaveLength(0);
    await kept.flush();
    expect(writes()).toHaveLength(1);
    kept.putLater(one);
    one.removed = true;
    kept.delete(one);
    await kept.flush();
    expect(writes().at(-1)).toEqual({ write: 'delete', id: 'call;from-tag=1' });
    expect(writes()).toHaveLength(2);
  });

  test('a row that waits to be written with others is written at once when it must be durable', async () => {
    const { rows: made, last, commits } = rows();
    const kept = subscription();
    kept.told.set(group, 'tag');
    made.putLater(kept);
    expect(commits).toHaveLength(0);
    await made.settle(kept);
    expect(last()?.told).toEqual({ [group]: 'tag' });
    await made.settle(kept);
    expect(commits).toHaveLength(1);
  });
});

test('the dialogs for the engine, with the CSeq that was reserved; one that expired long enough for its last NOTIFY', async () => {
  const { rows: kept, writes } = rows();
  const one = subscription();
  one.cseq = 5_000;
  await kept.put(one);
  const records = writes().flatMap((write) => (write.write === 'put' ? [write.subscription] : []));
  const store = { subscriptions: async () => [...records, { id: 'x', expires: 99_999, state: '{"other":1}' }] };
  expect(await subscriptionDialogs(store, 0)).toEqual([
    { callId: 'call', localTag: '2', remoteTag: '1', localCSeq: 6_000, expiresAt: 10_001_000 },
  ]);
  expect(await subscriptionDialogs(store, 20_000_000)).toMatchObject([{ callId: 'call', expiresAt: 20_300_000 }]);
});

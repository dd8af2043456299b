// The queue of commits and the disk behind it: nothing is acknowledged before the log is synced, nobody waits for it on the event loop.

import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { put, userKey } from '../store.testkit.ts';
import { CommitQueue } from './group-commit.ts';
import { openDatabase } from './open-database.ts';
import { openSqliteStore } from './sqlite-store.ts';
import { prepareStatements } from './statements.ts';

let directory: string;
let database: DatabaseSync;
let disk: PromiseWithResolvers<void>[];
let queue: CommitQueue;

/** Turns of the event loop in which nothing happens unless the disk answers. */
async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn();
}

function commit(name: string): { readonly state: () => string; readonly done: Promise<unknown> } {
  let state = 'waits';
  const done = queue.commit({ documents: [put(userKey(name), 'x', null)] }).then(
    ({ outcome }) => {
      state = outcome;
    },
    (error: Error) => {
      state = error.message;
    },
  );
  return { state: () => state, done };
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'group-commit-'));
  database = openDatabase(join(directory, 'store.db'));
  disk = [];
  const log = {
    sync: () => {
      const answer = Promise.withResolvers<void>();
      disk.push(answer);
      return answer.promise;
    },
    close: () => undefined,
  };
  queue = new CommitQueue(database, prepareStatements(database), log, () => new Date());
});

afterEach(async () => {
  database.close();
  await rm(directory, { recursive: true });
});

describe('commits and the disk', () => {
  test('a commit is acknowledged when the log is on disk and not before, and the event loop turns meanwhile', async () => {
    const one = commit('one');
    await turns();
    expect(disk).toHaveLength(1);
    expect(one.state()).toBe('waits');
    disk[0]?.resolve();
    await one.done;
    expect(one.state()).toBe('committed');
  });

  test('what comes during a sync gathers into one batch, which is acknowledged by a sync of its own', async () => {
    const one = commit('one');
    await turns();
    const others = ['two', 'three', 'four'].map(commit);
    await turns();
    expect(disk).toHaveLength(1);
    disk[0]?.resolve();
    await one.done;
    await turns();
    expect(disk).toHaveLength(2);
    expect(others.map(({ state }) => state())).toEqual(['waits', 'waits', 'waits']);
    disk[1]?.resolve();
    await Promise.all(others.map(({ done }) => done));
    expect(queue.counters).toMatchObject({ transactions: 2, commits: 4, failures: 0 });
  });

  test('a sync that fails rejects its batch and, since nobody knows what is on disk, all that comes after it', async () => {
    const one = commit('one');
    await turns();
    const two = commit('two');
    disk[0]?.reject(new Error('EIO: i/o error'));
    await Promise.all([one.done, two.done]);
    const three = commit('three');
    await three.done;
    for (const { state } of [one, two, three]) {
      expect(state()).toBe('the store could not make a change durable: EIO: i/o error');
    }
    expect(disk).toHaveLength(1);
  });

  test('draining waits for the disk', async () => {
    const one = commit('one');
    let drained = false;
    const draining = queue.drain().then(() => {
      drained = true;
    });
    await turns();
    expect(drained).toBe(false);
    disk[0]?.resolve();
    await draining;
    expect(one.state()).toBe('committed');
  });
});

test('a store that is opened through a symbolic link syncs the log of the real file', async () => {
  await symlink(join(directory, 'real.db'), join(directory, 'link.db'));
  await (await openSqliteStore(join(directory, 'real.db'))).close();
  const store = await openSqliteStore(join(directory, 'link.db'));
  expect(await store.commit({ documents: [put(userKey('a'), 'x', null)] })).toMatchObject({ outcome: 'committed' });
  await store.close();
});

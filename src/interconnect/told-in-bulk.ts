// Who was told of a group by a NOTIFY about so many documents that the journal has one entry for all of them: the last such NOTIFY of each
// subscriber is kept beside the group, so that its provenance names it.
import { setImmediate } from 'node:timers/promises';
import type { RecordWrite, Store } from '../store/store.ts';

/** Under which kind the store keeps them, by group ID and subscriber. */
const toldKind = 'told-in-bulk';
/** Records that are read at once. */
const slice = 500;

/** One subscriber that was told of a group. */
export interface ToldInBulk {
  /** ISO 8601. */
  readonly at: string;
  /** Tag of the state that was told. */
  readonly tag: string;
  readonly subscriber: string;
}

/** What keeps that a subscriber was told of groups (canonical IDs, tags of their states; undefined = gone) at `at`, ISO 8601. */
export function toldInBulkWrites(
  subscriber: string,
  groups: readonly { readonly groupId: string; readonly tag: string | undefined }[],
  at: string,
): readonly RecordWrite[] {
  return groups.map(({ groupId, tag }) => {
    const value = tag === undefined ? undefined : JSON.stringify({ at, tag });
    return { kind: toldKind, name: `${groupId}\n${subscriber}`, value, personal: true };
  });
}

/** Who was told of a group like that, the last time of each. */
export async function toldInBulk(store: Pick<Store, 'records'>, groupId: string): Promise<readonly ToldInBulk[]> {
  const prefix = `${groupId}\n`;
  const found: ToldInBulk[] = [];
  for (let after = prefix; ; ) {
    const page = await store.records(toldKind, { after, limit: slice });
    for (const { name, value } of page) {
      if (!name.startsWith(prefix)) return found;
      const { at, tag } = JSON.parse(value) as Pick<ToldInBulk, 'at' | 'tag'>;
      found.push({ at, tag, subscriber: name.slice(prefix.length) });
    }
    const last = page.at(-1)?.name;
    if (last === undefined || page.length < slice) return found;
    after = last;
  }
}

/** Forgets what subscribers were told whose names `isNamed` accepts. */
export async function forgetToldInBulk(
  store: Pick<Store, 'records' | 'commit'>,
  isNamed: (subscriber: string) => boolean,
): Promise<void> {
  for (let after = ''; ; ) {
    const page = await store.records(toldKind, { after, limit: slice });
    const records = page
      .filter(({ name }) => isNamed(name.slice(name.indexOf('\n') + 1)))
      .map(({ name }) => ({ kind: toldKind, name, personal: true }));
    if (records.length > 0) await store.commit({ records });
    const last = page.at(-1)?.name;
    if (last === undefined || page.length < slice) return;
    after = last;
    await setImmediate();
  }
}

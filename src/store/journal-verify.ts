// Goes through the hash chain of the journal and names the first entry that is not as it was written.
// What the store itself cannot know, a journal cut and sealed anew, is found by an anchor that was kept elsewhere.
import { setImmediate } from 'node:timers/promises';
import { type ChainedEntry, type ChainLink, entryHash, personalFields, saltLength } from './journal-chain.ts';
import type { Store } from './store.ts';

export interface JournalVerdict {
  readonly intact: boolean;
  /** Entries looked at. */
  readonly entries: number;
  /** Of these, entries from which a text was erased. */
  readonly erased: number;
  /** Sequences of the entries between which the chain holds; absent when there is none. */
  readonly first?: number | undefined;
  readonly last?: number | undefined;
  /** To be kept elsewhere: proves later that nothing up to here was changed or removed. */
  readonly anchor: ChainLink;
  /** The entry of the anchor that was given is older than what is kept: it proves nothing any more. */
  readonly anchorRemoved?: true | undefined;
  /** The first entry that is not as it was written, and why. */
  readonly broken?: { readonly sequence: number; readonly why: string } | undefined;
}

/** Entries that are looked at before others get their turn. */
const slice = 200;

/** `SEQUENCE:HASH` as `mcgw audit verify` prints it; undefined when it is no anchor. */
export function parseAnchor(text: string): ChainLink | undefined {
  const [, sequence, hash] = /^(\d{1,15}):([\w-]{43}|)$/.exec(text.trim()) ?? [];
  return sequence === undefined || hash === undefined ? undefined : { sequence: Number(sequence), hash };
}

/**
 * Verifies all that is in the journal when it begins. With `anchor`, the chain must also contain that entry. Entries that come meanwhile
 * do not count; those that retention removes meanwhile are no fault.
 */
export async function verifyJournal(
  store: Pick<Store, 'journalChain' | 'journalEnds'>,
  anchor?: ChainLink,
): Promise<JournalVerdict> {
  const { base, head } = await store.journalEnds();
  let previous: ChainLink = base;
  let entries = 0;
  let erased = 0;
  let anchored = anchor === undefined || isAt(base, anchor);
  const verdict = (broken?: JournalVerdict['broken']): JournalVerdict => {
    const range = entries === 0 ? {} : { first: previous.sequence - entries + 1, last: previous.sequence };
    const removed = anchor !== undefined && anchor.sequence < base.sequence ? { anchorRemoved: true as const } : {};
    return { intact: broken === undefined, entries, erased, ...range, anchor: previous, ...removed, broken };
  };
  while (previous.sequence < head.sequence) {
    const rows = await store.journalChain(previous.sequence, slice);
    if (rows.length === 0) break;
    for (const row of rows) {
      if (row.sequence > head.sequence) break;
      if (row.sequence !== previous.sequence + 1) {
        const now = (await store.journalEnds()).base;
        // Retention has been here meanwhile.
        if (now.sequence > previous.sequence && now.sequence === row.sequence - 1) previous = now;
        else return verdict({ sequence: previous.sequence + 1, why: 'the entry was removed' });
      }
      const fault = faultOf(previous, row);
      if (fault !== undefined) return verdict({ sequence: row.sequence, why: fault });
      if (anchor?.sequence === row.sequence) {
        if (!isAt(row, anchor)) return verdict({ sequence: row.sequence, why: 'it is not the entry of the anchor' });
        anchored = true;
      }
      previous = { sequence: row.sequence, hash: row.hash };
      entries += 1;
      if (Object.keys(row.erased).length > 0) erased += 1;
    }
    await setImmediate();
  }
  if (previous.sequence !== head.sequence) {
    return verdict({ sequence: previous.sequence + 1, why: 'the entry was removed' });
  }
  if (previous.hash !== head.hash) {
    return verdict({ sequence: previous.sequence, why: 'the end of the journal is not the one that was written' });
  }
  const [behind] = await store.journalChain(head.sequence, 1);
  if (behind !== undefined && (await store.journalEnds()).head.sequence < behind.sequence) {
    return verdict({ sequence: behind.sequence, why: 'the entry was added behind the end of the journal' });
  }
  if (!anchored && anchor !== undefined) {
    if (anchor.sequence > head.sequence) {
      return verdict({ sequence: head.sequence + 1, why: `the journal ends before the anchor ${anchor.sequence}` });
    }
    if (anchor.sequence === base.sequence) {
      return verdict({ sequence: base.sequence + 1, why: 'it does not follow the entry of the anchor' });
    }
  }
  return verdict();
}

function isAt(link: ChainLink, anchor: ChainLink): boolean {
  return link.sequence === anchor.sequence && link.hash === anchor.hash;
}

function faultOf(previous: ChainLink, row: ChainedEntry): string | undefined {
  // Else a character could move from a salt to the text behind it, and the digest of both would stay.
  if (row.salt.length !== saltLength) return 'its salt is not as long as it was written';
  for (const field of personalFields) {
    // Nobody may write something else under the digest of what was erased.
    if (row.erased[field] !== undefined && row[field] !== null)
      return `its ${field} was erased and something stands there`;
    if (row.erased[field] === undefined && row[field] === null && field !== 'detail') return `its ${field} is missing`;
  }
  return entryHash(previous.hash, row) === row.hash
    ? undefined
    : 'what stands there does not have the hash that was written';
}

// The texts of policies that the store keeps: those that a version refers to that is in force or can be rolled back to, and those that the
// provenance of a stored group names. All others are removed, some time after the last change.
import { setTimeout as pause } from 'node:timers/promises';
import { type KeptDerivation, provenanceKind, type RefusedDerivation, refusedKind } from '../documents/provenance.ts';
import type { Store } from '../store/store.ts';
import { allRecords } from './policy-slots.ts';

/** Under which kind the store keeps the texts of policies, by their digest. */
export const textKind = 'policy-text';

/** Records that are read at once: texts may have megabytes, provenance has 64 KiB. */
const textsAtOnce = 8;
const groupsAtOnce = 100;
/** Between two looks for what can be removed, milliseconds. */
const interval = 60_000;

/** Digests of the texts that are kept and that neither `inUse` nor a stored group refers to. */
export async function unusedTexts(
  store: Pick<Store, 'records'>,
  inUse: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const unused = new Set<string>();
  for await (const { name } of allRecords(store, textKind, textsAtOnce)) if (!inUse.has(name)) unused.add(name);
  for (const kind of [provenanceKind, refusedKind]) {
    if (unused.size === 0) break;
    for await (const { value } of allRecords(store, kind, groupsAtOnce)) {
      const { policyDigest } = JSON.parse(value) as KeptDerivation | RefusedDerivation;
      if (policyDigest !== undefined) unused.delete(policyDigest);
    }
  }
  return unused;
}

/** Calls `prune` every minute, whatever becomes of it; the result ends that and resolves when nothing is under way. */
export function keepPruned(prune: () => Promise<unknown>, onFault: (fault: unknown) => void): () => Promise<void> {
  const ended = new AbortController();
  const work = (async () => {
    for (;;) {
      await pause(interval, undefined, { signal: ended.signal, ref: false }).catch(() => undefined);
      if (ended.signal.aborted) return;
      await prune().catch(onFault);
    }
  })();
  return async () => {
    ended.abort();
    await work;
  };
}

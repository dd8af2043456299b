// Takes a person out of what the store keeps beside documents: the journal, the authors of local edits, and who brought policies into force.
import { setImmediate } from 'node:timers/promises';
import { type Overlay, overlayKind, readOverlay, writeOverlay } from '../documents/overlay.ts';
import { canonicalUri } from '../identity/uri.ts';
import { forgetToldInBulk } from '../interconnect/told-in-bulk.ts';
import { namesPerson } from '../store/names-person.ts';
import type { Store } from '../store/store.ts';
import type { ManagementContext } from './management-context.ts';

/** From how many places a person was taken. */
export interface Erased {
  /** Entries of the journal. */
  readonly entries: number;
  /** Local edits that it had made. */
  readonly localEdits: number;
  /** Policy versions that it had brought into force. */
  readonly policyVersions: number;
}

/** What stands where a person was named. */
const erasedText = '(erased)';

/** Records and journal entries that are looked at in one go. */
const overlaysAtOnce = 8;
const entriesAtOnce = 500;
/** How often an overlay is read anew that others change meanwhile. */
const attempts = 5;

/** Erases a person by the URI of an identity; that it was done is journalled, and who by. */
export async function erasePerson(
  { store, policies, now }: Pick<ManagementContext, 'store' | 'policies' | 'now'>,
  person: string,
  actor: string,
): Promise<Erased> {
  const texts = [...new Set([person, canonicalUri(person) ?? person])];
  const isNamed = namesPerson(texts);
  const localEdits = await eraseAuthors(store, isNamed);
  const policyVersions = await policies.eraseActors(isNamed, erasedText);
  await forgetToldInBulk(store, isNamed);
  // The journal comes last: with its end the store clears its log of what all of them had.
  const entries = await eraseEntries(store, texts);
  const erased = { entries, localEdits, policyVersions };
  // That it was done is told; who it was about is not.
  const entry = { at: new Date(now()).toISOString(), actor, action: 'person-erased' };
  await store.commit({ journal: [{ ...entry, subject: 'journal', detail: erased }] });
  return erased;
}

async function eraseEntries(store: Store, texts: readonly string[]): Promise<number> {
  let entries = 0;
  for (let after = 0; ; ) {
    const { last, erased } = await store.eraseJournal({ texts, after, limit: entriesAtOnce });
    entries += erased;
    if (last === undefined) return entries;
    after = last;
    await setImmediate();
  }
}

async function eraseAuthors(store: Store, isNamed: (text: string) => boolean): Promise<number> {
  let edits = 0;
  let after: string | undefined;
  for (;;) {
    const limit = overlaysAtOnce;
    const page = await store.records(overlayKind, { limit, ...(after === undefined ? {} : { after }) });
    for (const { name } of page) edits += await eraseAuthorsOf(store, name, isNamed);
    after = page.at(-1)?.name;
    if (after === undefined || page.length < limit) return edits;
    await setImmediate();
  }
}

async function eraseAuthorsOf(store: Store, groupId: string, isNamed: (text: string) => boolean): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const kept = await store.record(overlayKind, groupId);
    const overlay = readOverlay(kept);
    const named = overlay.edits.filter(({ actor }) => isNamed(actor)).length;
    if (kept === undefined || named === 0) return 0;
    const value = writeOverlay(withoutAuthors(overlay, isNamed));
    const write = { kind: overlayKind, name: groupId, value, expected: kept, personal: true };
    const { outcome } = await store.commit({ records: [write] });
    if (outcome === 'committed') return named;
  }
  throw new Error(`the local edits of ${groupId} were changed again and again while their authors were erased`);
}

function withoutAuthors({ next, edits }: Overlay, isNamed: (text: string) => boolean): Overlay {
  return { next, edits: edits.map((edit) => (isNamed(edit.actor) ? { ...edit, actor: erasedText } : edit)) };
}

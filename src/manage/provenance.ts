// Where a served foreign document comes from, put together for operators: source, policy, local edits, and who was told.
import { type KeptDerivation, provenanceKind, type RefusedDerivation, refusedKind } from '../documents/provenance.ts';
import { toldInBulk } from '../interconnect/told-in-bulk.ts';
import type { JournalRecord } from '../store/store.ts';
import type { Notified, Provenance } from './listings.ts';
import type { ManagementContext } from './management-context.ts';
import { shown } from './overlay-routes.ts';

/** Notifications that are told, newest first. */
const mostNotified = 100;
const slice = 1000;

/** How often a group that is being derived again is read anew. */
const attempts = 5;

/** The provenance of a foreign group (canonical ID), all of one state; undefined when nothing is kept of it. */
export async function provenanceOf(
  context: Pick<ManagementContext, 'store' | 'documents'>,
  groupId: string,
): Promise<Provenance | undefined> {
  for (let attempt = 1; ; attempt++) {
    const before = await context.store.record(provenanceKind, groupId);
    const found = await readProvenance(context, groupId, before);
    const isSettled = before === (await context.store.record(provenanceKind, groupId));
    if (isSettled || attempt === attempts) return found;
  }
}

async function readProvenance(
  { store, documents }: Pick<ManagementContext, 'store' | 'documents'>,
  groupId: string,
  kept: string | undefined,
): Promise<Provenance | undefined> {
  const source = await documents.findSource(groupId);
  if (source === undefined) return undefined;
  const { partner, tag, primaryTag, received, sent, staleSince, heldSince, policy, policyVersion } = source;
  const derivation = kept === undefined ? undefined : (JSON.parse(kept) as KeptDerivation);
  const refusal = await store.record(refusedKind, groupId);
  // From the store like the rest: while the disk is waited for, the cache still serves what was before
  const served = await store.groupDocument(groupId);
  const { edits } = await documents.overlay(groupId);
  return {
    groupId,
    source: { partner, tag, primaryTag, received, sent, staleSince, heldSince, size: source.bytes.byteLength },
    policy: { name: policy, version: policyVersion, digest: derivation?.policyDigest },
    derivedAt: derivation?.derivedAt,
    derivedTag: derivation?.derivedTag,
    rules: derivation?.rules ?? [],
    refused: refusal === undefined ? undefined : (JSON.parse(refusal) as RefusedDerivation),
    overlay: edits.map(shown),
    served:
      served === undefined ? undefined : { tag: served.tag, modified: served.modified, size: served.bytes.byteLength },
    notified: await notified(store, groupId),
  };
}

async function notified(store: ManagementContext['store'], groupId: string): Promise<readonly Notified[]> {
  let found: Notified[] = [];
  for (let after = 0; ; ) {
    const page = await store.journal({ subject: groupId, after, limit: slice });
    found = [...found, ...page.flatMap(notificationOf)].slice(-mostNotified);
    const last = page.at(-1);
    if (last === undefined || page.length < slice) break;
    after = last.sequence;
  }
  const inBulk = (await toldInBulk(store, groupId)).map(({ at, tag, subscriber }) => ({
    at,
    tag,
    subscribers: [subscriber],
  }));
  // Of one instant, what was written last comes first
  return [...found.reverse(), ...inBulk]
    .sort((one, other) => (one.at < other.at ? 1 : one.at > other.at ? -1 : 0))
    .slice(0, mostNotified);
}

function notificationOf({ at, action, detail = {} }: JournalRecord): readonly Notified[] {
  if (action !== 'notified') return [];
  const { tag, subscribers } = detail;
  if (typeof subscribers !== 'string') return [];
  return [{ at, tag: typeof tag === 'string' ? tag : undefined, subscribers: subscribers.split(' ') }];
}

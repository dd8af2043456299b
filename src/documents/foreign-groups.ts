// Groups of partner systems: what the partner gave (source) and what policy made of it (served), always written together.

import type { ServedUsers } from '../identity/served.ts';
import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { JournalEntry, SourceRecord, Store } from '../store/store.ts';
import type { XmlLimits } from '../xml/limits.ts';
import type { ApplicationUsage } from './application-usage.ts';
import type { Committer } from './committer.ts';
import { groupKey, keyText } from './document-key.ts';
import type { ForeignGroup, ForeignPutOutcome, Preconditions } from './documents.ts';
import { entityTag, preconditionsHold } from './entity-tag.ts';
import { groupIdRefusal } from './group-constraints.ts';
import type { DocumentJudge, Judged } from './judge.ts';
import type { KeyedQueue } from './keyed-queue.ts';
import {
  type ChangedEdits,
  type OverlayChange,
  type OverlayEdit,
  overlayKind,
  type Replayed,
  readOverlay,
  replayEdits,
  writeOverlay,
} from './overlay.ts';
import { type BindsBothSystems, bindingRefusal } from './overlay-writer.ts';
import { forgottenProvenance, provenanceWrites } from './provenance.ts';
import type { DocumentReader } from './reader.ts';

const attempts = 5;

export interface ForeignGroupsOptions {
  readonly store: Store;
  readonly reader: DocumentReader;
  readonly committer: Committer;
  readonly judge: DocumentJudge;
  readonly queue: KeyedQueue;
  readonly served: Pick<ServedUsers, 'isHomed'>;
  readonly now: () => Date;
  readonly limits: XmlLimits;
  /** The usage of group documents. */
  readonly usage: ApplicationUsage;
  readonly bindsBothSystems: BindsBothSystems;
}

export class ForeignGroups {
  readonly #options: ForeignGroupsOptions;

  constructor(options: ForeignGroupsOptions) {
    this.#options = options;
  }

  /** Stores or replaces a foreign group; see Documents.putForeign. */
  async put(given: ForeignGroup, preconditions: Preconditions): Promise<ForeignPutOutcome> {
    const { judge, queue, reader, store, usage } = this.#options;
    const groupId = this.#foreignId(given.groupId);
    const group: ForeignGroup = {
      ...given,
      groupId,
      source: new Uint8Array(given.source),
    };
    judge.checkSize(group.source);
    check(preconditions, await store.source(groupId));
    if (given.served === undefined) {
      return queue.run(keyText(groupKey(groupId)), () => this.#hold(group, preconditions));
    }
    const bytes = new Uint8Array(given.served);
    // What is served already was judged when it was stored.
    const tag = entityTag(bytes);
    const held = await reader.findGroup(groupId);
    const judged = held?.tag === tag ? undefined : await judge.judgeGroup(usage, groupId, bytes);
    return queue.run(keyText(groupKey(groupId)), () => this.#store(group, { tag, bytes }, judged, preconditions));
  }

  /** Removes a foreign group; see Documents.deleteForeign. */
  async delete(address: string, actor: string, preconditions: Preconditions): Promise<void> {
    const groupId = canonicalUri(address);
    if (groupId === undefined) throw new Refusal('not-found');
    const { committer, queue, reader, store } = this.#options;
    const key = groupKey(groupId);
    await queue.run(keyText(key), async () => {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const source = await store.source(groupId);
        if (source === undefined) throw new Refusal('not-found');
        check(preconditions, source);
        const previous = await reader.document(key);
        const entry = this.#entry(actor, 'document-delete', groupId, { partner: source.partner, tag: source.tag });
        const outcome = await committer.commit(
          { key, previous },
          {
            sources: [{ write: 'delete', groupId, expected: source.tag }],
            // Local edits stay: the group may come back, and nobody asked to lose them.
            records: forgottenProvenance(groupId),
            journal: [entry],
          },
        );
        if (outcome.outcome === 'committed') return;
      }
      throw overtaken();
    });
  }

  /** Marks or unmarks the kept copy as stale; see Documents.markStale. The first instant of an unbroken stretch stays. */
  async markStale(address: string, since: string | undefined): Promise<void> {
    const groupId = canonicalUri(address);
    if (groupId === undefined) return;
    const { queue, store } = this.#options;
    await queue.run(keyText(groupKey(groupId)), async () => {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const source = await store.source(groupId);
        if (source === undefined || (source.staleSince === undefined) === (since === undefined)) return;
        const action = since === undefined ? 'source-current' : 'source-stale';
        const entry = this.#entry('system', action, groupId, { partner: source.partner });
        const outcome = await store.commit({
          sources: [{ write: 'put', source: { ...source, staleSince: since }, expected: source.tag }],
          journal: [entry],
        });
        if (outcome.outcome === 'committed') return;
      }
      throw overtaken();
    });
  }

  /** The canonical ID of a group that can be foreign. A group of our own domains has its home here and nowhere else. */
  #foreignId(address: string): string {
    const groupId = canonicalUri(address);
    if (groupId === undefined) throw new Refusal('constraint-failure', { phrase: 'The group ID is not a URI' });
    if (this.#options.served.isHomed(groupId)) throw new Refusal('partner-not-authoritative');
    return groupId;
  }

  /** Keeps the source alone: what is served stays until somebody releases it. */
  async #hold(group: ForeignGroup, preconditions: Preconditions): Promise<ForeignPutOutcome> {
    const { now, reader, store } = this.#options;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const previous = await store.source(group.groupId);
      check(preconditions, previous);
      const at = now().toISOString();
      const fresh = sourceOf(group, at);
      // The same bytes once more wait since they came first.
      const heldSince = previous?.tag === fresh.tag ? (previous.heldSince ?? at) : at;
      const outcome = await store.commit({
        sources: [
          {
            write: 'put',
            source: { ...fresh, heldSince, released: releasedBytes(previous) },
            expected: previous?.tag ?? null,
          },
        ],
        journal: group.journal ?? [
          this.#entry(group.actor, 'source-held', group.groupId, { partner: group.partner, tag: fresh.tag }),
        ],
      });
      if (outcome.outcome !== 'committed') continue;
      const servedTag = (await reader.findGroup(group.groupId))?.tag;
      return { created: previous === undefined, changed: false, tag: fresh.tag, servedTag };
    }
    throw overtaken();
  }

  async #store(
    group: ForeignGroup,
    derived: { readonly tag: string; readonly bytes: Uint8Array },
    judgedDerived: Judged | undefined,
    preconditions: Preconditions,
  ): Promise<ForeignPutOutcome> {
    const { committer, now, reader, store } = this.#options;
    const { groupId } = group;
    const key = groupKey(groupId);
    for (let attempt = 0; attempt < attempts; attempt++) {
      const previous = await store.source(groupId);
      check(preconditions, previous);
      const document = await reader.document(key);
      const kept = await store.record(overlayKind, groupId);
      const overlay = await this.#overlaid(group, derived, judgedDerived, kept);
      const { served, judged } = overlay;
      const servedTag = served.tag;
      const source = waiting(group, previous) ?? sourceOf(group, arrival(group, previous) ?? now().toISOString());
      const outcomeOf = (changed: boolean): ForeignPutOutcome => {
        return { created: previous === undefined, changed, tag: source.tag, servedTag };
      };
      const changed = document?.tag !== servedTag;
      if (!changed && overlay.value === kept && previous !== undefined && isSameSource(previous, source)) {
        const records = provenanceWrites(group, derived.tag, now().toISOString());
        await store.commit({ records, journal: group.journal ?? [] });
        return outcomeOf(false);
      }
      const entry = this.#entry(group.actor, 'document-put', groupId, {
        partner: group.partner,
        tag: source.tag,
        servedTag,
      });
      // The served document is written even when it stays the same: its tag guards against a derivation by another policy meanwhile.
      const outcome = await committer.commit(
        {
          key,
          previous: document,
          stored: { ...served, groupId },
          known: judged ?? (changed ? undefined : document),
        },
        {
          sources: [{ write: 'put', source, expected: previous?.tag ?? null }],
          records: [
            // The edits that were replayed must still be those that there are.
            { kind: overlayKind, name: groupId, value: overlay.value, expected: kept ?? null, personal: true },
            ...provenanceWrites(group, derived.tag, now().toISOString()),
          ],
          journal: [...(group.journal ?? [entry]), ...overlay.journal],
        },
      );
      if (outcome.outcome === 'taken') throw groupIdRefusal('Another document here has this group ID');
      if (outcome.outcome === 'committed') return outcomeOf(changed);
    }
    throw overtaken();
  }

  /** The derived document with the local edits of the group, those marked that do not apply to it. */
  async #overlaid(
    group: ForeignGroup,
    derived: { readonly tag: string; readonly bytes: Uint8Array },
    judgedDerived: Judged | undefined,
    kept: string | undefined,
  ): Promise<Overlaid> {
    const before = readOverlay(kept);
    const { edits, mustApply }: ChangedEdits = group.overlay?.(before.edits) ?? before;
    if (edits.length === 0) {
      return { served: derived, judged: judgedDerived, value: undefined, journal: [] };
    }
    const { judged, replayed } = await this.#replay(group.groupId, derived.bytes, edits);
    const why = replayed.edits.find(({ number }) => number === mustApply)?.conflict?.why;
    if (why !== undefined) throw new Refusal('constraint-failure', { phrase: `The edit does not apply there: ${why}` });
    const isDerived = replayed.bytes === derived.bytes;
    const served = isDerived ? derived : { bytes: replayed.bytes, tag: entityTag(replayed.bytes) };
    const value = writeOverlay({ next: before.next, edits: replayed.edits });
    const known = new Set(before.edits.filter(({ conflict }) => conflict !== undefined).map(({ number }) => number));
    const journal = replayed.edits.flatMap(({ number, node, conflict }) =>
      conflict === undefined || known.has(number)
        ? []
        : [this.#entry('system', 'overlay-conflict', group.groupId, { overlay: number, node, cause: conflict.why })],
    );
    return { served, judged: isDerived ? judgedDerived : judged, value, journal };
  }

  async #replay(
    groupId: string,
    derived: Uint8Array,
    edits: readonly OverlayEdit[],
  ): Promise<{ readonly judged: Judged | undefined; readonly replayed: Replayed }> {
    const { judge, limits, usage, bindsBothSystems, now } = this.#options;
    let judged: Judged | undefined;
    const replayed = await replayEdits(derived, edits, {
      limits,
      now: now().toISOString(),
      judge: async (bytes, plain) => {
        judge.checkSize(bytes);
        judged = await judge.judgeGroup(usage, groupId, bytes);
        const bound = bindsBothSystems(plain, judged.index);
        if (bound !== undefined) throw bindingRefusal(bound);
      },
    });
    return { judged, replayed };
  }

  /** See Documents.previewForeign. */
  async preview(groupId: string, derived: Uint8Array): Promise<{ readonly tag: string; readonly conflicts: number }> {
    const { edits } = readOverlay(await this.#options.store.record(overlayKind, groupId));
    if (edits.length === 0) return { tag: entityTag(derived), conflicts: 0 };
    const { replayed } = await this.#replay(groupId, derived, edits);
    const conflicts = replayed.edits.filter(({ conflict }) => conflict !== undefined).length;
    return { tag: entityTag(replayed.bytes), conflicts };
  }

  /** See Documents.changeOverlay. */
  async changeOverlay(groupId: string, change: OverlayChange, actor: string): Promise<void> {
    const { queue, store } = this.#options;
    await queue.run(keyText(groupKey(groupId)), async () => {
      const kept = await store.record(overlayKind, groupId);
      const before = readOverlay(kept);
      const { edits } = change(before.edits);
      const value = edits.length === 0 ? undefined : writeOverlay({ next: before.next, edits });
      const outcome = await store.commit({
        records: [{ kind: overlayKind, name: groupId, value, expected: kept ?? null, personal: true }],
        journal: [this.#entry(actor, 'overlay-changed', groupId, { edits: edits.length })],
      });
      if (outcome.outcome !== 'committed') throw overtaken();
    });
  }

  #entry(actor: string, action: string, subject: string, detail: NonNullable<JournalEntry['detail']>): JournalEntry {
    return { at: this.#options.now().toISOString(), actor, action, subject, detail };
  }
}

interface Overlaid {
  readonly served: { readonly tag: string; readonly bytes: Uint8Array };
  readonly judged: Judged | undefined;
  /** The overlay's text; undefined when there are no edits. */
  readonly value: string | undefined;
  readonly journal: readonly JournalEntry[];
}

function sourceOf(group: ForeignGroup, received: string): SourceRecord {
  return {
    groupId: group.groupId,
    partner: group.partner,
    bytes: group.source,
    tag: entityTag(group.source),
    primaryTag: group.primaryTag,
    policy: group.policy,
    policyVersion: group.policyVersion,
    appliedRules: group.appliedRules,
    received,
    sent: group.sent,
  };
}

/** When the message came that is kept already: deriving or releasing it anew is no arrival. */
function arrival({ source, sent }: ForeignGroup, previous: SourceRecord | undefined): string | undefined {
  const isKept = previous !== undefined && previous.sent === sent && Buffer.compare(previous.bytes, source) === 0;
  return isKept ? previous.received : undefined;
}

/** What is served while newer bytes are held: those released last. */
function releasedBytes(previous: SourceRecord | undefined): Uint8Array | undefined {
  return previous?.heldSince === undefined ? previous?.bytes : previous.released;
}

/** The record of a source that goes on waiting while what was released before it is derived again. */
function waiting(group: ForeignGroup, previous: SourceRecord | undefined): SourceRecord | undefined {
  if (group.released === undefined || previous?.heldSince === undefined) return undefined;
  const { policy, policyVersion, appliedRules } = group;
  return { ...previous, policy, policyVersion, appliedRules, released: group.released };
}

/** Whether a source says nothing new; when it was received does not count. */
function isSameSource(one: SourceRecord, other: SourceRecord): boolean {
  return (
    one.tag === other.tag &&
    one.partner === other.partner &&
    one.primaryTag === other.primaryTag &&
    one.policy === other.policy &&
    one.policyVersion === other.policyVersion &&
    one.staleSince === other.staleSince &&
    one.heldSince === other.heldSince &&
    one.sent === other.sent &&
    one.appliedRules.join('\n') === other.appliedRules.join('\n')
  );
}

function check(preconditions: Preconditions, source: SourceRecord | undefined): void {
  if (!preconditionsHold(preconditions, source?.tag)) throw new Refusal('precondition-failed');
}

function overtaken(): Refusal {
  return new Refusal('unavailable', { retryAfter: 1, cause: 'other writers were faster each time' });
}

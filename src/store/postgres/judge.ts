// Decides what becomes of the commits of one batch, one after another as if each were alone, without asking the server again: what they expect
// was read in the same transaction, and nobody else writes. A commit that is refused leaves nothing behind for the next.

import type { Commit, DocumentKey, DocumentWrite, RecordWrite, SourceWrite } from '../store.ts';

/** What is stored under the keys that a batch touches. */
export interface Known {
  /** By `placeOf`. */
  readonly documents: ReadonlyMap<string, KnownDocument>;
  /** The places of documents by group ID. */
  readonly holders: ReadonlyMap<string, string>;
  /** Tags by group ID. */
  readonly sources: ReadonlyMap<string, string>;
  /** Values by `recordPlace`. */
  readonly records: ReadonlyMap<string, string>;
}

export interface KnownDocument {
  readonly tag: string;
  readonly groupId: string | null;
}

/** What a batch has to know before it is judged. */
export interface Asked {
  readonly documents: readonly DocumentKey[];
  readonly groupIds: readonly string[];
  readonly sources: readonly string[];
  readonly records: readonly Pick<RecordWrite, 'kind' | 'name'>[];
}

/** Outcome of the parts that carry an expectation. */
export type Judgement =
  | { readonly outcome: 'applied' }
  | { readonly outcome: 'conflict' }
  | { readonly outcome: 'taken'; readonly groupId: string };

const applied: Judgement = { outcome: 'applied' };
const conflict: Judgement = { outcome: 'conflict' };

/** A key as one text. */
export function placeOf({ auid, tree, xui, name }: DocumentKey): string {
  return JSON.stringify([auid, tree, xui, name]);
}

export function recordPlace({ kind, name }: Pick<RecordWrite, 'kind' | 'name'>): string {
  return JSON.stringify([kind, name]);
}

/** The keys whose state decides about these commits, each once. */
export function askedBy(commits: readonly Commit[]): Asked {
  const documents = new Map<string, DocumentKey>();
  const groupIds = new Set<string>();
  const sources = new Set<string>();
  const records = new Map<string, RecordWrite>();
  for (const commit of commits) {
    for (const write of commit.documents ?? []) {
      const key = keyOf(write);
      documents.set(placeOf(key), key);
      if (write.write === 'put' && write.document.groupId !== undefined) groupIds.add(write.document.groupId);
    }
    for (const write of commit.sources ?? []) if (write.expected !== undefined) sources.add(groupIdOf(write));
    for (const write of commit.records ?? []) if (write.expected !== undefined) records.set(recordPlace(write), write);
  }
  return {
    documents: [...documents.values()],
    groupIds: [...groupIds],
    sources: [...sources],
    records: [...records.values()],
  };
}

/** Judges commits in their order. */
export class Judge {
  readonly #documents: Draft<KnownDocument>;
  readonly #holders: Draft<string>;
  readonly #sources: Draft<string>;
  readonly #records: Draft<string>;

  constructor(known: Known) {
    this.#documents = new Draft(known.documents);
    this.#holders = new Draft(known.holders);
    this.#sources = new Draft(known.sources);
    this.#records = new Draft(known.records);
  }

  /** What becomes of the next commit. */
  judge(commit: Commit): Judgement {
    const judgement = this.#attempt(commit);
    for (const draft of [this.#documents, this.#holders, this.#sources, this.#records]) {
      if (judgement.outcome === 'applied') draft.keep();
      else draft.discard();
    }
    return judgement;
  }

  #attempt(commit: Commit): Judgement {
    for (const write of commit.documents ?? []) {
      const judgement = this.#document(write);
      if (judgement.outcome !== 'applied') return judgement;
    }
    for (const write of commit.sources ?? []) {
      const groupId = groupIdOf(write);
      if (!holds(write.expected, this.#sources.get(groupId))) return conflict;
      this.#sources.set(groupId, write.write === 'put' ? write.source.tag : undefined);
    }
    for (const write of commit.records ?? []) {
      const place = recordPlace(write);
      if (!holds(write.expected, this.#records.get(place))) return conflict;
      this.#records.set(place, write.value);
    }
    return applied;
  }

  #document(write: DocumentWrite): Judgement {
    const place = placeOf(keyOf(write));
    const current = this.#documents.get(place);
    if (!holds(write.expected, current?.tag)) return conflict;
    if (write.write === 'put' && write.document.groupId !== undefined) {
      const { groupId } = write.document;
      const holder = this.#holders.get(groupId);
      if (holder !== undefined && holder !== place) return { outcome: 'taken', groupId };
    }
    if (typeof current?.groupId === 'string') this.#holders.set(current.groupId, undefined);
    if (write.write === 'delete') {
      this.#documents.set(place, undefined);
      return applied;
    }
    const { tag, groupId = null } = write.document;
    if (groupId !== null) this.#holders.set(groupId, place);
    this.#documents.set(place, { tag, groupId });
    return applied;
  }
}

export function keyOf(write: DocumentWrite): DocumentKey {
  return write.write === 'put' ? write.document.key : write.key;
}

export function groupIdOf(write: SourceWrite): string {
  return write.write === 'put' ? write.source.groupId : write.groupId;
}

function holds(expected: string | null | undefined, current: string | undefined): boolean {
  return expected === undefined || expected === (current ?? null);
}

/** Values by key over those that are stored, with the changes of one commit apart until they are kept. */
class Draft<Value> {
  readonly #stored: ReadonlyMap<string, Value>;
  readonly #kept = new Map<string, Value | undefined>();
  #changes = new Map<string, Value | undefined>();

  constructor(stored: ReadonlyMap<string, Value>) {
    this.#stored = stored;
  }

  get(key: string): Value | undefined {
    if (this.#changes.has(key)) return this.#changes.get(key);
    return this.#kept.has(key) ? this.#kept.get(key) : this.#stored.get(key);
  }

  set(key: string, value: Value | undefined): void {
    this.#changes.set(key, value);
  }

  keep(): void {
    if (this.#changes.size === 0) return;
    for (const [key, value] of this.#changes) this.#kept.set(key, value);
    this.#changes = new Map();
  }

  discard(): void {
    if (this.#changes.size > 0) this.#changes = new Map();
  }
}

// What the store keeps of the policies of each partner and direction: the versions that are or were in force, and the digest of the file
// when it was last seen. Versions beyond the number that is kept are forgotten.
import type { PolicyContext } from '../policy/policy.ts';
import type { KeptRecord, RecordWrite, Store } from '../store/store.ts';

type Direction = PolicyContext['direction'];

/** One version that was or is in force. */
export interface PolicyVersion {
  /** Of the policy's texts; empty for the policy `none`, which has no file. */
  readonly digest: string;
  readonly policy: string;
  readonly version: number;
  /** Since when, ISO 8601. */
  readonly at: string;
  readonly actor: string;
  readonly how: 'file' | 'activated' | 'rolled-back';
}

/** What the store keeps of a partner and direction. */
export interface Slot {
  /** Digest of the file when it was last seen. */
  readonly disk: string;
  /** In force is the last one. */
  readonly history: readonly PolicyVersion[];
}

const slotKind = 'policy-slot';

export class PolicySlots {
  readonly #store: Pick<Store, 'record' | 'records'>;
  readonly #kept: number;

  /** `kept` versions of each slot, the one in force among them. */
  constructor(store: Pick<Store, 'record' | 'records'>, kept: number) {
    this.#store = store;
    this.#kept = kept;
  }

  /** Undefined for a partner and direction of which nothing is kept yet. */
  async of(partner: string, direction: Direction): Promise<Slot | undefined> {
    const text = await this.#store.record(slotKind, slotName(partner, direction));
    return text === undefined ? undefined : this.#shortened(text);
  }

  /** What stores a slot. */
  write(partner: string, direction: Direction, slot: Slot): RecordWrite {
    return { kind: slotKind, name: slotName(partner, direction), value: JSON.stringify(slot), personal: true };
  }

  /** A slot in which `version` is in force. */
  pushed(slot: Slot | undefined, version: PolicyVersion, disk: string): Slot {
    const before = slot?.history ?? [];
    // What is in force already is not in force twice.
    const history = before.at(-1)?.digest === version.digest ? before : [...before, version];
    return { disk, history: history.slice(-this.#kept) };
  }

  /** Digests of all versions that are kept, those of partners that are not configured any more, too. */
  async digests(): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    for await (const { value } of allRecords(this.#store, slotKind)) {
      for (const { digest } of this.#shortened(value).history) found.add(digest);
    }
    return found;
  }

  /** What shortens the slots that have more versions than are kept since the configuration says less. */
  async shortening(): Promise<readonly RecordWrite[]> {
    const writes: RecordWrite[] = [];
    for await (const { name, value } of allRecords(this.#store, slotKind)) {
      const shorter = JSON.stringify(this.#shortened(value));
      if (shorter !== value) writes.push({ kind: slotKind, name, value: shorter, personal: true });
    }
    return writes;
  }

  /** What puts `erased` in the place of actors, and of how many versions. */
  async erasing(
    isNamed: (actor: string) => boolean,
    erased: string,
  ): Promise<{ readonly writes: readonly RecordWrite[]; readonly versions: number }> {
    const writes: RecordWrite[] = [];
    let versions = 0;
    for await (const { name, value } of allRecords(this.#store, slotKind)) {
      const { disk, history } = this.#shortened(value);
      const named = history.filter(({ actor }) => isNamed(actor)).length;
      if (named === 0) continue;
      versions += named;
      const without = history.map((version) => (isNamed(version.actor) ? { ...version, actor: erased } : version));
      writes.push({ kind: slotKind, name, value: JSON.stringify({ disk, history: without }), personal: true });
    }
    return { writes, versions };
  }

  #shortened(text: string): Slot {
    const { disk, history } = JSON.parse(text) as Slot;
    return { disk, history: history.slice(-this.#kept) };
  }
}

/** All records of a kind; others get their turn between the pages. */
export async function* allRecords(
  store: Pick<Store, 'records'>,
  kind: string,
  limit = 100,
): AsyncGenerator<KeptRecord> {
  let after: string | undefined;
  for (;;) {
    const page = await store.records(kind, { limit, ...(after === undefined ? {} : { after }) });
    yield* page;
    after = page.at(-1)?.name;
    if (after === undefined || page.length < limit) return;
  }
}

function slotName(partner: string, direction: Direction): string {
  return `${direction} ${partner}`;
}

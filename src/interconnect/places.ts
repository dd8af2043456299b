// Where a partner takes our groups, and where it took them before that was configured otherwise: copies that stay behind are removed
// with the next delivery of the group. What is not known to be gone is kept in the store.
import type { PartnerConfiguration } from '../config/schema.ts';
import type { RecordWrite, Store } from '../store/store.ts';
import type { ProvidePlace } from './ports.ts';

/** Places of before at which a partner may still have a copy, by partner and group. */
const recordKind = 'provided-elsewhere';
/** Records written in one commit at most. */
const batchSize = 200;

/** Where a partner has or may have our copy of a group. */
export interface Whereabouts {
  /** Where it belongs; absent = where the configuration says. */
  readonly now?: ProvidePlace | undefined;
  readonly before: readonly ProvidePlace[];
  /** What the store keeps of that. */
  readonly kept?: string | undefined;
}

export class Places {
  readonly #store: Pick<Store, 'commit' | 'deliveries' | 'memo' | 'record' | 'records'>;
  /** The place of now by partner, as the store keeps it. */
  readonly #known = new Map<string, Promise<ProvidePlace | undefined>>();

  constructor(store: Pick<Store, 'commit' | 'deliveries' | 'memo' | 'record' | 'records'>) {
    this.#store = store;
  }

  /**
   * Notes where the partner takes groups from now on. Of all that it was or may have been given is remembered where that was; durable when it
   * resolves, and done again when it was cut short.
   */
  async follow({ name, provide }: PartnerConfiguration): Promise<void> {
    if (provide.to === 'none') return;
    const known = await this.#noted(name);
    if (known !== undefined && isSame(known, provide.to)) return;
    if (known !== undefined) await this.#remember(name, known, provide.to);
    await this.#store.commit({ memos: [{ name: memoName(name), value: JSON.stringify(provide.to) }] });
    this.#known.set(name, Promise.resolve(provide.to));
  }

  /** Where a partner has or may have a group. */
  async of({ name, provide }: PartnerConfiguration, groupId: string): Promise<Whereabouts> {
    const kept = await this.#store.record(recordKind, recordName(name, groupId));
    const known = await this.#noted(name);
    // A partner that pulls now was given groups somewhere.
    if (provide.to === 'none') return { now: known, before: read(kept), kept };
    // A change that is not noted yet.
    const last = known === undefined ? [] : [known];
    return { now: provide.to, before: elsewhere([...read(kept), ...last], provide.to), kept };
  }

  /** To be committed when nothing is left at any place of before; holds only while the store keeps what it kept then. */
  settled(partner: string, groupId: string, { kept }: Whereabouts): RecordWrite {
    return { kind: recordKind, name: recordName(partner, groupId), expected: kept ?? null };
  }

  /** To be committed when the partner is forgotten. */
  async forgotten(partner: string): Promise<readonly RecordWrite[]> {
    const prefix = recordName(partner, '');
    const writes: RecordWrite[] = [];
    for (let after = prefix; ; ) {
      const page = await this.#store.records(recordKind, { after, limit: batchSize });
      for (const { name } of page) if (name.startsWith(prefix)) writes.push({ kind: recordKind, name });
      const last = page.at(-1)?.name;
      if (last === undefined || page.length < batchSize || !last.startsWith(prefix)) return writes;
      after = last;
    }
  }

  async #remember(partner: string, old: ProvidePlace, now: ProvidePlace): Promise<void> {
    let records: RecordWrite[] = [];
    const flush = async (): Promise<void> => {
      if (records.length > 0) await this.#store.commit({ records });
      records = [];
    };
    for (const { groupId, action, state } of await this.#store.deliveries({ partner })) {
      // What was withdrawn is nowhere.
      if (action === 'withdraw' && state === 'delivered') continue;
      const name = recordName(partner, groupId);
      const places = [...read(await this.#store.record(recordKind, name)), old];
      records.push({ kind: recordKind, name, value: JSON.stringify(elsewhere(places, now)) });
      if (records.length >= batchSize) await flush();
    }
    await flush();
  }

  #noted(partner: string): Promise<ProvidePlace | undefined> {
    let noted = this.#known.get(partner);
    if (noted === undefined) {
      noted = this.#store
        .memo(memoName(partner))
        .then((kept) => (kept === undefined ? undefined : (JSON.parse(kept) as ProvidePlace)));
      noted.catch(() => this.#known.delete(partner));
      this.#known.set(partner, noted);
    }
    return noted;
  }
}

function read(kept: string | undefined): readonly ProvidePlace[] {
  return kept === undefined ? [] : (JSON.parse(kept) as readonly ProvidePlace[]);
}

/** Each place once, but for that of now. */
function elsewhere(places: readonly ProvidePlace[], now: ProvidePlace): readonly ProvidePlace[] {
  return places.filter(
    (place, index) => !isSame(place, now) && places.findIndex((one) => isSame(one, place)) === index,
  );
}

/** A place for people: `byGroupID`, `users/XUI`. */
export function placeText(place: ProvidePlace): string {
  return place === 'byGroupID' ? place : `users/${place.users}`;
}

function isSame(one: ProvidePlace, other: ProvidePlace): boolean {
  return placeText(one) === placeText(other);
}

function memoName(partner: string): string {
  return `provide-place:${partner}`;
}

function recordName(partner: string, groupId: string): string {
  return `${partner} ${groupId}`;
}

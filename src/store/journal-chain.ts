// The hash chain of the journal: each entry's hash covers the hash before it and a salted digest of each text that can name a person.
// A text can be erased: its digest stays, its salt goes, and the chain still holds.
import { hash, randomBytes } from 'node:crypto';
import type { JournalEntry } from './store.ts';

/** What can name a person, and is erased on its own. */
export const personalFields = ['actor', 'subject', 'detail'] as const;
export type PersonalField = (typeof personalFields)[number];

/** Characters of the salt of one field: 96 random bits in base64url. */
const fieldSaltLength = 16;
/** Characters of the salts of one entry. */
export const saltLength = fieldSaltLength * personalFields.length;

/** The hash before the first entry of a journal. */
export const chainStart = '';

/** A place in the chain: the entry with this sequence has this hash (SHA-256, base64url). */
export interface ChainLink {
  readonly sequence: number;
  readonly hash: string;
}

/** An entry as it is stored, with all that its hash is made of. */
export interface ChainedEntry extends ChainLink {
  /** ISO 8601. */
  readonly at: string;
  readonly action: string;
  /** Null = erased; `detail` also when the entry has none. */
  readonly actor: string | null;
  readonly subject: string | null;
  /** JSON as written. */
  readonly detail: string | null;
  /** The salts of the three texts, one after another. */
  readonly salt: string;
  /** Digests in place of erased texts. */
  readonly erased: Readonly<Partial<Record<PersonalField, string>>>;
}

let pool = '';
let used = 0;

/** Fresh salts for one entry. */
export function newSalt(): string {
  if (used === pool.length) {
    // 3 octets are 4 characters.
    pool = randomBytes((saltLength / 4) * 3 * 256).toString('base64url');
    used = 0;
  }
  used += saltLength;
  return pool.slice(used - saltLength, used);
}

/** The JSON text that an entry's detail is kept as; null when it has none. */
export function detailText({ detail }: Pick<JournalEntry, 'detail'>): string | null {
  return detail === undefined ? null : JSON.stringify(detail);
}

/** What stands in the chain for a text: SHA-256 of its salt and the text, which counts as empty when there is none. */
export function fieldDigest(entry: Pick<ChainedEntry, PersonalField | 'salt'>, field: PersonalField): string {
  const from = personalFields.indexOf(field) * fieldSaltLength;
  return hash('sha256', entry.salt.slice(from, from + fieldSaltLength) + (entry[field] ?? ''), 'base64url');
}

/** The hash of an entry that follows one with the hash `previous`. */
export function entryHash(previous: string, entry: Omit<ChainedEntry, 'hash'>): string {
  const { sequence, at, action, erased } = entry;
  const digests = personalFields.map((field) => erased[field] ?? fieldDigest(entry, field));
  // JSON keeps the parts apart, whatever they hold.
  return hash('sha256', JSON.stringify([previous, sequence, at, action, ...digests]), 'base64url');
}

/** The entry without these texts: their digests in place, and no salt left that could confirm a guess. */
export function withoutTexts(entry: ChainedEntry, fields: readonly PersonalField[]): ChainedEntry {
  const salts = [...personalFields.keys()].map((place) =>
    entry.salt.slice(place * fieldSaltLength, (place + 1) * fieldSaltLength),
  );
  const erased: Partial<Record<PersonalField, string>> = { ...entry.erased };
  const texts = { actor: entry.actor, subject: entry.subject, detail: entry.detail };
  for (const field of fields) {
    if (erased[field] !== undefined) continue;
    erased[field] = fieldDigest(entry, field);
    salts[personalFields.indexOf(field)] = '-'.repeat(fieldSaltLength);
    texts[field] = null;
  }
  return { ...entry, ...texts, salt: salts.join(''), erased };
}

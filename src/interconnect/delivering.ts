// Sends one delivery to a partner, wherever it takes our groups now and took them before: nothing is lost there, nothing stays behind.

import { placeText, type Whereabouts } from './places.ts';
import type { PartnerGms, ProvideOutcome, ProvidePlace } from './ports.ts';

/** What is to be at the partner: this content, or nothing. */
export type Wanted = { readonly content: 'provide'; readonly bytes: Uint8Array } | { readonly content: 'withdraw' };

type Gms = Pick<PartnerGms, 'provide' | 'withdraw'>;

/**
 * One delivery. `knownTag` is that of the copy at the place of now. What is refused at a place of before is told in the note of the outcome;
 * what fails there fails the delivery, which then is to be repeated as a whole.
 */
export async function deliver(
  gms: Gms,
  partner: string,
  groupId: string,
  knownTag: string | undefined,
  wanted: Wanted,
  { now, before }: Whereabouts,
): Promise<ProvideOutcome> {
  // Until the group has moved the tag is that of a copy elsewhere.
  const tag = before.length > 0 ? undefined : knownTag;
  if (wanted.content === 'withdraw') {
    const cleared = await clear(gms, partner, groupId, before);
    if (cleared.outcome !== 'accepted') return cleared;
    const outcome = await gms.withdraw(partner, groupId, tag, undefined, now);
    return withNote(outcome, cleared.note);
  }
  const provide = (known: string | undefined): Promise<ProvideOutcome> =>
    gms.provide(partner, groupId, wanted.bytes, known, undefined, now);
  let outcome = await provide(tag);
  if (before.length === 0) return outcome;
  if (isTaken(outcome)) {
    // RFC 4825 8.2.5: a partner that has each group once takes it here only when it is gone there.
    const cleared = await clear(gms, partner, groupId, before);
    return cleared.outcome === 'accepted' ? withNote(await provide(tag), cleared.note) : cleared;
  }
  if (outcome.outcome !== 'accepted') return outcome;
  const cleared = await clear(gms, partner, groupId, before);
  if (cleared.outcome !== 'accepted') return cleared;
  // TS 24.481 7.2.10: both addresses may have been the same document.
  outcome = await provide(outcome.tag);
  return withNote(outcome, cleared.note);
}

/** Removes the group from places of before; accepted when nothing fails, with a note of what is refused. */
async function clear(
  gms: Gms,
  partner: string,
  groupId: string,
  before: readonly ProvidePlace[],
): Promise<ProvideOutcome> {
  const notes: string[] = [];
  for (const place of before) {
    const outcome = await gms.withdraw(partner, groupId, undefined, undefined, place);
    if (outcome.outcome === 'failed') return outcome;
    if (outcome.outcome === 'refused')
      notes.push(`a copy may be left at ${placeText(place)}: its deletion was refused with ${outcome.reason}`);
  }
  const done = { outcome: 'accepted', created: false } as const;
  return notes.length === 0 ? done : { ...done, note: notes.join('; ') };
}

function withNote(outcome: ProvideOutcome, note: string | undefined): ProvideOutcome {
  if (outcome.outcome !== 'accepted' || note === undefined) return outcome;
  return { ...outcome, note: outcome.note === undefined ? note : `${outcome.note}; ${note}` };
}

function isTaken(outcome: ProvideOutcome): boolean {
  return outcome.outcome === 'refused' && outcome.status === 409 && outcome.reason.includes('uniqueness-failure');
}

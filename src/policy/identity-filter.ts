// Which identities a members rule keeps: decided once from the member list, then asked for every other identity position.
// What cannot be judged is not kept.
import { domainToASCII } from 'node:url';
import { canonicalUri, matchesPattern, uriDomain } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import { namespaces } from '../xml/names.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { identityElements, isEntry, isUnresolved, listItems, listServices } from './group-parts.ts';
import type { KeepItem, MembersFile } from './policy-schema.ts';

/** A user part that no canonical URI can have: stands for every user of a domain. */
const anyUser = '\u0000';

/** An item of `keep`, its participant type folded. */
type Item = Omit<KeepItem, 'participantType'> & { readonly participantType: string | undefined };

export interface IdentityFilter {
  /** Entries that leave the member list. */
  readonly leaving: readonly ElementId[];
  /** True when the identity (as written) stays. */
  keeps(identity: string | undefined): boolean;
  /** True when every identity of the domain (as written) would stay. */
  keepsDomain(domain: string): boolean;
}

/**
 * Judges all entries of a document. An entry stays when one item fits its participant type and all of its identities
 * (MCPTT, MCVideo and MCData ID). Throws Refusal `constraint-failure` when the list names members elsewhere (`external`).
 */
export function identityFilter(
  index: OffsetIndex,
  members: MembersFile,
  isServed: (identity: string) => boolean,
): IdentityFilter {
  // Folded once: every entry is compared with them.
  const keeps = members.keep.map((keep) => ({
    ...keep,
    participantType: keep.participantType === undefined ? undefined : foldedText(keep.participantType),
  }));
  const typed = keeps.some((keep) => keep.participantType !== undefined);
  const leaving: ElementId[] = [];
  const kept = new Set<string>();
  const removed = new Set<string>();
  for (const listService of listServices(index)) {
    let staying = 0;
    for (const item of listItems(index, listService)) {
      if (isUnresolved(index, item)) refuseUnresolved(index.localName(item));
      if (!isEntry(index, item)) continue;
      const identities = entryIdentities(index, item);
      const type = typed ? participantType(index, item) : '';
      const stays =
        staying < (members.limit ?? Infinity) && keeps.some((keep) => entryFits(keep, identities, type, isServed));
      if (stays) staying++;
      else leaving.push(item);
      for (const identity of identities) if (identity !== undefined) (stays ? kept : removed).add(identity);
    }
  }
  return {
    leaving,
    keeps: (written) => {
      const identity = canonicalUri(written ?? '');
      if (identity === undefined) return false;
      if (kept.has(identity) || removed.has(identity)) return kept.has(identity);
      return keeps.some((keep) => identityFits(keep, identity, isServed));
    },
    keepsDomain: (written) => {
      const domain = canonicalDomain(written);
      return domain !== undefined && keeps.some((keep) => domainFits(keep, domain, isServed));
    },
  };
}

/** Refuses what would need a list that is not in the document. */
export function refuseUnresolved(what: string): never {
  throw new Refusal('constraint-failure', {
    phrase: `${what} names members that this document does not list, so they cannot be filtered`,
  });
}

/** Lower-case ASCII form of a domain, RFC 4745 clause 7.1.3; undefined when it is none. */
export function canonicalDomain(written: string): string | undefined {
  try {
    const ascii = domainToASCII(decodeURIComponent(written.trim())).toLowerCase();
    return ascii === '' ? undefined : ascii;
  } catch {
    return undefined;
  }
}

/** Canonical MCPTT, MCVideo and MCData IDs of an entry; undefined for one that is no URI. */
function entryIdentities(index: OffsetIndex, entry: ElementId): readonly (string | undefined)[] {
  return identityElements(index, entry).map((element) => canonicalUri(index.attribute(element, 'uri') ?? ''));
}

/** The functional category of an entry, folded; '' when it has none. */
export function participantType(index: OffsetIndex, entry: ElementId): string {
  const element = index.firstNamed(entry, namespaces.mcpttGroupInfo, 'participant-type');
  return element === undefined ? '' : foldedText(index.text(element));
}

/** A functional category is free text that people type: case and white space do not tell categories apart. */
export function foldedText(text: string): string {
  return plainType.test(text) ? text : text.trim().replace(/\s+/g, ' ').toLowerCase();
}

/** What most participant types look like; such a text is folded as it stands. */
const plainType = /^[a-z]+(?: [a-z]+)*$/;

function entryFits(
  keep: Item,
  identities: readonly (string | undefined)[],
  type: string,
  isServed: (identity: string) => boolean,
): boolean {
  if (keep.participantType !== undefined && keep.participantType !== type) return false;
  if (!judgesIdentity(keep)) return true;
  return identities.every(
    (identity) => identity !== undefined && partsFit(keep, identity, uriDomain(identity), isServed),
  );
}

function identityFits(keep: Item, identity: string, isServed: (identity: string) => boolean): boolean {
  // The category of somebody who is not in the list is unknown.
  if (keep.participantType !== undefined) return false;
  return partsFit(keep, identity, uriDomain(identity), isServed);
}

function domainFits(keep: Item, domain: string, isServed: (identity: string) => boolean): boolean {
  if (keep.participantType !== undefined) return false;
  if (keep.served === true && !isServed(`sip:${domain}`)) return false;
  if (keep.domain !== undefined && keep.domain !== domain) return false;
  return keep.uri === undefined || matchesPattern(keep.uri, `sip:${anyUser}@${domain}`);
}

function partsFit(
  keep: Item,
  identity: string,
  domain: string | undefined,
  isServed: (identity: string) => boolean,
): boolean {
  if (keep.served === true && !isServed(identity)) return false;
  if (keep.domain !== undefined && keep.domain !== domain) return false;
  return keep.uri === undefined || matchesPattern(keep.uri, identity);
}

function judgesIdentity(keep: Item): boolean {
  return keep.served !== undefined || keep.domain !== undefined || keep.uri !== undefined;
}

// Which identities a members rule keeps: decided once from the member list, then asked for every other identity position.
// What cannot be judged is not kept.
import { domainToASCII } from 'node:url';
import { canonicalUri, matchesPattern, uriDomain } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import { namespaces } from '../xml/names.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { isEntry, isUnresolved, listItems, listServices } from './group-parts.ts';
import type { KeepItem, MembersFile } from './policy-schema.ts';

/** A user part that no canonical URI can have: stands for every user of a domain. */
const anyUser = '\u0000';

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
  const leaving: ElementId[] = [];
  const kept = new Set<string>();
  const removed = new Set<string>();
  for (const listService of listServices(index)) {
    let staying = 0;
    for (const item of listItems(index, listService)) {
      if (isUnresolved(index, item)) refuseUnresolved(index.localName(item));
      if (!isEntry(index, item)) continue;
      const identities = entryIdentities(index, item);
      const stays =
        staying < (members.limit ?? Infinity) &&
        members.keep.some((keep) => entryFits(keep, identities, participantType(index, item), isServed));
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
      return members.keep.some((keep) => identityFits(keep, identity, isServed));
    },
    keepsDomain: (written) => {
      const domain = canonicalDomain(written);
      return domain !== undefined && members.keep.some((keep) => domainFits(keep, domain, isServed));
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
  const service = ['mcvideo-mcvideo-id', 'mcdata-mcdata-id'].flatMap((name) =>
    index.childrenNamed(entry, namespaces.mcpttGroupInfo, name),
  );
  return [entry, ...service].map((element) => canonicalUri(index.attribute(element, 'uri') ?? ''));
}

/** The functional category of an entry, folded; '' when it has none. */
export function participantType(index: OffsetIndex, entry: ElementId): string {
  const element = index.firstNamed(entry, namespaces.mcpttGroupInfo, 'participant-type');
  return element === undefined ? '' : foldedText(index.text(element));
}

/** A functional category is free text that people type: case and white space do not tell categories apart. */
export function foldedText(text: string): string {
  return text.trim().replace(/\s+/g, ' ').toLowerCase();
}

function entryFits(
  keep: KeepItem,
  identities: readonly (string | undefined)[],
  type: string,
  isServed: (identity: string) => boolean,
): boolean {
  if (keep.participantType !== undefined && foldedText(keep.participantType) !== type) return false;
  if (!judgesIdentity(keep)) return true;
  return identities.every(
    (identity) => identity !== undefined && partsFit(keep, identity, uriDomain(identity), isServed),
  );
}

function identityFits(keep: KeepItem, identity: string, isServed: (identity: string) => boolean): boolean {
  // The category of somebody who is not in the list is unknown.
  if (keep.participantType !== undefined) return false;
  return partsFit(keep, identity, uriDomain(identity), isServed);
}

function domainFits(keep: KeepItem, domain: string, isServed: (identity: string) => boolean): boolean {
  if (keep.participantType !== undefined) return false;
  if (keep.served === true && !isServed(`sip:${domain}`)) return false;
  if (keep.domain !== undefined && keep.domain !== domain) return false;
  return keep.uri === undefined || matchesPattern(keep.uri, `sip:${anyUser}@${domain}`);
}

function partsFit(
  keep: KeepItem,
  identity: string,
  domain: string | undefined,
  isServed: (identity: string) => boolean,
): boolean {
  if (keep.served === true && !isServed(identity)) return false;
  if (keep.domain !== undefined && keep.domain !== domain) return false;
  return keep.uri === undefined || matchesPattern(keep.uri, identity);
}

function judgesIdentity(keep: KeepItem): boolean {
  return keep.served !== undefined || keep.domain !== undefined || keep.uri !== undefined;
}

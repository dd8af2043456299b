// The members of one list-service. The list after an edit shares entries and counts with the one before, so that one changed member of
// ten thousand costs what one member costs.

import { uriDomain } from '../identity/uri.ts';
import type { ElementId } from './offset-index.ts';
import { Tally } from './tally.ts';
import { atOnce } from './turns.ts';

/** One member of a list; identities as written. */
export interface MemberEntry {
  readonly element: ElementId;
  readonly uri: string;
  readonly displayName?: string | undefined;
  readonly mcvideoId?: string | undefined;
  readonly mcdataId?: string | undefined;
  readonly participantType?: string | undefined;
  readonly userPriority?: number | undefined;
  /** The member must acknowledge before a call proceeds: `on-network-required`. */
  readonly required: boolean;
  /** Canonical form of `uri`; undefined when that is no URI. */
  readonly member: string | undefined;
  /** MCPTT, MCVideo and MCData ID in canonical form; values that are no URI are left out. */
  readonly identities: readonly string[];
}

/** The entries of a list, and how often it has an identity, a domain, a member. */
export class MemberList {
  readonly entries: readonly MemberEntry[];
  /** Those among them that an edit has brought; undefined when nothing is known of the list before. */
  readonly added: readonly MemberEntry[] | undefined;
  #members: Tally | undefined;
  #identities: Tally | undefined;
  #domains: Tally | undefined;

  /** `change`: the list before an edit, and what the edit has changed. */
  constructor(entries: readonly MemberEntry[], change?: MemberListChange) {
    this.entries = entries;
    this.added = change?.added;
    if (change === undefined) return;
    const { before, removed, added } = change;
    this.#members = before.#members?.after(removed.flatMap(membersOf), added.flatMap(membersOf));
    this.#identities = before.#identities?.after(removed.flatMap(identitiesOf), added.flatMap(identitiesOf));
    this.#domains = before.#domains?.after(removed.flatMap(domainsOf), added.flatMap(domainsOf));
  }

  /** Whether a canonical MCPTT, MCVideo or MCData ID is one of a member. */
  has(identity: string): boolean {
    this.#identities ??= atOnce(Tally.counting(this.entries, identitiesOf));
    return this.#identities.count(identity) > 0;
  }

  /** Whether a member has an ID of this domain. */
  hasDomain(domain: string): boolean {
    this.#domains ??= atOnce(Tally.counting(this.entries, domainsOf));
    return this.#domains.count(domain) > 0;
  }

  /** How many entries have this canonical URI. */
  entriesOf(member: string): number {
    this.#members ??= atOnce(Tally.counting(this.entries, membersOf));
    return this.#members.count(member);
  }

  /** Counts in slices what will be asked for sooner or later, and then at once. */
  *counting(): Generator<void> {
    this.#identities ??= yield* Tally.counting(this.entries, identitiesOf);
    this.#members ??= yield* Tally.counting(this.entries, membersOf);
    this.#domains ??= yield* Tally.counting(this.entries, domainsOf);
  }
}

/** What an edit has done to a list. */
export interface MemberListChange {
  readonly before: MemberList;
  readonly removed: readonly MemberEntry[];
  readonly added: readonly MemberEntry[];
}

function identitiesOf({ identities }: MemberEntry): readonly string[] {
  return identities;
}

function membersOf({ member }: MemberEntry): readonly string[] {
  return member === undefined ? [] : [member];
}

function domainsOf({ identities }: MemberEntry): readonly string[] {
  return identities.flatMap((identity) => uriDomain(identity) ?? []);
}

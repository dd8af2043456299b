// The users that a permissions rule is for: which identities of a document belong to them, and what identity conditions cover exactly
// those, or exactly the others (RFC 4745 clause 7.1).
import { canonicalUri, matchesPattern, uriDomain } from '../identity/uri.ts';
import { namespaces } from '../xml/names.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { escapeAttributeValue } from '../xml/splice.ts';
import { copiedMarkup, missingDeclarations } from './copied-markup.ts';
import { identityElements, isEntry, isUnresolved, listItems } from './group-parts.ts';
import { canonicalDomain, foldedText, participantType, refuseUnresolved } from './identity-filter.ts';
import { type ManyPosition, readMany } from './identity-positions.ts';
import type { PolicyContext } from './policy.ts';
import type { PermissionsFile } from './policy-schema.ts';

/** How many of those whom a condition covers belong to the users. */
export type Share = 'none' | 'some' | 'all';

/** Who receives service in this system. */
export type Served = Pick<PolicyContext, 'isServed' | 'users'>;

interface Member {
  /** Canonical identities: MCPTT, MCVideo and MCData ID. */
  readonly identities: readonly string[];
  readonly belongs: boolean;
}

/**
 * The users among the members of one list-service. With `any`, who belongs by one identity belongs: nobody keeps a right by the ID of
 * another service. With `every`, all identities must belong: nobody gains one by it.
 */
export class UserGroup {
  readonly #index: OffsetIndex;
  readonly #who: PermissionsFile['for'];
  readonly #isServed: (identity: string) => boolean;
  readonly #wanted: 'any' | 'every';
  /** Participant types, folded once: every entry is compared with them. */
  readonly #type: string | undefined;
  readonly #except: readonly string[];
  readonly #members: readonly Member[];
  /** Users of whom the configuration says where they are served, but the list does not name; absent = not known. */
  readonly #unlisted: readonly Member[] | undefined;
  readonly #belongs = new Map<string, boolean>();
  /** How much of a domain belongs; rules ask for the same ones again and again. */
  readonly #shares = new Map<string, Share>();
  /** Identities that belong or do not, by domain; all of them under undefined. */
  readonly #sorted = new Map<string, ReadonlyMap<string | undefined, readonly string[]>>();
  readonly #unresolved: string | undefined;

  constructor(
    index: OffsetIndex,
    listService: ElementId,
    who: PermissionsFile['for'],
    { isServed, users }: Served,
    wanted: 'any' | 'every',
  ) {
    this.#index = index;
    this.#who = who;
    this.#wanted = wanted;
    this.#type = who.participantType === undefined ? undefined : foldedText(who.participantType);
    this.#except = (who.except ?? []).map(foldedText);
    this.#isServed = isServed;
    const items = listItems(index, listService);
    const unresolved = items.find((item) => isUnresolved(index, item));
    this.#unresolved = unresolved === undefined ? undefined : index.localName(unresolved);
    this.#members = items.filter((item) => isEntry(index, item)).map((entry) => this.#member(entry));
    for (const { identities, belongs } of this.#members) {
      for (const identity of identities) this.#belongs.set(identity, belongs || this.#belongs.get(identity) === true);
    }
    const placed = users === undefined ? undefined : [...users.own.servedUsers, ...users.own.awayUsers];
    // Only `served` treats users of one domain differently by what the configuration says.
    this.#unlisted = who.served !== true ? [] : placed?.flatMap((user) => this.#unlistedMember(user));
  }

  /** How many of the members listed belong. */
  shareOfMembers(): Share {
    if (this.#unresolved !== undefined) return 'some';
    return share(this.#members.map(({ belongs }) => belongs));
  }

  /** How many of those belong whom one child of `cp:identity` covers. */
  shareOf(matcher: ElementId): Share {
    const index = this.#index;
    if (index.is(matcher, namespaces.commonPolicy, 'one')) {
      return this.has(index.attribute(matcher, 'id') ?? '') ? 'all' : 'none';
    }
    if (!index.is(matcher, namespaces.commonPolicy, 'many')) return refuseUnresolved(index.localName(matcher));
    const { domain } = readMany(index, matcher);
    return domain === undefined ? 'some' : this.#shareOfDomain(hostOf(domain.value) ?? '');
  }

  /** True when an identity (as written) belongs. One that is not listed has no participant type. */
  has(written: string): boolean {
    const identity = canonicalUri(written);
    if (identity === undefined) return false;
    return this.#belongs.get(identity) ?? (this.#who.participantType === undefined && this.#fits(identity));
  }

  /**
   * Markup, for a copy of its rule, of identity conditions that cover those of a matcher who do not belong, '' when there are none.
   * `asListed` says that only listed members matter. Throws Refusal `constraint-failure` when no condition covers exactly them.
   */
  othersOf(matcher: ElementId, rule: ElementId, prefix: string, asListed: boolean): string {
    const index = this.#index;
    const verbatim = copiedMarkup(index, matcher, rule);
    const part = this.shareOf(matcher);
    if (part === 'none') return verbatim;
    if (part === 'all') return '';
    const many = readMany(index, matcher);
    const domain = many.domain === undefined ? undefined : hostOf(many.domain.value);
    if (this.#isListed() || (domain !== undefined && this.#isForeign(domain))) {
      const left = this.#identitiesIn(domain, true, asListed);
      return left.length === 0
        ? verbatim
        : this.#withExcepts(
            matcher,
            rule,
            left.map((id) => ` id="${escaped(id)}"`),
          );
    }
    const isExcepted = exceptedFrom(many);
    const staying = this.#identitiesIn(domain, false, asListed).filter((identity) => !isExcepted(identity));
    if (asListed) return ones(prefix, staying);
    const isOwn = domain !== undefined && this.#isOwn(domain);
    if (!isOwn && !this.#isWholeDomain()) refuseUnresolved(`a cp:many without a list of its users`);
    if (domain !== undefined) return ones(prefix, staying);
    const own = staying.filter((identity) => domainOf(identity) === this.#who.domain);
    return this.#withExcepts(matcher, rule, [` domain="${escaped(this.#who.domain ?? '')}"`]) + ones(prefix, own);
  }

  /**
   * Markup of identity conditions that cover everybody who does not belong, as far as `forMembers` does not limit them to the list already.
   * Throws as othersOf.
   */
  others(prefix: string, asListed: boolean, forMembers: boolean): string {
    if (asListed || !(this.#isListed() || this.#isWholeDomain())) {
      if (!forMembers) refuseUnresolved('a cp:rule for everybody');
      this.#refuseUnlisted();
      return ones(prefix, this.#identities(false));
    }
    const excepts = this.#isListed()
      ? this.#identities(true).map((id) => `<${prefix}except id="${escaped(id)}"/>`)
      : [`<${prefix}except domain="${escaped(this.#who.domain ?? '')}"/>`];
    const own = this.#isListed() ? [] : this.#identities(false).filter((one) => domainOf(one) === this.#who.domain);
    return `<${prefix}many>${excepts.join('')}</${prefix}many>${ones(prefix, own)}`;
  }

  /** Markup of identity conditions that cover exactly the users; '' when there are none. Throws as othersOf. */
  all(prefix: string, asListed: boolean): string {
    if (asListed || !this.#isWholeDomain()) return ones(prefix, this.#identities(true));
    const domain = escaped(this.#who.domain ?? '');
    const left = this.#identities(false).filter((identity) => domainOf(identity) === this.#who.domain);
    if (left.length === 0) return `<${prefix}many domain="${domain}"/>`;
    const excepts = left.map((id) => `<${prefix}except id="${escaped(id)}"/>`);
    return `<${prefix}many domain="${domain}">${excepts.join('')}</${prefix}many>`;
  }

  #shareOfDomain(domain: string): Share {
    const known = this.#shares.get(domain) ?? this.#judgedShare(domain);
    this.#shares.set(domain, known);
    return known;
  }

  #judgedShare(domain: string): Share {
    const { domain: own, served, uri, participantType: type, except } = this.#who;
    if (own !== undefined && own !== domain) return 'none';
    const some = (belonging: boolean, listedOnly: boolean): boolean =>
      this.#identitiesIn(domain, belonging, listedOnly).length > 0;
    if (type !== undefined) return some(true, true) ? 'some' : 'none';
    if (uri !== undefined) return 'some';
    if (served === true && !this.#isServed(`sip:${domain}`)) return some(true, false) ? 'some' : 'none';
    return some(false, false) || (except !== undefined && this.#unresolved !== undefined) ? 'some' : 'all';
  }

  /** True when only listed members can belong. */
  #isListed(): boolean {
    if (this.#who.participantType === undefined) return false;
    this.#refuseUnlisted();
    return true;
  }

  /** True when only guests of a domain belong: those of its users who are served here. */
  #isForeign(domain: string): boolean {
    const { served, uri } = this.#who;
    return served === true && uri === undefined && !this.#isServed(`sip:${domain}`);
  }

  /** True when all users of a domain of ours belong, but for those who are known to be away and members of excepted types. */
  #isOwn(domain: string): boolean {
    const { served, uri, participantType: type, except } = this.#who;
    if (served !== true || uri !== undefined || type !== undefined || this.#unlisted === undefined) return false;
    if (except !== undefined) this.#refuseUnlisted();
    return this.#isServed(`sip:${domain}`);
  }

  /** True when all users of one domain belong, but for members of excepted types. */
  #isWholeDomain(): boolean {
    const { domain, served, uri, participantType: type, except } = this.#who;
    if (domain === undefined || served !== undefined || uri !== undefined || type !== undefined) return false;
    if (except !== undefined) this.#refuseUnlisted();
    return true;
  }

  #refuseUnlisted(): void {
    if (this.#unresolved !== undefined) refuseUnresolved(this.#unresolved);
  }

  #identities(belonging: boolean, listedOnly = true): readonly string[] {
    return this.#identitiesIn(undefined, belonging, listedOnly);
  }

  /** Those of one domain; of all when it is undefined. */
  #identitiesIn(domain: string | undefined, belonging: boolean, listedOnly: boolean): readonly string[] {
    const key = `${belonging} ${listedOnly}`;
    const known = this.#sorted.get(key) ?? this.#sortedByDomain(belonging, listedOnly);
    this.#sorted.set(key, known);
    return known.get(domain) ?? [];
  }

  #sortedByDomain(belonging: boolean, listedOnly: boolean): ReadonlyMap<string | undefined, readonly string[]> {
    const found = new Set<string>();
    for (const { identities, belongs } of [...this.#members, ...((listedOnly ? undefined : this.#unlisted) ?? [])]) {
      if (belongs === belonging) for (const identity of identities) found.add(identity);
    }
    const sorted = new Map<string | undefined, string[]>([[undefined, [...found]]]);
    for (const identity of found) {
      const domain = domainOf(identity);
      if (domain === undefined) continue;
      const those = sorted.get(domain) ?? [];
      those.push(identity);
      sorted.set(domain, those);
    }
    return sorted;
  }

  #withExcepts(many: ElementId, rule: ElementId, attributes: readonly string[]): string {
    const index = this.#index;
    const nameEnd = index.tagNameEnd(many);
    const name = index.source(index.outerStart(many) + 1, nameEnd);
    // Inside the copy its own prefix means common policy, whatever that of the rule means there.
    const except = `${name.slice(0, name.indexOf(':') + 1)}except`;
    const excepts = attributes.map((attribute) => `<${except}${attribute}/>`).join('');
    const open = `<${name}${missingDeclarations(index, many, rule)}${index.source(nameEnd, index.openEnd(many))}`;
    if (!index.isEmptyTag(many)) {
      const content = index.source(index.openEnd(many), index.closeStart(many));
      return `${open}${content}${excepts}${index.source(index.closeStart(many), index.outerEnd(many))}`;
    }
    return `${open.slice(0, -2)}>${excepts}</${name}>`;
  }

  #unlistedMember(user: string): readonly Member[] {
    const identity = canonicalUri(user);
    if (identity === undefined || this.#belongs.has(identity)) return [];
    return [{ identities: [identity], belongs: this.has(identity) }];
  }

  #member(entry: ElementId): Member {
    const index = this.#index;
    const identities = identityElements(index, entry)
      .map((element) => canonicalUri(index.attribute(element, 'uri') ?? ''))
      .filter((identity) => identity !== undefined);
    const type = participantType(index, entry);
    const fits = (this.#type === undefined || this.#type === type) && !this.#except.includes(type);
    const judged = (identity: string): boolean => this.#fits(identity);
    const belongs = this.#wanted === 'any' ? identities.some(judged) : identities.every(judged);
    return { identities, belongs: fits && belongs };
  }

  #fits(identity: string): boolean {
    const { served, domain, uri } = this.#who;
    if (served === true && !this.#isServed(identity)) return false;
    if (domain !== undefined && domain !== domainOf(identity)) return false;
    return uri === undefined || matchesPattern(uri, identity);
  }
}

/** Tells whom a `cp:many` leaves out. */
function exceptedFrom({ excepts }: ManyPosition): (identity: string) => boolean {
  const everybody = excepts.some(({ id, domain }) => id === undefined && domain === undefined);
  const domains = new Set(excepts.map(({ domain }) => (domain === undefined ? undefined : hostOf(domain.value))));
  const ids = new Set(excepts.map(({ id }) => (id === undefined ? undefined : canonicalUri(id.value))));
  return (identity) => {
    const domain = domainOf(identity);
    return everybody || ids.has(identity) || (domain !== undefined && domains.has(domain));
  };
}

/** The domain of an identity (canonical URI), the dot of a fully qualified name left out: both spellings mean the same users. */
function domainOf(identity: string): string | undefined {
  return uriDomain(identity)?.replace(/\.$/, '');
}

/** A domain as rules write it, in the same form. */
function hostOf(written: string): string | undefined {
  return canonicalDomain(written)?.replace(/\.$/, '');
}

function share(belong: readonly boolean[]): Share {
  if (!belong.includes(true)) return 'none';
  return belong.includes(false) ? 'some' : 'all';
}

function ones(prefix: string, identities: readonly string[]): string {
  return identities.map((identity) => `<${prefix}one id="${escaped(identity)}"/>`).join('');
}

function escaped(text: string): string {
  return escapeAttributeValue(text);
}

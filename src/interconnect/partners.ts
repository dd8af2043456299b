// The partner systems as configured, and the questions asked about them: whose group is this, which partners does it concern.
// A value: a changed configuration makes a new one.
import type { Configuration, PartnerConfiguration, SystemConfiguration } from '../config/schema.ts';
import { servedUsers } from '../identity/served.ts';
import { canonicalUri, uriDomain } from '../identity/uri.ts';
import type { Policy } from '../policy/policy.ts';
import { Refusal } from '../refusals.ts';
import type { GroupFacts } from '../xml/group-document.ts';
import { isCovered } from './agreement.ts';

/** One partner with the policies that its configuration names. */
export interface PartnerSettings {
  readonly configuration: PartnerConfiguration;
  readonly inbound: Policy;
  readonly outbound: Policy;
}

/** Everything interconnection is configured with; replaced as a whole on reload. */
export interface InterconnectionSettings {
  readonly system: SystemConfiguration;
  readonly partners: readonly PartnerSettings[];
  /** Retry pauses, revalidation interval, patience and memory (seconds), and the brake. */
  readonly interconnect: Pick<
    NonNullable<Configuration['interconnect']>,
    'brake' | 'catchUpRate' | 'failureMemory' | 'patience' | 'retry' | 'revalidate'
  >;
}

/** What an operator is told who names a partner that is not configured: `partner-unknown` with those that are. */
export function unknownPartner(name: string, configured: readonly Pick<PartnerConfiguration, 'name'>[]): Refusal {
  const there =
    configured.length === 0 ? 'there are none' : `there are ${configured.map((one) => one.name).join(', ')}`;
  return new Refusal('partner-unknown', { phrase: `No partner ${name}: ${there}` });
}

export class Partners {
  readonly all: readonly PartnerSettings[];
  /** Whom we serve, as configured. */
  readonly system: InterconnectionSettings['system'];
  /** True when the identity (canonical URI) receives service in our system. */
  readonly isServed: (identity: string) => boolean;
  /** True when the URI (canonical) has a domain of ours. */
  readonly isHomed: (uri: string) => boolean;
  readonly #away: ReadonlySet<string>;
  readonly #byName: ReadonlyMap<string, PartnerSettings>;
  readonly #byDomain: ReadonlyMap<string, PartnerSettings>;

  constructor(settings: Pick<InterconnectionSettings, 'system' | 'partners'>) {
    this.system = settings.system;
    const users = servedUsers(settings.system);
    this.isServed = users.isServed;
    this.isHomed = users.isHomed;
    this.#away = new Set(settings.system.awayUsers.map((user) => canonicalUri(user) ?? user));
    this.all = settings.partners;
    this.#byName = new Map(this.all.map((partner) => [partner.configuration.name, partner]));
    this.#byDomain = new Map(
      this.all.flatMap((partner) => partner.configuration.domains.map((domain) => [domain, partner] as const)),
    );
  }

  /** True when the identity (canonical URI) is at home or receives service in our system or in this partner's. */
  isOfEither(partner: PartnerConfiguration, identity: string): boolean {
    if (this.isHomed(identity) || this.isServed(identity) || this.#away.has(identity)) return true;
    if (partner.domains.includes(uriDomain(identity) ?? '')) return true;
    return partner.servedUsers?.some((user) => (canonicalUri(user) ?? user) === identity) ?? false;
  }

  named(name: string): PartnerSettings | undefined {
    return this.#byName.get(name);
  }

  /**
   * The partner in whose system the group (canonical ID) is defined, by exact domain. A `tel:` group has no domain: it is at home
   * where exactly one agreement names it in `theyProvide` or `weRequest`.
   */
  homeOf(groupId: string): PartnerSettings | undefined {
    const domain = uriDomain(groupId);
    if (domain !== undefined) return this.#byDomain.get(domain);
    const naming = this.all.filter(({ configuration }) =>
      isCovered(configuration.agreement, ['theyProvide', 'weRequest'], groupId),
    );
    return naming.length === 1 ? naming[0] : undefined;
  }
}

/**
 * TS 23.280 clause 10.2.7, precondition of provision: one or more members are defined in the partner system, or receive service there
 * (NOTE 2). A member is known by its MCPTT, MCVideo or MCData ID.
 */
export function hasMemberOf(partner: PartnerConfiguration, group: GroupFacts): boolean {
  const served = partner.servedUsers?.map((user) => canonicalUri(user) ?? user) ?? [];
  return group.listServices.some(
    ({ members }) =>
      partner.domains.some((domain) => members.hasDomain(domain)) || served.some((user) => members.has(user)),
  );
}

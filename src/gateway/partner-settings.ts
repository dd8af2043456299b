// What follows from the reloadable part of a configuration: who is recognised, how partners are reached, what interconnection does.
import type { ConfiguredFiles } from '../config/configured-files.ts';
import type { Configuration } from '../config/schema.ts';
import { addressList } from '../identity/address-list.ts';
import { type Authenticator, authenticator, knownPartners } from '../identity/authenticate.ts';
import type { AuthorizationSchemes } from '../identity/authorization.ts';
import { certificatesOf, readRevocationLists } from '../identity/revocation-lists.ts';
import type { InterconnectionSettings } from '../interconnect/partners.ts';
import type { Prepared } from '../manage/prepare.ts';
import type { Policy } from '../policy/policy.ts';
import { passThroughPolicy } from '../policy/policy-file.ts';
import { type EdgeProxies, edgeProxies } from '../xcap/conveyed-certificate.ts';
import { type PartnerClient, partnerClient } from '../xcap/partner-client.ts';
import { listenerTls, partnerAuthority, partnerRevocations } from './tls-files.ts';

/** Times that interconnection needs although a gateway without the section has nobody to spend them on. */
const unusedTimes = {
  retry: { first: 1, ceiling: 300 },
  brake: { share: 0.25, atLeast: 10, window: 3600 },
  revalidate: 300,
  timeout: 10,
  patience: 5,
  catchUpRate: 50,
  failureMemory: 3,
};

/** Builds the checks of credentials. Throws when a file cannot be read or an address not be understood. */
export function authenticatorOf(
  configuration: Configuration,
  schemes: AuthorizationSchemes,
  files: ConfiguredFiles,
): Authenticator {
  const { system, identity, partners } = configuration;
  return authenticator({
    system,
    identity,
    schemes,
    partners: knownPartners(partners, (partner) => partnerAuthority(configuration, partner, files)),
  });
}

/** Our proxies that may convey certificates. Throws when a CA cannot be read or parsed. */
export async function edgeProxiesOf(configuration: Configuration, files: ConfiguredFiles): Promise<EdgeProxies> {
  const addresses = addressList(configuration.interconnect?.edgeProxies ?? []);
  const authorities = configuration.partners.map((partner) => partnerAuthority(configuration, partner, files));
  const anchors = certificatesOf(authorities.join('\n'));
  const revocations = partnerRevocations(configuration, files)?.join('\n') ?? '';
  const { lists } = await readRevocationLists(revocations, anchors);
  return edgeProxies((address) => addresses.has(address), anchors, lists);
}

/** Builds the client towards all partners. Throws when a file cannot be read. */
export function partnerClientOf(configuration: Configuration, files: ConfiguredFiles): PartnerClient {
  const { system, interconnect, partners, limits } = configuration;
  return partnerClient({
    identity: system.gms,
    certificate: interconnect === undefined ? undefined : listenerTls(interconnect.listen, files),
    partners: partners.map((partner) => ({
      name: partner.name,
      xcapRoots: partner.xcapRoots,
      certificates: partner.certificates,
      provideBelow: typeof partner.provide.to === 'string' ? undefined : partner.provide.to.users,
      authority: partnerAuthority(configuration, partner, files),
      crl: partnerRevocations(configuration, files),
    })),
    httpProxy: interconnect?.httpProxy,
    timeout: (interconnect ?? unusedTimes).timeout * 1000,
    documentBytes: limits.documentBytes,
  });
}

/** The settings of interconnection with the policies of each partner. */
export function interconnectionSettings({ configuration, policies }: Omit<Prepared, 'files'>): InterconnectionSettings {
  const policyOf = (file: string | undefined): Policy =>
    file === undefined ? passThroughPolicy : required(policies.get(file), file);
  return {
    system: configuration.system,
    partners: configuration.partners.map((partner) => ({
      configuration: partner,
      inbound: policyOf(partner.inboundPolicy),
      outbound: policyOf(partner.outboundPolicy),
    })),
    interconnect: configuration.interconnect ?? unusedTimes,
  };
}

function required(policy: Policy | undefined, file: string): Policy {
  if (policy === undefined) throw new Error(`the policy ${file} was not loaded`);
  return policy;
}

// From credentials to one Principal. Fails closed: what is absent, malformed, contradictory or not yet verifiable is refused,
// and a credential that is present and wrong is never passed over for another. TS 24.482 annex A.
import type { Configuration, PartnerConfiguration, SystemConfiguration } from '../config/schema.ts';
import { Refusal } from '../refusals.ts';
import { type AddressList, addressList } from './address-list.ts';
import { parseAssertedIdentity, parseSipAssertedIdentity } from './asserted-identity.ts';
import {
  type AuthorizationSchemes,
  authorizedIdentities,
  missingCredentials,
  tokenIdentities,
} from './authorization.ts';
import {
  type CertificateFacts,
  type CertificateHolder,
  type CertificateIdentities,
  certificateMatches,
  fingerprints,
} from './certificates.ts';
import type { PartnerPrincipal, Principal } from './principal.ts';
import { canonicalUri } from './uri.ts';

/** Values of the identity header fields of one request; several values of one field may also be joined with commas. */
export interface AssertedIdentities {
  readonly xAssertedIdentity?: readonly string[] | undefined;
  readonly pAssertedIdentity?: readonly string[] | undefined;
}

export interface OwnCredentials extends AssertedIdentities {
  /** Every Authorization header field of the request; undefined when there is none. */
  readonly authorization?: readonly string[] | undefined;
  readonly method: string;
  /** As in the request line. */
  readonly requestTarget: string;
  /** IP address of the connection's other end. */
  readonly peerAddress: string | undefined;
  /** Identities in the client certificate of the connection; undefined when there is none that chains to a trusted CA. */
  readonly certificate?: CertificateIdentities | undefined;
}

export interface PartnerCredentials extends AssertedIdentities {
  readonly authorization?: string | undefined;
  /** Undefined when the peer presented none, or none that chains to a trusted CA. */
  readonly certificate: CertificateFacts | undefined;
  /** Why the certificate that was presented counts for nothing, in the words of TLS, such as `CERT_REVOKED`; for the log. */
  readonly certificateFault?: string | undefined;
}

export interface SipCredentials {
  /** Values of P-Asserted-Identity; never From, which anybody may write. */
  readonly assertedIdentities: readonly string[];
  /** Where the request came from, as seen by our own socket. */
  readonly peerAddress: string | undefined;
  /** Access token of an mcptt-info, mcvideo-info or mcdata-info body, when there is one. */
  readonly accessToken?: string | undefined;
}

/** A partner as the interconnect face and the SIP face recognise it. */
export interface KnownPartner extends CertificateHolder {
  /** PSI of its GMS. */
  readonly gms: string;
  readonly sipFrom: readonly string[];
}

/**
 * The configured partners with the CAs that may vouch for each. `authorityOf` gives the PEM text of a partner's CAs, its own or the
 * common ones. Throws when a certificate in it cannot be parsed.
 */
export function knownPartners(
  partners: readonly PartnerConfiguration[],
  authorityOf: (partner: PartnerConfiguration) => string,
): readonly KnownPartner[] {
  return partners.map((partner) => ({
    name: partner.name,
    certificates: partner.certificates,
    gms: partner.gms,
    sipFrom: partner.sipFrom,
    authorities: fingerprints(authorityOf(partner)),
  }));
}

export interface AuthenticationSettings {
  readonly system: Pick<SystemConfiguration, 'servers' | 'administrators'>;
  readonly identity: Pick<Configuration['identity'], 'trustedProxies' | 'missingCredentials'>;
  /** Credentials that callers bring themselves; absent = only identities that trusted proxies assert. */
  readonly schemes?: AuthorizationSchemes | undefined;
  readonly partners: readonly KnownPartner[];
}

/** Each method answers the Principal or throws (rejects with) the Refusal whose `cause` names the true reason. */
export interface Authenticator {
  /**
   * CSC-2 and CSC-3. What the caller writes into the request decides; an asserted identity beside it must be sound nevertheless. Without
   * either, the identities in the certificate of the connection count.
   */
  own(credentials: OwnCredentials): Promise<Principal>;
  /** CSC-16: certificate and asserted identity must both be those of one and the same partner. */
  partner(credentials: PartnerCredentials): PartnerPrincipal;
  /** The token decides who a client is; our servers and partners have none and are known by their asserted identity. */
  sip(credentials: SipCredentials): Promise<Principal>;
}

/** Principals remembered by header value, for speed alone. */
const mostPrincipals = 2000;

function noCertificate(fault: string | undefined): string {
  return `no certificate that a trusted CA vouches for${fault === undefined ? '' : `: ${fault}`}`;
}

/** Builds the three checks from configuration. Throws an Error when an address list or a PSI cannot be understood. */
export function authenticator(settings: AuthenticationSettings): Authenticator {
  const { schemes = {} } = settings;
  const trustedProxies = addressList(settings.identity.trustedProxies);
  const partners = settings.partners.map((partner) => ({
    holder: partner,
    identity: requiredUri(partner.gms),
    sipFrom: addressList(partner.sipFrom),
  }));
  const partnerIdentities = new Set(partners.map((partner) => partner.identity));
  const roleOf = roles(settings.system);
  const ownPrincipals = new Map<string, Principal>();
  // A token or user that is remembered has the same list each time
  const userPrincipals = new WeakMap<readonly string[], Principal>();
  const ownPrincipal = (identities: readonly string[]): Principal => {
    if (identities.some((identity) => partnerIdentities.has(identity))) {
      throw refused('credentials-refused', 'the PSI of a partner GMS is named where no partner may be');
    }
    return roleOf(identities);
  };

  // Our servers and partners authenticate by asserted identity; a user that claims to be one of them is an attempt
  const userPrincipal = (identities: readonly string[]): Principal => {
    const known = userPrincipals.get(identities);
    if (known !== undefined) return known;
    const principal = ownPrincipal(identities);
    if (principal.role === 'server') {
      throw refused('credentials-refused', 'the credentials of a user name the PSI of an MC service server');
    }
    userPrincipals.set(identities, principal);
    return principal;
  };
  const asserted = (credentials: OwnCredentials): Principal => {
    const single = singleValue(credentials);
    const known = single === undefined ? undefined : ownPrincipals.get(single);
    if (known !== undefined) return known;
    const principal = ownPrincipal(assertedIdentities(credentials));
    if (single !== undefined) {
      if (ownPrincipals.size >= mostPrincipals) ownPrincipals.clear();
      ownPrincipals.set(single, principal);
    }
    return principal;
  };

  return {
    async own(credentials) {
      const { authorization, peerAddress, certificate } = credentials;
      const isAssertion = isAsserted(credentials);
      // TS 24.482 A.2.2: whoever asserts without being trusted is refused, whatever else he brings
      if (isAssertion) requireTrust(trustedProxies, peerAddress);
      if (authorization === undefined) {
        // A proxy's certificate is its own: whom it asserts comes first
        if (isAssertion) return asserted(credentials);
        if (certificate === 'malformed') {
          throw refused('credentials-refused', 'a URI in the client certificate is malformed');
        }
        if (certificate !== undefined && certificate.length > 0) return ownPrincipal(certificate);
        throw missingCredentials(schemes, settings.identity.missingCredentials);
      }
      if (isAssertion) assertedIdentities(credentials);
      return userPrincipal(await authorizedIdentities(schemes, authorization, credentials));
    },

    partner({ authorization, certificate, certificateFault, ...asserted }) {
      if (authorization !== undefined)
        throw refused('credentials-refused', 'a partner sent an Authorization header field');
      if (certificate === undefined) throw refused('credentials-refused', noCertificate(certificateFault));
      const holders = partners.filter((partner) => certificateMatches(certificate, partner.holder));
      const [holder] = holders;
      if (holder === undefined || holders.length > 1) {
        throw refused('credentials-refused', `the certificate belongs to ${holders.length} configured partners`);
      }
      const identities = isAsserted(asserted) ? assertedIdentities(asserted) : [];
      if (identities.length !== 1 || identities[0] !== holder.identity) {
        throw refused('credentials-refused', `the asserted identity is not the PSI of ${holder.holder.name}`);
      }
      return { role: 'partner', partner: holder.holder.name, identity: holder.identity };
    },

    async sip({ assertedIdentities: values, peerAddress, accessToken }) {
      const identities = values.length === 0 ? [] : sipIdentities(values);
      const partner = partners.find((one) => identities.includes(one.identity));
      if (partner === undefined) {
        if (identities.length > 0) requireTrust(trustedProxies, peerAddress);
        // The identity that a SIP core asserts beside a token is that of the subscriber in the core, not an MC service ID
        if (accessToken !== undefined)
          return userPrincipal(await tokenIdentities(requiredTokens(schemes), accessToken));
        if (identities.length === 0) throw new Refusal('credentials-missing');
        return ownPrincipal(identities);
      }
      if (accessToken !== undefined) throw refused('credentials-refused', 'a partner sent an access token');
      if (!partner.sipFrom.has(peerAddress)) {
        throw refused(
          'identity-not-trusted',
          `${partner.identity} asserted from ${peerAddress}, which is not in its sipFrom`,
        );
      }
      if (identities.length > 1) throw refused('credentials-refused', 'a partner asserted a second identity');
      return { role: 'partner', partner: partner.holder.name, identity: partner.identity };
    },
  };
}

/** The role that verified identities have in this system: own MC service server, administrator, or else client. */
export function roles(system: AuthenticationSettings['system']): (identities: readonly string[]) => Principal {
  const servers = new Set(system.servers.map(requiredUri));
  const administrators = new Map(system.administrators.map((one) => [requiredUri(one.id), one] as const));
  return (identities) => {
    const server = identities.find((identity) => servers.has(identity));
    if (server !== undefined) return { role: 'server', identity: server };
    const identity = identities.find((one) => administrators.has(one));
    if (identity === undefined) return { role: 'client', identities };
    return { role: 'administrator', identity, groups: administrators.get(identity)?.groups };
  };
}

/** The role of identities in this system; see {@link roles}, which prepares the look-up once. */
export function principalOf(identities: readonly string[], system: AuthenticationSettings['system']): Principal {
  return roles(system)(identities);
}

/** Who somebody known from before is in this system now; undefined when the role is taken away, or the partner gone. */
export function principalNow(
  stored: Principal,
  system: AuthenticationSettings['system'],
  partners: readonly Pick<KnownPartner, 'name' | 'gms'>[],
): Principal | undefined {
  if (stored.role === 'partner') {
    const partner = partners.find(({ name }) => name === stored.partner);
    return partner !== undefined && canonicalUri(partner.gms) === stored.identity ? stored : undefined;
  }
  if (stored.role === 'client') return stored;
  const now = principalOf([stored.identity], system);
  return now.role === stored.role ? now : undefined;
}

function isAsserted(asserted: AssertedIdentities): boolean {
  return asserted.xAssertedIdentity !== undefined || asserted.pAssertedIdentity !== undefined;
}

function requireTrust(trusted: AddressList, peerAddress: string | undefined): void {
  if (!trusted.has(peerAddress)) {
    throw refused('identity-not-trusted', `an identity was asserted from ${peerAddress}, which is no trusted proxy`);
  }
}

// The same few values come with every request; long ones are not worth the memory
function singleValue({ xAssertedIdentity, pAssertedIdentity }: AssertedIdentities): string | undefined {
  const values = xAssertedIdentity ?? pAssertedIdentity ?? [];
  const alone = values.length === 1 && (xAssertedIdentity === undefined || pAssertedIdentity === undefined);
  const [value = ''] = values;
  return alone && value.length <= 200 ? value : undefined;
}

function assertedIdentities({ xAssertedIdentity, pAssertedIdentity }: AssertedIdentities): readonly string[] {
  const first = parsedIdentities(xAssertedIdentity ?? pAssertedIdentity ?? []);
  if (xAssertedIdentity === undefined || pAssertedIdentity === undefined) return first;
  const second = parsedIdentities(pAssertedIdentity);
  // A proxy that sets one field may let the other through from a user
  if (first.length !== second.length || !first.every((identity) => second.includes(identity))) {
    throw refused('credentials-refused', 'X-3GPP-Asserted-Identity and P-Asserted-Identity name different identities');
  }
  return first;
}

function sipIdentities(values: readonly string[]): readonly string[] {
  const identities = parseSipAssertedIdentity(values);
  if (identities === undefined) {
    throw refused('credentials-refused', 'P-Asserted-Identity is not one identity, or a SIP and a TEL URI');
  }
  return identities;
}

function parsedIdentities(values: readonly string[]): readonly string[] {
  const identities = parseAssertedIdentity(values);
  if (identities === undefined) throw refused('credentials-refused', 'an asserted identity is malformed');
  return identities;
}

function requiredTokens({ tokens }: AuthorizationSchemes): NonNullable<AuthorizationSchemes['tokens']> {
  if (tokens !== undefined) return tokens;
  throw new Refusal('credentials-refused', { phrase: 'The access token cannot be verified' });
}

function refused(code: 'credentials-refused' | 'identity-not-trusted', cause: string): Refusal {
  return new Refusal(code, { cause });
}

function requiredUri(text: string): string {
  const canonical = canonicalUri(text);
  if (canonical === undefined) throw new Error(`"${text}" is not a URI`);
  return canonical;
}

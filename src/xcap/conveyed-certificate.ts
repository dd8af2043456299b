// A partner's certificate as an edge proxy of ours conveys it (RFC 9440), for sites where TLS ends at the edge.
// The proxy is trusted to have seen it; that a configured CA vouches for it is checked here once more.
import { X509Certificate } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type CertificateFacts, certificateFacts } from '../identity/certificates.ts';
import { isRevoked, type RevocationList } from '../identity/revocation-lists.ts';
import { Refusal } from '../refusals.ts';

/** Values of the two header fields of RFC 9440; several lines of one field are several values. */
export interface ConveyedFields {
  readonly clientCert: readonly string[] | undefined;
  readonly clientCertChain: readonly string[] | undefined;
}

export interface EdgeProxies {
  /** True for the address of a proxy that may convey certificates. */
  isEdge(address: string | undefined): boolean;
  /**
   * Facts of the conveyed certificate; undefined when none is conveyed or no configured CA vouches for it now. Throws
   * `credentials-refused` when the fields cannot be understood.
   */
  certificate(fields: ConveyedFields): CertificateFacts | undefined;
}

const longestChain = 8;
const remembered = 200;
/** A certificate is looked at again after so long, milliseconds: it may have expired. */
const lookAgain = 60_000;

/** The edge proxies of a configuration. `anchors`: the CAs that may vouch for partners; `now`: milliseconds since 1970. */
export function edgeProxies(
  isEdge: (address: string | undefined) => boolean,
  anchors: readonly X509Certificate[],
  revocations: readonly RevocationList[] = [],
  now: () => number = Date.now,
): EdgeProxies {
  const known = new LRUCache<string, { readonly facts: CertificateFacts | undefined }>({
    max: remembered,
    ttl: lookAgain,
  });

  return {
    isEdge,
    certificate({ clientCert, clientCertChain }) {
      if (clientCert === undefined) return undefined;
      const [value, another] = clientCert;
      if (value === undefined || another !== undefined) throw malformed();
      const chain = (clientCertChain ?? []).flatMap((line) => line.split(','));
      const key = [value, ...chain].join(' ');
      const before = known.get(key);
      if (before !== undefined) return before.facts;
      const certificates = [value, ...chain].map(parsed);
      if (certificates.length > longestChain) throw malformed();
      const facts = vouchedFor(certificates, { anchors, revocations }, now());
      known.set(key, { facts });
      return facts;
    },
  };
}

/** Whom vouching may end at, and what was withdrawn. */
interface Trust {
  readonly anchors: readonly X509Certificate[];
  readonly revocations: readonly RevocationList[];
}

/** The certificate and all that vouch for it up to one of the anchors; undefined when none does, or one is not valid now. */
function vouchedFor(
  [own, ...chain]: readonly X509Certificate[],
  { anchors, revocations }: Trust,
  now: number,
): CertificateFacts | undefined {
  if (own === undefined) return undefined;
  const path = [own];
  for (let one = own; path.length <= longestChain; ) {
    if (now < one.validFromDate.getTime() || now > one.validToDate.getTime()) return undefined;
    const signer = (candidates: readonly X509Certificate[]): X509Certificate | undefined =>
      candidates.find((candidate) => candidate.ca && one.checkIssued(candidate) && one.verify(candidate.publicKey));
    const anchor = signer(anchors);
    if (anchor !== undefined) {
      if (isRevoked(one, anchor, revocations, now)) return undefined;
      const above = [...path.slice(1), anchor].map(({ raw }) => raw);
      return now > anchor.validToDate.getTime() ? undefined : certificateFacts(own.raw, above);
    }
    const next = signer(chain.filter((candidate) => !path.includes(candidate)));
    if (next === undefined || isRevoked(one, next, revocations, now)) return undefined;
    path.push(next);
    one = next;
  }
  return undefined;
}

// RFC 9440 2.1, RFC 9651 3.3.5: a byte sequence between colons
function parsed(value: string): X509Certificate {
  const base64 = /^\s*:([A-Za-z0-9+/]+={0,2}):\s*$/.exec(value)?.[1];
  if (base64 === undefined) throw malformed();
  try {
    return new X509Certificate(Buffer.from(base64, 'base64'));
  } catch {
    throw malformed();
  }
}

function malformed(): Refusal {
  return new Refusal('credentials-refused', { cause: 'Client-Cert or Client-Cert-Chain cannot be understood' });
}

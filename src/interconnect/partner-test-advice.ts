// What operators can do about a step of a partner test that failed: one sentence for each cause.
import type { RootCheck } from './ports.ts';

const byCode: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there: check host and port of partners[].xcapRoots, and the partner's firewall",
  ENOTFOUND: 'the host name cannot be resolved: check partners[].xcapRoots and the DNS of this machine',
  EAI_AGAIN: 'the DNS of this machine does not answer',
  EHOSTUNREACH: 'there is no route: check the network, or set interconnect.httpProxy',
  ENETUNREACH: 'there is no route: check the network, or set interconnect.httpProxy',
  ETIMEDOUT: 'nothing answers: check firewalls on both edges, or set interconnect.httpProxy',
  UND_ERR_CONNECT_TIMEOUT: 'nothing answers: check firewalls on both edges, or set interconnect.httpProxy',
  UND_ERR_HEADERS_TIMEOUT: 'it accepts connections but does not answer: ask the partner',
  TimeoutError: 'it does not answer in time: ask the partner, or raise interconnect.timeout',
  CERT_HAS_EXPIRED: "the partner's certificate has expired: the partner must renew it",
  CERT_NOT_YET_VALID: "the partner's certificate is not valid yet: compare the clocks",
  CERT_REVOKED: "the partner's certificate is revoked: the partner must renew it",
  ERR_TLS_CERT_ALTNAME_INVALID:
    "the host of the root does not stand in the partner's certificate: use the name that does in partners[].xcapRoots",
  EPROTO:
    'the TLS handshake failed: the partner must speak TLS 1.2 or 1.3 at this port, and may demand our certificate',
  ECONNRESET: 'the partner ended the connection: it may not accept our certificate (interconnect.listen.tls.cert)',
};

const unknownAuthority =
  "the partner's certificate does not chain to the CA given: check partners[].tls.ca (or interconnect.listen.tls.clientCa)";

/** For a connection that did not come about. `shown`: the certificate that the partner showed. */
export function adviceForProblem(code: string, text: string, shown: RootCheck['tls']): string {
  if (/is not one of partner/.test(text)) {
    const names = shown?.names.join(', ') ?? 'nothing';
    return `the certificate shown (${names}; spki ${shown?.spki ?? 'unknown'}) is not in partners[].certificates: add it if it is the partner's`;
  }
  if (/SELF_SIGNED|UNABLE_TO|ISSUER/.test(code)) return unknownAuthority;
  if (/^ERR_(SSL|TLS)/.test(code) && byCode[code] === undefined) return byCode.EPROTO ?? '';
  return byCode[code] ?? 'check partners[].xcapRoots and the network between the systems';
}

/** For an answer that is no success; undefined = none came. */
export function adviceForAnswer(status: number | undefined): string {
  switch (status) {
    case 401:
    case 403:
      return 'the partner does not know us, or its agreement does not let us: it must bind our certificate to our PSI (certificates, gms) and check its agreement';
    case 404:
      return 'nothing is served there: check the path in partners[].xcapRoots';
    case 429:
    case 503:
      return 'the partner is overloaded or limits us: try again later';
    case undefined:
      return 'no answer that can be used: see the detail, and ask the partner';
    default:
      return status >= 500 ? 'the partner, or a proxy in front of it, fails: ask the partner' : 'ask the partner';
  }
}

/** For a canary that was not taken. */
export function adviceForWrite(status: number | undefined): string {
  if (status === 403)
    return "the partner's agreement (theyProvide) does not let us provide this group, or is not active there: compare both agreements";
  if (status === 409)
    return "the partner's policy or schema refuses the canary: what it provides to users may pass all the same; the detail names the rule";
  if (status === 405)
    return 'the partner takes no PUT by group ID: set partners[].provide.to to { users: XUI } or none';
  return adviceForAnswer(status);
}

/** For a SUBSCRIBE that was not accepted. */
export function adviceForSubscribe(status: number): string {
  if (status === 408 || status === 503)
    return 'nothing answers there: check partners[].sip, sip.outboundProxy, and firewalls for SIP on both edges';
  if (status === 403)
    return 'the partner does not believe our PSI from this address (sipFrom at the partner), or its agreement lets us read nothing';
  if (status === 404 || status === 604) return 'the partner does not know its GMS by that URI: check partners[].gms';
  if (status === 489) return 'what answers is no group management server: check partners[].sip and partners[].gms';
  return 'ask the partner what this answer means there';
}

// The group management server of a partner over XCAP (CSC-16): provision, withdrawal and request of groups, with mutual TLS.
import { checkServerIdentity, type DetailedPeerCertificate, type PeerCertificate } from 'node:tls';
import { Pool, ProxyAgent } from 'undici';
import type { PartnerConfiguration } from '../config/schema.ts';
import { directoryAuid, groupsAuid } from '../documents/application-usage.ts';
import { isLoopbackAddress } from '../identity/address-list.ts';
import { certificateMatches } from '../identity/certificates.ts';
import { tlsSuites } from '../identity/tls-suites.ts';
import type { PartnerGms, ProvidePlace } from '../interconnect/ports.ts';
import { quotedTag } from './entity-tags.ts';
import { checkRoot, type PartnerTls, type RootToCheck } from './partner-check.ts';
import {
  directoryMediaType,
  directoryOutcome,
  fetchOutcome,
  groupMediaType,
  hasFailedCondition,
  isGone,
  provideOutcome,
  strongTag,
  withdrawOutcome,
} from './partner-outcomes.ts';
import { type PartnerReply, type PartnerRequest, partnerRoots, type RootConnection } from './partner-roots.ts';
import { factsOf } from './peer-certificate.ts';

/** A partner as requests reach it. */
export interface PartnerRoute {
  readonly name: string;
  /** In order of preference. */
  readonly xcapRoots: readonly string[];
  /** The server's certificate must match one of these, beside the host name of the root. */
  readonly certificates: PartnerConfiguration['certificates'];
  /** XUI at the partner below which groups are put; absent = at their address by group ID. */
  readonly provideBelow?: string | undefined;
  /** PEM text of the CAs that may vouch for the partner; absent = those of the platform. */
  readonly authority?: string | undefined;
  /** Revocation lists of these CAs, PEM texts of one each; absent = nothing is known to be revoked. */
  readonly crl?: readonly string[] | undefined;
}

export interface PartnerClientOptions {
  /** PSI of our own GMS, which we assert. */
  readonly identity: string;
  /** Our certificate and key, PEM texts; absent = none is shown. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
  readonly partners: readonly PartnerRoute[];
  /** URI of the proxy through which roots are reached with CONNECT; absent = directly. */
  readonly httpProxy?: string | undefined;
  /** Milliseconds one XCAP root may take to answer. */
  readonly timeout: number;
  /** Largest group document taken from a partner, octets. */
  readonly documentBytes: number;
  /** Milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
}

export interface PartnerClient extends PartnerGms {
  /** Ends all connections; running requests fail. */
  close(): Promise<void>;
}

/**
 * Makes the client for all partners. Throws an Error for an XCAP root that is plain `http:` to anything but a loopback address:
 * nobody could be recognised there.
 */
export function partnerClient(options: PartnerClientOptions): PartnerClient {
  const now = options.now ?? Date.now;
  const partners = new Map(
    options.partners.map((route) => [
      route.name,
      {
        provideBelow: route.provideBelow,
        roots: partnerRoots(
          route.xcapRoots.map((root) => connection(root, route, options)),
          { timeout: options.timeout, now },
        ),
      },
    ]),
  );

  async function request(
    partner: string,
    method: PartnerRequest['method'],
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
    body?: Uint8Array,
  ): Promise<PartnerReply> {
    const route = partners.get(partner);
    if (route === undefined) return { reply: 'none', reason: 'partner-unknown: No such partner is configured' };
    return route.roots.request({
      method,
      path,
      headers: { ...headers, 'X-3GPP-Asserted-Identity': quotedTag(options.identity) },
      body,
      signal,
    });
  }

  function placePath(partner: string, groupId: string, place: ProvidePlace | undefined): string {
    if (place === undefined) return groupPath(groupId, partners.get(partner)?.provideBelow);
    return groupPath(groupId, place === 'byGroupID' ? undefined : place.users);
  }

  return {
    async provide(partner, groupId, bytes, knownTag, signal, place) {
      // RFC 9110 6.6.1: tells the partner which of two messages is the older one, should one be held up on its way
      const content = { 'Content-Type': groupMediaType, Date: new Date(now()).toUTCString() };
      // RFC 9110 13.1.2: Dates count in seconds; a first provision held up for less must not undo the next one either
      const condition = knownTag === undefined ? { 'If-None-Match': '*' } : { 'If-Match': quotedTag(knownTag) };
      const path = placePath(partner, groupId, place);
      const reply = await request(partner, 'PUT', path, { ...content, ...condition }, signal, bytes);
      // What we hold is newer than whatever the partner has: an answer of it was lost, or somebody else changed or removed it
      return provideOutcome(
        hasFailedCondition(reply) ? await request(partner, 'PUT', path, content, signal, bytes) : reply,
      );
    },

    async withdraw(partner, groupId, knownTag, signal, place) {
      const path = placePath(partner, groupId, place);
      const remove = (tag: string | undefined): Promise<PartnerReply> => {
        const condition = tag === undefined ? {} : { 'If-Match': quotedTag(tag) };
        return request(partner, 'DELETE', path, { Date: new Date(now()).toUTCString(), ...condition }, signal);
      };
      let reply = await remove(knownTag);
      if (knownTag === undefined || !hasFailedCondition(reply)) return withdrawOutcome(reply);
      // RFC 9110 13.1.1: it is gone, or not as we gave it. TS 23.280 10.2.7.1: what the partner holds is there because the primary provides
      // it, so it goes all the same; naming what is there now, a message that is held up removes nothing that we provide later.
      const seen = await request(partner, 'HEAD', path, { Accept: groupMediaType }, signal);
      if (seen.reply === 'answer' && isGone(seen)) return withdrawOutcome(seen);
      const current = seen.reply === 'answer' && seen.status === 200 ? strongTag(seen) : undefined;
      reply = await remove(current);
      // A partner whose tags change from answer to answer gets the order without condition.
      if (current !== undefined && hasFailedCondition(reply)) reply = await remove(undefined);
      const outcome = withdrawOutcome(reply);
      return outcome.outcome === 'accepted' && !isGone(reply) ? { ...outcome, note: changedThere } : outcome;
    },

    async fetch(partner, groupId, knownTag, signal) {
      const condition = knownTag === undefined ? {} : { 'If-None-Match': quotedTag(knownTag) };
      const path = groupPath(groupId, undefined);
      const reply = await request(partner, 'GET', path, { Accept: groupMediaType, ...condition }, signal);
      return fetchOutcome(reply, knownTag !== undefined);
    },

    async held(partner, groupId, knownTags, signal) {
      const condition = knownTags.length === 0 ? {} : { 'If-None-Match': knownTags.map(quotedTag).join(', ') };
      const below = partners.get(partner)?.provideBelow;
      const path = groupPath(groupId, below);
      const reply = await request(partner, 'GET', path, { Accept: groupMediaType, ...condition }, signal);
      return fetchOutcome(reply, knownTags.length > 0);
    },

    async check(partner) {
      const route = options.partners.find(({ name }) => name === partner);
      return Promise.all(
        route === undefined ? [] : route.xcapRoots.map((root) => checkRoot(rootToCheck(root, route, options))),
      );
    },

    async directory(partner, signal) {
      const path = `/${directoryAuid}/users/${encodeURIComponent(options.identity)}/directory.xml`;
      return directoryOutcome(await request(partner, 'GET', path, { Accept: directoryMediaType }, signal));
    },

    async close() {
      await Promise.all([...partners.values()].map(({ roots }) => roots.close()));
    },
  };
}

/** True for an XCAP root that requests may go to: `https:`, or `http:` to a loopback address. */
export function isUsableRoot(root: string): boolean {
  const url = URL.parse(root);
  if (url === null) return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackAddress(url.hostname));
}

// RFC 4825 6.2: the group ID is one segment, whatever it contains
function groupPath(groupId: string, below: string | undefined): string {
  const place = below === undefined ? 'global/byGroupID' : `users/${encodeURIComponent(below)}`;
  return `/${groupsAuid}/${place}/${encodeURIComponent(groupId)}`;
}

const changedThere = 'the copy at the partner had another entity tag than is known here';

/** A connection is replaced after so many requests. */
const requestsPerConnection = 100;

function connection(root: string, route: PartnerRoute, options: PartnerClientOptions): RootConnection {
  if (!isUsableRoot(root)) throw new Error(`${root}: only a loopback address may be reached without TLS`);
  const url = new URL(root);
  const { timeout } = options;
  const shared = {
    connections: 8,
    pipelining: 1,
    // HTTP/1.1 answers name no request: where one came twice, those after it would stand for the wrong requests for ever
    maxRequestsPerClient: requestsPerConnection,
    allowH2: false,
    keepAliveTimeout: 20_000,
    headersTimeout: timeout,
    bodyTimeout: timeout,
    maxResponseSize: options.documentBytes,
  };
  const tls = tlsTowards(route, options);
  const httpProxy = proxyFor(url, options);
  const dispatcher =
    httpProxy === undefined
      ? new Pool(url.origin, { ...shared, connect: tls })
      : new ProxyAgent({ ...shared, uri: httpProxy, requestTls: tls, connectTimeout: timeout });
  return { root, dispatcher, basePath: url.pathname.replace(/\/$/, '') };
}

// RFC 9110 9.3.6: mutual TLS runs inside the tunnel, end to end
function proxyFor(root: URL, { httpProxy }: PartnerClientOptions): string | undefined {
  return root.protocol === 'https:' ? httpProxy : undefined;
}

function tlsTowards(route: PartnerRoute, options: PartnerClientOptions): PartnerTls {
  return {
    timeout: options.timeout,
    // A resumed session would skip the check of the server's certificate
    maxCachedSessions: 0,
    minVersion: 'TLSv1.2',
    ciphers: tlsSuites,
    ...options.certificate,
    ...(route.authority === undefined ? {} : { ca: route.authority }),
    ...(route.crl === undefined ? {} : { crl: [...route.crl] }),
    checkServerIdentity: (host: string, certificate: PeerCertificate) => checkPartner(host, certificate, route),
  };
}

function rootToCheck(root: string, route: PartnerRoute, options: PartnerClientOptions): RootToCheck {
  const url = new URL(root);
  const { timeout } = options;
  const uri = proxyFor(url, options);
  return {
    root,
    basePath: url.pathname.replace(/\/$/, ''),
    tls: tlsTowards(route, options),
    throughProxy:
      uri === undefined
        ? undefined
        : (requestTls) => new ProxyAgent({ uri, requestTls, connectTimeout: timeout, headersTimeout: timeout }),
    facts: (certificate) => factsOf(certificate as DetailedPeerCertificate),
    headers: { 'X-3GPP-Asserted-Identity': quotedTag(options.identity) },
    timeout,
  };
}

function checkPartner(host: string, certificate: PeerCertificate, route: PartnerRoute): Error | undefined {
  const problem = checkServerIdentity(host, certificate);
  if (problem !== undefined) return problem;
  const facts = factsOf(certificate as DetailedPeerCertificate);
  if (facts !== undefined && certificateMatches(facts, route)) return undefined;
  return new Error(`the certificate of ${host} is not one of partner ${route.name}`);
}

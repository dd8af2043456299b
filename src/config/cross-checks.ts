// Rules that tie several keys of a configuration together: domains, identities, agreements, listeners.
// Each works on the sections that are sound by themselves, so that all problems show at once.
import { isIP } from 'node:net';
import { canonicalUri, uriDomain } from '../identity/uri.ts';
import { canMatchDomain } from './group-pattern.ts';
import { builtInAuids, type Configuration, type ListenerConfiguration, type PartnerConfiguration } from './schema.ts';
import { storageChecks } from './storage-checks.ts';

/** The sections of a configuration that passed the schema; a broken partner is left out, the others keep their index. */
export type Sections = { readonly [Key in keyof Omit<Configuration, 'partners'>]?: Configuration[Key] } & {
  readonly partners: readonly (PartnerConfiguration | undefined)[];
};

/** Something wrong at a key; a warning does not keep the gateway from starting. */
export interface Finding {
  readonly path: readonly PropertyKey[];
  readonly text: string;
  readonly severity: 'error' | 'warning';
  /** Where it stands in a file that the key names; absent = at the key itself. */
  readonly at?: { readonly file: string; readonly line: number };
}

/** Everything that is inconsistent between the sections. */
export function crossChecks(sections: Sections): readonly Finding[] {
  return [
    ...systemChecks(sections),
    ...listenerChecks(sections),
    ...sipChecks(sections),
    ...usageChecks(sections),
    ...operatorChecks(sections),
    ...storageChecks(sections),
    ...sections.partners.flatMap((partner, index) =>
      partner === undefined ? [] : partnerChecks(partner, index, sections),
    ),
  ];
}

function error(path: readonly PropertyKey[], text: string): Finding {
  return { path, text, severity: 'error' };
}

function warning(path: readonly PropertyKey[], text: string): Finding {
  return { path, text, severity: 'warning' };
}

function systemChecks({ system }: Sections): readonly Finding[] {
  if (system === undefined) return [];
  const findings: Finding[] = [...repeated(system.domains, ['system', 'domains'], 'domain')];
  const psis = [system.gms, ...system.servers];
  for (const [index, psi] of psis.entries()) {
    const path = index === 0 ? ['system', 'gms'] : ['system', 'servers', index - 1];
    const canonical = canonicalUri(psi);
    if (canonical === undefined) findings.push(error(path, 'is no SIP URI'));
    else if (psis.slice(0, index).some((earlier) => canonicalUri(earlier) === canonical)) {
      findings.push(error(path, `${psi} already stands in system.gms or system.servers`));
    }
  }
  const creation = system.groupCreationXui;
  if (creation !== undefined && !homed(creation, system.domains)) {
    findings.push(error(['system', 'groupCreationXui'], 'must be in one of system.domains'));
  }
  const administrators = system.administrators.map(({ id }) => id);
  findings.push(...repeated(administrators.map(canonicalOr), ['system', 'administrators'], 'administrator'));
  for (const [index, id] of administrators.entries()) {
    if (!homed(id, system.domains)) {
      findings.push(warning(['system', 'administrators', index], `${id} is in none of system.domains`));
    }
  }
  for (const [index, user] of system.servedUsers.entries()) {
    if (homed(user, system.domains)) {
      findings.push(warning(['system', 'servedUsers', index], 'is homed here and served anyway'));
    }
  }
  for (const [index, user] of system.awayUsers.entries()) {
    if (!homed(user, system.domains)) {
      findings.push(warning(['system', 'awayUsers', index], 'is not homed here and not served anyway'));
    }
  }
  return findings;
}

function listenerChecks({ xcap, interconnect, manage, sip, partners }: Sections): readonly Finding[] {
  const findings: Finding[] = [];
  if (xcap !== undefined) findings.push(...rootChecks(xcap.root, xcap.listen, 'xcap'));
  if (interconnect !== undefined) {
    findings.push(...rootChecks(interconnect.root, interconnect.listen, 'interconnect'));
    const tls = interconnect.listen.tls;
    // Behind an edge proxy of ours TLS may have ended; the certificate is conveyed.
    if (tls?.clientCa === undefined && !(tls === undefined && interconnect.edgeProxies.length > 0)) {
      const path = ['interconnect', 'listen', ...(tls === undefined ? [] : ['tls'])];
      findings.push(error(path, 'needs tls with cert, key and clientCa: partners are recognised by their certificate'));
    }
    if (interconnect.retry.first > interconnect.retry.ceiling) {
      findings.push(error(['interconnect', 'retry', 'first'], 'must not be above interconnect.retry.ceiling'));
    }
  } else if (partners.length > 0) {
    findings.push(error(['partners'], 'need the section interconnect'));
  }
  if (manage !== undefined && manage.listen.tls === undefined && !isLoopback(manage.listen.host)) {
    findings.push(error(['manage', 'listen', 'host'], 'is not a loopback address, which needs tls'));
  }
  const bound: [path: readonly PropertyKey[], address: string, transport: string][] = [];
  for (const [name, section] of Object.entries({ xcap, interconnect, manage })) {
    if (section === undefined) continue;
    bound.push([[name, 'listen', 'port'], `${section.listen.host}:${section.listen.port}`, 'tcp']);
  }
  for (const [index, listen] of (sip?.listen ?? []).entries()) {
    const colon = listen.indexOf(':');
    bound.push([['sip', 'listen', index], listen.slice(colon + 1), listen.startsWith('udp:') ? 'udp' : 'tcp']);
  }
  for (const [index, [path, address, transport]] of bound.entries()) {
    if (address.endsWith(':0')) continue;
    const earlier = bound.slice(0, index).find((other) => other[1] === address && other[2] === transport);
    if (earlier !== undefined) findings.push(error(path, `${address} is already taken by ${earlier[0].join('.')}`));
  }
  return findings;
}

function rootChecks(root: string, listen: ListenerConfiguration, section: string): readonly Finding[] {
  const path = [section, 'root'];
  if (!URL.canParse(root)) return [error(path, 'is no URI')];
  const url = new URL(root);
  const findings: Finding[] = [];
  // RFC 4825 6.1: the root ends before the slash that starts the AUID, and may not look like a part of the document selector
  if (root.endsWith('/')) findings.push(error(path, 'must not end with a slash'));
  if (url.pathname.split('/').includes('~~')) findings.push(error(path, 'must not contain ~~'));
  if (url.protocol === 'http:' && listen.tls !== undefined)
    findings.push(error(path, 'is http: but the listener has tls'));
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  const explicit = /^https?:\/\/[^/]*:0(\/|$)/i.test(root) ? 0 : port;
  if (isLoopback(url.hostname.replace(/^\[|\]$/g, '')) && explicit !== listen.port) {
    findings.push(warning(path, `names port ${explicit} of this machine but the listener has ${listen.port}`));
  }
  return findings;
}

function sipChecks({ sip, partners }: Sections): readonly Finding[] {
  if (sip === undefined) {
    return partners.some((partner) => (partner?.sip.length ?? 0) > 0)
      ? [
          warning(
            ['partners'],
            'have SIP next hops, but there is no section sip: groups stay current by revalidation only',
          ),
        ]
      : [];
  }
  const findings: Finding[] = [];
  for (const [index, listen] of sip.engine === 'embedded' ? sip.listen.entries() : []) {
    const host = listen.slice(listen.indexOf(':') + 1, listen.lastIndexOf(':')).replace(/^\[|\]$/g, '');
    if (isIP(host) === 0) findings.push(error(['sip', 'listen', index], `${host} is no address to listen on`));
    if (/^(tls|wss):/.test(listen) && sip.tls === undefined) {
      findings.push(error(['sip', 'listen', index], `${listen} needs sip.tls with cert and key`));
    }
  }
  if (sip.tls?.requireClientCertificate === true && sip.tls.ca === undefined) {
    findings.push(
      error(['sip', 'tls', 'requireClientCertificate'], 'needs sip.tls.ca, which client certificates chain to'),
    );
  }
  if (sip.timers.t2 < sip.timers.t1) findings.push(error(['sip', 'timers', 't2'], 'must not be below sip.timers.t1'));
  if (sip.minimumExpires > sip.maximumExpires) {
    findings.push(error(['sip', 'minimumExpires'], 'must not be above sip.maximumExpires'));
  }
  return findings;
}

function usageChecks({ applicationUsages = [] }: Sections): readonly Finding[] {
  const auids = applicationUsages.map(({ auid }) => auid);
  const builtIn: readonly string[] = builtInAuids;
  return [
    ...repeated(auids, ['applicationUsages'], 'AUID'),
    ...auids.flatMap((auid, index) =>
      builtIn.includes(auid) ? [error(['applicationUsages', index, 'auid'], `${auid} is built in`)] : [],
    ),
  ];
}

function partnerChecks(partner: PartnerConfiguration, index: number, sections: Sections): readonly Finding[] {
  const at = (...path: readonly PropertyKey[]): readonly PropertyKey[] => ['partners', index, ...path];
  const findings: Finding[] = [...repeated(partner.domains, at('domains'), 'domain')];
  const earlier = sections.partners.slice(0, index);
  const { system } = sections;

  if (earlier.some((other) => other?.name === partner.name)) {
    findings.push(error(at('name'), `another partner is called ${partner.name}`));
  }
  for (const [position, domain] of partner.domains.entries()) {
    if (system?.domains.includes(domain))
      findings.push(error(at('domains', position), `${domain} is one of system.domains`));
    const other = earlier.find((candidate) => candidate?.domains.includes(domain));
    if (other !== undefined)
      findings.push(error(at('domains', position), `${domain} belongs to partner ${other.name}`));
  }
  const psi = canonicalUri(partner.gms);
  if (psi === undefined) findings.push(error(at('gms'), 'is no SIP URI'));
  else if (system !== undefined && [system.gms, ...system.servers].some((own) => canonicalUri(own) === psi)) {
    findings.push(error(at('gms'), `${partner.gms} is one of our own`));
  }
  const twin = earlier.find((other) => other !== undefined && canonicalUri(other.gms) === psi);
  if (twin !== undefined) findings.push(error(at('gms'), `${partner.gms} is the GMS of partner ${twin.name}`));
  for (const [position, certificate] of partner.certificates.entries()) {
    const name = JSON.stringify(certificate).toLowerCase();
    const other = earlier.find((candidate) =>
      candidate?.certificates.some((one) => JSON.stringify(one).toLowerCase() === name),
    );
    if (other !== undefined)
      findings.push(error(at('certificates', position), `also stands for partner ${other.name}`));
  }
  for (const [position, root] of partner.xcapRoots.entries()) {
    if (!/^https:/i.test(root)) {
      findings.push(error(at('xcapRoots', position), 'must be https: partners authenticate each other by certificate'));
    }
    if (root.endsWith('/')) findings.push(error(at('xcapRoots', position), 'must not end with a slash'));
  }
  findings.push(...agreementChecks(partner, at, system));
  return findings;
}

function agreementChecks(
  partner: PartnerConfiguration,
  at: (...path: readonly PropertyKey[]) => readonly PropertyKey[],
  system: Sections['system'],
): readonly Finding[] {
  const findings: Finding[] = [];
  const { agreement } = partner;
  const addressed = partner.xcapRoots.length > 0;
  if (agreement.weProvide.length > 0 && partner.provide.to !== 'none' && !addressed) {
    findings.push(error(at('agreement', 'weProvide'), 'needs xcapRoots to deliver to, or provide: { to: none }'));
  }
  if (agreement.weRequest.length > 0 && !addressed) {
    findings.push(error(at('agreement', 'weRequest'), 'needs xcapRoots to request from'));
  }
  if (agreement.weProvide.length === 0 && partner.outboundPolicy !== undefined && agreement.theyRequest.length === 0) {
    findings.push(warning(at('outboundPolicy'), 'is never used: the agreement lets nothing out'));
  }
  if (agreement.theyProvide.length === 0 && partner.inboundPolicy !== undefined && agreement.weRequest.length === 0) {
    findings.push(warning(at('inboundPolicy'), 'is never used: the agreement lets nothing in'));
  }
  const { validFrom, validUntil } = agreement;
  if (validFrom !== undefined && validUntil !== undefined && Date.parse(validFrom) >= Date.parse(validUntil)) {
    findings.push(error(at('agreement', 'validUntil'), 'must be after validFrom'));
  }
  for (const list of ['theyProvide', 'weRequest'] as const) {
    for (const [position, { groups }] of agreement[list].entries()) {
      if (canMatchDomain(groups, partner.domains)) continue;
      const where = partner.domains.join(', ');
      findings.push(error(at('agreement', list, position, 'groups'), `${groups} matches no group of ${where}`));
    }
  }
  for (const list of ['weProvide', 'theyRequest'] as const) {
    for (const [position, { groups }] of agreement[list].entries()) {
      if (system === undefined || canMatchDomain(groups, system.domains)) continue;
      const where = system.domains.join(', ');
      findings.push(error(at('agreement', list, position, 'groups'), `${groups} matches no group of ${where}`));
    }
  }
  return findings;
}

function operatorChecks({ manage }: Sections): readonly Finding[] {
  if (manage === undefined) return [];
  const { operators, token } = manage;
  const at = (index: number, key: 'name' | 'token'): readonly PropertyKey[] => ['manage', 'operators', index, key];
  return operators.flatMap((operator, index) => {
    const before = [{ name: 'operator', token }, ...operators.slice(0, index)];
    return [
      ...(before.some(({ name }) => name === operator.name)
        ? [error(at(index, 'name'), `${operator.name} is the name of another operator`)]
        : []),
      ...(before.some((other) => other.token === operator.token)
        ? [error(at(index, 'token'), 'is the token of another operator')]
        : []),
    ];
  });
}

function repeated(values: readonly string[], path: readonly PropertyKey[], what: string): readonly Finding[] {
  return values.flatMap((value, index) =>
    values.indexOf(value) < index ? [error([...path, index], `${what} ${value} stands here twice`)] : [],
  );
}

function homed(uri: string, domains: readonly string[]): boolean {
  const canonical = canonicalUri(uri);
  return canonical !== undefined && domains.includes(uriDomain(canonical) ?? '');
}

function canonicalOr(uri: string): string {
  return canonicalUri(uri) ?? uri;
}

/** True for addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

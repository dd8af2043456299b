// Which users receive service in this system. Decides who may read groups on our faces and whom a policy keeps.
import type { SystemConfiguration } from '../config/schema.ts';
import { canonicalUri, uriDomain } from './uri.ts';

export interface ServedUsers {
  /** True when the identity (canonical URI) receives service here. */
  isServed(identity: string): boolean;
  /** True when the identity or group ID (canonical URI) is homed here. */
  isHomed(uri: string): boolean;
}

/**
 * A user is served here if its home domain is ours or it is named in `servedUsers`, unless `awayUsers` names it.
 * A URI is homed here if its host is one of our domains.
 */
export function servedUsers(system: Pick<SystemConfiguration, 'domains' | 'servedUsers' | 'awayUsers'>): ServedUsers {
  const domains = new Set(system.domains.map((domain) => domain.toLowerCase()));
  const served = new Set(system.servedUsers.map((user) => canonicalUri(user) ?? user));
  const away = new Set(system.awayUsers.map((user) => canonicalUri(user) ?? user));
  const isHomed = (uri: string): boolean => domains.has(uriDomain(uri) ?? '');
  return {
    isHomed,
    isServed: (identity) => !away.has(identity) && (isHomed(identity) || served.has(identity)),
  };
}

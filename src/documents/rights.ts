// Who may read and write which document on our own faces. Pure; closed by default: what is not granted here is refused.

import type { Principal } from '../identity/principal.ts';
import type { ServedUsers } from '../identity/served.ts';
import { canonicalUri, matchesPattern } from '../identity/uri.ts';
import type { DocumentKey } from '../store/store.ts';
import type { GroupFacts } from '../xml/group-document.ts';
import { capabilitiesAuid, directoryAuid, groupsAuid } from './application-usage.ts';

/** What decides about reading a document. */
export interface ReadableDocument {
  readonly key: DocumentKey;
  readonly group?: GroupFacts | undefined;
}

/**
 * Whether a principal may create, replace or delete documents under a canonical key at all; for group documents `mayWriteGroups` must agree too.
 * Group documents: administrators, in the users tree (TS 24.481 clause 6.3.2). Others: RFC 4825 clause 5.7, the owner of a users tree,
 * and in the global tree only who is trusted explicitly, which are administrators without limits.
 */
export function mayWrite(principal: Principal, key: DocumentKey): boolean {
  if (key.auid === groupsAuid) return principal.role === 'administrator' && key.tree === 'users';
  if (key.tree === 'global') return principal.role === 'administrator' && principal.groups === undefined;
  return isOwner(principal, key);
}

/** Whether `mayWriteGroups` depends on which groups they are. */
export function isLimited(principal: Principal): boolean {
  return principal.role !== 'administrator' || principal.groups !== undefined;
}

/** Whether an administrator's patterns cover all of these canonical group IDs. */
export function mayWriteGroups(principal: Principal, groupIds: readonly string[]): boolean {
  if (principal.role !== 'administrator') return false;
  const { groups } = principal;
  if (groups === undefined) return true;
  return groupIds.every((groupId) => groups.some((pattern) => matchesPattern(pattern, groupId)));
}

/**
 * Whether a principal may learn which documents exist under a canonical key, so that `not found` tells it nothing it may not know.
 * Asked where there is no document, whose members could decide.
 */
export function maySearch(principal: Principal, key: DocumentKey): boolean {
  if (key.auid === capabilitiesAuid) return true;
  if (principal.role === 'partner') return false;
  if (key.auid === directoryAuid) return principal.role === 'administrator' || isOwner(principal, key);
  if (key.auid === groupsAuid && principal.role !== 'client') return true;
  return key.tree === 'global' || isOwner(principal, key);
}

/**
 * As whom a principal reads a document. An administrator with patterns has no more right to a group of another system that they do not
 * cover than every user: that of a member.
 */
export function readerOf(principal: Principal, { key, group }: ReadableDocument): Principal {
  if (principal.role !== 'administrator' || principal.groups === undefined) return principal;
  // Groups of other systems live in the global tree alone.
  if (key.auid !== groupsAuid || key.tree !== 'global') return principal;
  const groupIds = group?.listServices.map(({ uri }) => canonicalUri(uri) ?? uri) ?? [];
  if (groupIds.length > 0 && mayWriteGroups(principal, groupIds)) return principal;
  return { role: 'client', identities: [principal.identity] };
}

/**
 * Whether a principal may read a document. Groups: administrators (those with patterns read groups of other systems within them), own MC
 * service servers, and members that are served here, by MCPTT, MCVideo or MCData ID. A document with several groups shows each the members of the others, so clients do not get it.
 * Others: RFC 4825 clause 5.7, the owner of a users tree, and in the global tree every user of this system.
 */
export function mayRead(
  principal: Principal,
  document: ReadableDocument,
  served: Pick<ServedUsers, 'isServed'>,
): boolean {
  const { key } = document;
  const reader = readerOf(principal, document);
  if (key.auid !== groupsAuid || reader.role === 'partner') return maySearch(reader, key);
  return mayReadGroup(reader, document.group, served);
}

/** The identities under which a client receives service here; nothing else of it counts for groups. */
export function servedIdentities(
  identities: readonly string[],
  served: Pick<ServedUsers, 'isServed'>,
): readonly string[] {
  return identities.filter((identity) => served.isServed(identity));
}

function mayReadGroup(
  principal: Exclude<Principal, { role: 'partner' }>,
  group: GroupFacts | undefined,
  served: Pick<ServedUsers, 'isServed'>,
): boolean {
  if (principal.role !== 'client') return true;
  const [listService, another] = group?.listServices ?? [];
  if (listService === undefined || another !== undefined) return false;
  return servedIdentities(principal.identities, served).some((identity) => listService.members.has(identity));
}

function isOwner(principal: Principal, key: DocumentKey): boolean {
  if (key.tree !== 'users' || principal.role === 'partner') return false;
  const identities = principal.role === 'client' ? principal.identities : [principal.identity];
  return identities.some((identity) => identity === key.xui || canonicalUri(identity) === key.xui);
}

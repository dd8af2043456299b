// Keys of documents: their canonical form, the two addresses of a group, and their spelling as text.

import type { ServedUsers } from '../identity/served.ts';
import { canonicalUri } from '../identity/uri.ts';
import type { DocumentKey } from '../store/store.ts';
import { groupsAuid } from './application-usage.ts';

/** Directory of the global tree in which a group is addressed by its ID, TS 24.481 clause 7.2.10. */
const byGroupId = 'byGroupID/';

/** Where a foreign group is stored, and the second address of a home group. `groupId` is canonical. */
export function groupKey(groupId: string): DocumentKey {
  return { auid: groupsAuid, tree: 'global', xui: '', name: `${byGroupId}${groupId}` };
}

/** The canonical group ID that a key addresses in the global tree; undefined for every other key, and for an ID that is no URI. */
export function addressedGroup(key: DocumentKey): string | undefined {
  if (key.auid !== groupsAuid || key.tree !== 'global' || !key.name.startsWith(byGroupId)) return undefined;
  return canonicalUri(key.name.slice(byGroupId.length));
}

/**
 * The key in canonical form; undefined when its XUI is not known here: in the users tree, one that is no URI or whose host is not
 * one of our domains.
 */
export function canonicalKey(key: DocumentKey, served: Pick<ServedUsers, 'isHomed'>): DocumentKey | undefined {
  if (key.tree === 'global') {
    const groupId = addressedGroup(key);
    return groupId === undefined ? { ...key, xui: '' } : groupKey(groupId);
  }
  const xui = canonicalUri(key.xui);
  if (xui === undefined || !served.isHomed(xui)) return undefined;
  return xui === key.xui ? key : { ...key, xui };
}

/** One text for each key, for maps. */
export function keyText(key: DocumentKey): string {
  return `${key.auid}\n${key.tree}\n${key.xui}\n${key.name}`;
}

/** Readable path for the journal: decoded, relative to the XCAP root. */
export function keyPath(key: DocumentKey): string {
  return key.tree === 'users' ? `${key.auid}/users/${key.xui}/${key.name}` : `${key.auid}/global/${key.name}`;
}

/** URI of the directory that documents of a tree lie in, relative to the XCAP root (RFC 4825 clause 6.2). */
export function homeUri(key: Pick<DocumentKey, 'auid' | 'tree' | 'xui'>): string {
  const segments = key.tree === 'users' ? [key.auid, 'users', key.xui] : [key.auid, 'global'];
  return segments.map(encodeSegment).join('/');
}

/** URI of a document relative to the XCAP root, RFC 4825 clause 6.2. */
export function keyUri(key: DocumentKey): string {
  return [homeUri(key), ...nameSegments(key.name).map(encodeSegment)].join('/');
}

/**
 * The `name` of a document key for decoded path segments. They are joined with `/`; a slash inside a segment is data (RFC 4825 clause
 * 6.2) and stays percent-encoded, so that no two different paths have one name.
 */
export function documentName(segments: readonly string[]): string {
  return segments.map((segment) => segment.replace(/%(?=2F|25)/g, '%25').replaceAll('/', '%2F')).join('/');
}

/** The decoded path segments of a `name` made by {@link documentName}. */
export function nameSegments(name: string): readonly string[] {
  return name.split('/').map((segment) => segment.replaceAll('%2F', '/').replace(/%25(?=2F|25)/g, '%'));
}

// RFC 3986 3.3: these may stand in a path segment as they are
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(/%(?:3A|40|24|26|2B|2C|3B|3D)/g, decodeURIComponent);
}

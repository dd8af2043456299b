// What a reader on our own faces sees of a document. A view that differs from the stored bytes has a tag of its own.

import type { Principal } from '../identity/principal.ts';
import type { ServedUsers } from '../identity/served.ts';
import { Refusal } from '../refusals.ts';
import { isGranted } from '../xml/common-policy.ts';
import type { GroupFacts } from '../xml/group-document.ts';
import { namespaces } from '../xml/names.ts';
import { splice } from '../xml/splice.ts';
import { groupsAuid } from './application-usage.ts';
import { MemoryDocument } from './cache.ts';
import type { ServedDocument } from './documents.ts';
import { entityTag } from './entity-tag.ts';
import { mayRead, readerOf, servedIdentities } from './rights.ts';

/**
 * The document as a principal may see it: to a client (and who reads like one) the member list only when the group's own rules grant it
 * `on-network-allow-getting-member-list` (TS 24.481 clause 7.2.12.1: absent = not granted). Throws Refusal `forbidden`.
 */
export function viewOf(
  principal: Principal,
  document: ServedDocument,
  served: Pick<ServedUsers, 'isServed'>,
  now: Date,
): ServedDocument {
  if (!mayRead(principal, document, served)) throw new Refusal('forbidden');
  const { group } = document;
  const reader = readerOf(principal, document);
  if (reader.role !== 'client' || document.key.auid !== groupsAuid || group === undefined) return document;
  return seesMembers(servedIdentities(reader.identities, served), group, now) ? document : withoutMembers(document);
}

function seesMembers(identities: readonly string[], group: GroupFacts, now: Date): boolean {
  return group.listServices.every(({ members, rules }) => {
    const isListMember = identities.some((identity) => members.has(identity));
    const caller = { identities, isListMember, now: now.getTime() };
    return isGranted(rules, caller, namespaces.mcpttGroupInfo, 'on-network-allow-getting-member-list');
  });
}

const reduced = new WeakMap<ServedDocument, ServedDocument>();

/** A group document without its member lists, everything else as it stands; made once for each document. */
export function withoutMembers(document: ServedDocument): ServedDocument {
  let without = reduced.get(document);
  if (without === undefined) {
    without = removeMembers(document);
    reduced.set(document, without);
  }
  return without;
}

function removeMembers(document: ServedDocument): ServedDocument {
  const { index, key, groupId, modified } = document;
  const lists = index
    .childrenNamed(index.root, namespaces.listService, 'list-service')
    .flatMap((listService) => index.childrenNamed(listService, namespaces.listService, 'list'));
  if (lists.length === 0) return document;
  const edits = lists.map((list) => ({ start: index.outerStart(list), end: index.outerEnd(list), replacement: '' }));
  const bytes = splice(index.bytes, edits);
  return new MemoryDocument({ key, tag: entityTag(bytes), bytes, groupId, modified });
}

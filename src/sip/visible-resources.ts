// What a subscriber may see of the resources it named: entity tags of its own view, nothing of what it may not read
// (RFC 5875 clauses 4.7 and 7).
import { groupsAuid } from '../documents/application-usage.ts';
import type { Documents, ServedDocument } from '../documents/documents.ts';
import type { Principal } from '../identity/principal.ts';
import type { ServedUsers } from '../identity/served.ts';
import type { PartnerFacing } from '../interconnect/ports.ts';
import { Refusal } from '../refusals.ts';
import type { DocumentFilter, DocumentKey, DocumentSummary } from '../store/store.ts';
import { addressesOf, type CollectionEntry, isBelow, type Resource, type ResourceEntry } from './resource-entry.ts';

/** The documents as one kind of subscriber sees them. */
export interface VisibleResources {
  /** False when nothing that the entry names can ever be told to this principal. */
  servable(principal: Principal, entry: ResourceEntry): boolean;
  /** Entity tag of the principal's view; undefined when there is none or it may not be read. */
  tag(principal: Principal, resource: Resource): Promise<string | undefined>;
  /** What there is below a collection, readable or not. */
  below(principal: Principal, collection: CollectionEntry): AsyncIterable<Resource>;
}

const pageSize = 500;

/** The view of our own face: clients, MC service servers and administrators. */
export function ownResources(documents: Documents, served: ServedUsers): VisibleResources {
  return {
    servable(principal, entry) {
      const auid = entry.kind === 'collection' ? entry.auid : auidOf(entry.resource);
      if (documents.usage(auid) === undefined) return false;
      const xui = entry.kind === 'collection' ? entry.xui : xuiOf(entry.resource);
      if (xui === undefined) return true;
      if (!served.isHomed(xui)) return false;
      // RFC 4825 5.7: but for groups, a user's documents are that user's alone
      return auid === groupsAuid || identitiesOf(principal).includes(xui);
    },
    async tag(principal, resource) {
      const document =
        resource.kind === 'group' ? await documents.findGroup(resource.groupId) : await documents.find(resource.key);
      return document === undefined ? undefined : viewedTag(documents, principal, document);
    },
    async *below(_principal, collection) {
      for await (const summary of pages(documents, filterOf(collection))) {
        for (const address of addressesOf(summary.key, summary.groupId)) {
          if (address.collections.includes(collection.watch)) yield address.resource;
        }
      }
    },
  };
}

/** The view of partner systems: the groups of the agreement, by their IDs. */
export function partnerResources(partners: PartnerFacing): VisibleResources {
  return {
    servable: (_principal, entry) =>
      entry.kind === 'collection'
        ? entry.auid === groupsAuid && entry.tree === 'global'
        : entry.resource.kind === 'group',
    async tag(principal, resource) {
      if (principal.role !== 'partner' || resource.kind !== 'group') return undefined;
      return unlessRefused(async () => (await partners.groupForPartner(principal, resource.groupId)).tag);
    },
    async *below(principal, collection) {
      if (principal.role !== 'partner') return;
      for (const groupId of await partners.groupsForPartner(principal)) {
        const resource: Resource = { kind: 'group', groupId };
        if (isBelow(collection, resource)) yield resource;
      }
    },
  };
}

function identitiesOf(principal: Principal): readonly string[] {
  return principal.role === 'client' ? principal.identities : [principal.identity];
}

function auidOf(resource: Resource): string {
  return resource.kind === 'group' ? groupsAuid : resource.key.auid;
}

function xuiOf(resource: Resource): string | undefined {
  return resource.kind === 'document' && resource.key.tree === 'users' ? resource.key.xui : undefined;
}

function viewedTag(documents: Documents, principal: Principal, document: ServedDocument): string | undefined {
  try {
    return documents.view(principal, document).tag;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

async function unlessRefused(act: () => Promise<string>): Promise<string | undefined> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

function filterOf(collection: CollectionEntry): DocumentFilter {
  const { auid, tree, xui, directory } = collection;
  // Home groups live in the users tree and are found by their ID below `global`.
  if (auid === groupsAuid && tree === 'global') return { auid, groups: true };
  return {
    auid,
    ...(tree === undefined ? {} : { tree }),
    ...(xui === undefined ? {} : { xui }),
    ...(directory === '' ? {} : { namePrefix: directory }),
  };
}

async function* pages(documents: Documents, filter: DocumentFilter): AsyncGenerator<DocumentSummary> {
  let after: DocumentKey | undefined;
  for (;;) {
    const page = await documents.list({ ...filter, limit: pageSize, ...(after === undefined ? {} : { after }) });
    yield* page;
    after = page.at(-1)?.key;
    if (page.length < pageSize || after === undefined) return;
  }
}

// What a subscriber may see of the resources it named: entity tags of its own view, nothing of what it may not read
// (RFC 5875 clauses 4.7 and 7).
import { LRUCache } from 'lru-cache';
import { groupsAuid } from '../documents/application-usage.ts';
import type { Documents, ServedDocument } from '../documents/documents.ts';
import type { Principal } from '../identity/principal.ts';
import type { ServedUsers } from '../identity/served.ts';
import type { PartnerFacing, PartnerView } from '../interconnect/ports.ts';
import { Refusal } from '../refusals.ts';
import type { DocumentFilter, DocumentKey, DocumentSummary } from '../store/store.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { namespaces } from '../xml/names.ts';
import { OffsetIndex } from '../xml/offset-index.ts';
import type { DocumentVersion } from './document-patches.ts';
import {
  addressesOf,
  type CollectionEntry,
  isBelow,
  type Resource,
  type ResourceEntry,
  type WatchedNode,
} from './resource-entry.ts';
import { boundSelector, type VisibleNode, visibleNode } from './visible-node.ts';

/** The documents as one kind of subscriber sees them. */
export interface VisibleResources {
  /** False when nothing that the entry names can ever be told to this principal. */
  servable(principal: Principal, entry: ResourceEntry): boolean;
  /** Entity tag of the principal's view; undefined when there is none or it may not be read. */
  tag(principal: Principal, resource: Resource): Promise<string | undefined>;
  /** The document in the principal's view; undefined when there is none or it may not be read. */
  version(principal: Principal, resource: Resource): Promise<DocumentVersion | undefined>;
  /** The same of an earlier version of the document, as one commit left it. */
  versionOf(principal: Principal, resource: Resource, document: ServedDocument): Promise<DocumentVersion | undefined>;
  /** Whether a resource is there and may be read, is there and may not, or is not there. */
  standing(principal: Principal, resource: Resource): Promise<'readable' | 'withheld' | 'absent'>;
  /** An element or attribute as the principal's view has it; undefined when there is none or the document may not be read. */
  node(principal: Principal, resource: Resource, node: WatchedNode): Promise<VisibleNode | undefined>;
  /** What there is below a collection, readable or not. */
  below(principal: Principal, collection: CollectionEntry): AsyncIterable<Resource>;
}

/** What subscriptions of partners need of interconnection. */
export type PartnerGroups = Pick<PartnerFacing, 'groupForPartner' | 'groupsForPartner'>;

const pageSize = 500;
/** Default document namespace of group documents, TS 24.481 clause 7.2.5. */
const groupsNamespace = namespaces.listService;

/** The view of our own face: clients, MC service servers and administrators. */
export function ownResources(documents: Documents, served: ServedUsers): VisibleResources {
  const found = (resource: Resource): Promise<ServedDocument | undefined> =>
    resource.kind === 'group' ? documents.findGroup(resource.groupId) : documents.find(resource.key);
  const viewed = async (principal: Principal, resource: Resource): Promise<ServedDocument | undefined> => {
    const document = await found(resource);
    return document === undefined ? undefined : viewedBy(documents, principal, document);
  };
  return {
    servable(principal, entry) {
      const auid = entry.kind === 'collection' ? entry.auid : auidOf(entry.resource);
      const usage = documents.usage(auid);
      if (usage === undefined) return false;
      if (entry.kind === 'component' && boundSelector(entry.node, usage.defaultDocumentNamespace) === undefined) {
        return false;
      }
      const xui = entry.kind === 'collection' ? entry.xui : xuiOf(entry.resource);
      if (xui === undefined) return true;
      if (!served.isHomed(xui)) return false;
      // RFC 4825 5.7: but for groups, a user's documents are that user's alone
      return auid === groupsAuid || identitiesOf(principal).includes(xui);
    },
    async tag(principal, resource) {
      return (await viewed(principal, resource))?.tag;
    },
    version: viewed,
    async versionOf(principal, _resource, document) {
      return viewedBy(documents, principal, document);
    },
    async standing(principal, resource) {
      const document = await found(resource);
      if (document === undefined) return 'absent';
      return viewedBy(documents, principal, document) === undefined ? 'withheld' : 'readable';
    },
    async node(principal, resource, node) {
      const selector = boundSelector(node, documents.usage(auidOf(resource))?.defaultDocumentNamespace);
      const document = selector === undefined ? undefined : await viewed(principal, resource);
      return document === undefined || selector === undefined ? undefined : visibleNode(document.index, selector);
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
export function partnerResources(partners: PartnerGroups): VisibleResources {
  const indexes = new ViewIndexes();
  const version = async (
    principal: Principal,
    resource: Resource,
    document: ServedDocument | undefined,
  ): Promise<DocumentVersion | undefined> => {
    if (principal.role !== 'partner' || resource.kind !== 'group') return undefined;
    const view = await unlessRefused(() => partners.groupForPartner(principal, resource.groupId, document));
    return view === undefined ? undefined : { tag: view.tag, index: indexes.of(view) };
  };
  return {
    servable(_principal, entry) {
      if (entry.kind === 'collection') return entry.auid === groupsAuid && entry.tree === 'global';
      if (entry.kind === 'component' && boundSelector(entry.node, groupsNamespace) === undefined) return false;
      return entry.resource.kind === 'group';
    },
    async tag(principal, resource) {
      if (principal.role !== 'partner' || resource.kind !== 'group') return undefined;
      return (await unlessRefused(() => partners.groupForPartner(principal, resource.groupId)))?.tag;
    },
    version: (principal, resource) => version(principal, resource, undefined),
    versionOf: version,
    async standing(principal, resource) {
      if (principal.role !== 'partner' || resource.kind !== 'group') return 'absent';
      try {
        await partners.groupForPartner(principal, resource.groupId);
        return 'readable';
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        return error.code === 'group-not-homed-here' ? 'absent' : 'withheld';
      }
    },
    async node(principal, resource, node) {
      if (principal.role !== 'partner' || resource.kind !== 'group') return undefined;
      const selector = boundSelector(node, groupsNamespace);
      const view = await unlessRefused(() => partners.groupForPartner(principal, resource.groupId));
      return view === undefined || selector === undefined ? undefined : visibleNode(indexes.of(view), selector);
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

/** Indexes of partners' views: several components of one view are looked up together. */
class ViewIndexes {
  readonly #known = new LRUCache<string, OffsetIndex>({ max: 16 });

  of({ groupId, tag, bytes }: PartnerView): OffsetIndex {
    const key = `${groupId} ${tag}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const index = OffsetIndex.of(bytes, { ...defaultXmlLimits, documentBytes: Number.POSITIVE_INFINITY });
    this.#known.set(key, index);
    return index;
  }
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

function viewedBy(documents: Documents, principal: Principal, document: ServedDocument): ServedDocument | undefined {
  try {
    return documents.view(principal, document);
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

async function unlessRefused<View>(act: () => Promise<View>): Promise<View | undefined> {
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
    // A store in this process answers without leaving the microtask queue: others get their turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

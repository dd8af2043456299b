// The document service: what every other room uses to read and write documents. Puts the parts of this room together.

import type { SystemConfiguration } from '../config/schema.ts';
import type { Principal } from '../identity/principal.ts';
import type { ServedUsers } from '../identity/served.ts';
import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { DocumentFilter, DocumentKey, DocumentSummary, SourceRecord, Store } from '../store/store.ts';
import type { GroupFacts } from '../xml/group-document.ts';
import type { XmlLimits } from '../xml/limits.ts';
import type { SchemaLibrary } from '../xml/schema.ts';
import { AllocatedUris, type AllocatedUrisOptions } from './allocated-uris.ts';
import { type ApplicationUsage, builtInUsages, groupsAuid, rlsServicesAuid } from './application-usage.ts';
import { DocumentCache } from './cache.ts';
import { Committer } from './committer.ts';
import { ComposedDocuments } from './composed.ts';
import { canonicalKey } from './document-key.ts';
import type {
  ChangeEvent,
  DeliveriesOf,
  Documents,
  ForeignGroup,
  ForeignPutOutcome,
  NodeAddress,
  Preconditions,
  PutOutcome,
  ServedDocument,
} from './documents.ts';
import { ForeignGroups } from './foreign-groups.ts';
import { DocumentJudge } from './judge.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { NodeWriter } from './node-writer.ts';
import { type Overlay, type OverlayChange, overlayKind, readOverlay } from './overlay.ts';
import { type BindsBothSystems, OverlayWriter } from './overlay-writer.ts';
import { DocumentReader } from './reader.ts';
import { maySearch } from './rights.ts';
import { serviceUris } from './rls-services-constraints.ts';
import { viewOf } from './view.ts';
import { DocumentWriter, groupIdsOf, type WriterOptions } from './writer.ts';

export interface DocumentServiceOptions {
  readonly store: Store;
  readonly schemas: Pick<SchemaLibrary, 'read' | 'examine' | 'prepare' | 'scan'>;
  /** Must contain the usage of group documents; default: the built-in ones. */
  readonly usages?: readonly ApplicationUsage[] | undefined;
  readonly limits: XmlLimits;
  /** Bound of the memory for documents, bytes; 0 = keep none. */
  readonly cacheBytes: number;
  readonly served: ServedUsers;
  readonly system: Pick<SystemConfiguration, 'domains'>;
  /** Accept attribute bodies without quotes, as older clients send them; default: refuse. */
  readonly bareAttributeValues?: boolean | undefined;
  /** What local edits of foreign groups must leave as it is; default: nothing. */
  readonly bindsBothSystems?: BindsBothSystems | undefined;
  readonly now?: (() => Date) | undefined;
  /** Told what a change listener throws; default: rethrown outside the write. */
  readonly report?: ((error: unknown) => void) | undefined;
}

export class DocumentService implements Documents {
  readonly usages: readonly ApplicationUsage[];
  readonly #usages: ReadonlyMap<string, ApplicationUsage>;
  readonly #store: Store;
  readonly #served: ServedUsers;
  readonly #now: () => Date;
  readonly #cache: DocumentCache;
  readonly #reader: DocumentReader;
  readonly #composed: ComposedDocuments;
  readonly #committer: Committer;
  readonly #judge: DocumentJudge;
  readonly #writer: DocumentWriter;
  readonly #nodes: NodeWriter;
  readonly #foreign: ForeignGroups;
  readonly #groups: ApplicationUsage;
  #deliveriesOf: DeliveriesOf | undefined;

  /** Throws Error when the usages leave out group documents. */
  constructor(options: DocumentServiceOptions) {
    const { store, served } = options;
    this.usages = options.usages ?? builtInUsages;
    this.#usages = new Map(this.usages.map((usage) => [usage.auid, usage]));
    const groups = this.#usages.get(groupsAuid);
    if (groups === undefined) throw new Error(`the application usage ${groupsAuid} is missing`);
    this.#groups = groups;
    this.#store = store;
    this.#served = served;
    this.#now = options.now ?? (() => new Date());
    this.#cache = new DocumentCache(options.cacheBytes);
    this.#reader = new DocumentReader(store, this.#cache, served);
    this.#composed = new ComposedDocuments({ store, served, usages: this.usages, now: this.#now });
    this.#committer = new Committer(store, this.#cache, options.report ?? rethrowOutside);
    this.#judge = new DocumentJudge(options.schemas, options.limits);
    const shared = {
      reader: this.#reader,
      committer: this.#committer,
      judge: this.#judge,
      queue: new KeyedQueue(),
      served,
      now: this.#now,
    };
    const allocated = allocatedBy({ store, document: (key) => this.#reader.document(key) });
    this.#committer.onChange((event) => {
      for (const uris of Object.values(allocated)) uris.changed(event);
    });
    this.#writer = new DocumentWriter({
      ...shared,
      allocated,
      domain: options.system.domains[0] ?? '',
      usage: (auid) => this.usage(auid),
      deliveriesOf: async (change) => (await this.#deliveriesOf?.(change)) ?? [],
    });
    const overlays = new OverlayWriter({
      ...shared,
      store,
      usage: groups,
      limits: options.limits,
      bindsBothSystems: options.bindsBothSystems ?? (() => undefined),
    });
    this.#nodes = new NodeWriter((key) => (overlays.isFor(key) ? overlays : this.#writer), {
      limits: options.limits,
      bareAttributeValues: options.bareAttributeValues,
      scan: (bytes, limits) => options.schemas.scan(bytes, limits),
    });
    this.#foreign = new ForeignGroups({
      ...shared,
      store,
      usage: groups,
      limits: options.limits,
      bindsBothSystems: options.bindsBothSystems ?? (() => undefined),
    });
  }

  /** Starts early what the first group documents would wait for; resolves when it is ready. */
  prepare(): Promise<void> {
    return this.#judge.prepare(this.#groups);
  }

  /** Bytes that the cache holds now, for metrics. */
  get cachedBytes(): number {
    return this.#cache.size;
  }

  usage(auid: string): ApplicationUsage | undefined {
    return this.#usages.get(auid);
  }

  async find(key: DocumentKey): Promise<ServedDocument | undefined> {
    const usage = this.#usages.get(key.auid);
    if (usage === undefined) return undefined;
    return usage.composed ? this.#composed.find(key) : this.#reader.find(key);
  }

  findGroup(groupId: string): Promise<ServedDocument | undefined> {
    return this.#reader.findGroup(groupId);
  }

  list(filter: DocumentFilter): Promise<readonly DocumentSummary[]> {
    return this.#store.documents(filter);
  }

  async findSource(groupId: string): Promise<SourceRecord | undefined> {
    const canonical = canonicalUri(groupId);
    return canonical === undefined ? undefined : this.#store.source(canonical);
  }

  view(principal: Principal, document: ServedDocument): ServedDocument {
    return viewOf(principal, document, this.#served, this.#now());
  }

  async read(principal: Principal, key: DocumentKey): Promise<ServedDocument> {
    const document = await this.find(key);
    if (document !== undefined) return this.view(principal, document);
    throw new Refusal(maySearch(principal, canonicalKey(key, this.#served) ?? key) ? 'not-found' : 'forbidden');
  }

  put(
    principal: Principal,
    key: DocumentKey,
    body: Uint8Array | (() => Promise<Uint8Array>),
    preconditions: Preconditions,
  ): Promise<PutOutcome> {
    return this.#writer.put(principal, key, body, preconditions);
  }

  delete(principal: Principal, key: DocumentKey, preconditions: Preconditions): Promise<void> {
    return this.#writer.delete(principal, key, preconditions);
  }

  putNode(
    principal: Principal,
    key: DocumentKey,
    node: NodeAddress,
    body: () => Promise<Uint8Array>,
    preconditions: Preconditions,
  ): Promise<PutOutcome> {
    return this.#nodes.put(principal, key, node, body, preconditions);
  }

  deleteNode(principal: Principal, key: DocumentKey, node: NodeAddress, preconditions: Preconditions): Promise<string> {
    return this.#nodes.delete(principal, key, node, preconditions);
  }

  putForeign(group: ForeignGroup, preconditions: Preconditions): Promise<ForeignPutOutcome> {
    return this.#foreign.put(group, preconditions);
  }

  deleteForeign(groupId: string, actor: string, preconditions: Preconditions): Promise<void> {
    return this.#foreign.delete(groupId, actor, preconditions);
  }

  markStale(groupId: string, since: string | undefined): Promise<void> {
    return this.#foreign.markStale(groupId, since);
  }

  async overlay(groupId: string): Promise<Overlay> {
    return readOverlay(await this.#store.record(overlayKind, canonicalUri(groupId) ?? groupId));
  }

  previewForeign(groupId: string, derived: Uint8Array): Promise<{ readonly tag: string; readonly conflicts: number }> {
    return this.#foreign.preview(groupId, derived);
  }

  changeOverlay(groupId: string, change: OverlayChange, actor: string): Promise<void> {
    return this.#foreign.changeOverlay(canonicalUri(groupId) ?? groupId, change, actor);
  }

  async checkGroup(groupId: string, bytes: Uint8Array): Promise<GroupFacts> {
    return (await this.#judge.judgeGroup(this.#groups, groupId, bytes)).group;
  }

  onChange(listener: (event: ChangeEvent) => void): () => void {
    return this.#committer.onChange(listener);
  }

  /** Throws Error when called twice. */
  causeDeliveries(deliveriesOf: DeliveriesOf): void {
    if (this.#deliveriesOf !== undefined) throw new Error('deliveries are caused by one room only');
    this.#deliveriesOf = deliveriesOf;
  }
}

function allocatedBy(source: Pick<AllocatedUrisOptions, 'store' | 'document'>): WriterOptions['allocated'] {
  return {
    services: new AllocatedUris({
      ...source,
      auid: rlsServicesAuid,
      urisOf: ({ index }) => serviceUris(index).map(({ uri }) => uri),
    }),
    groups: new AllocatedUris({
      ...source,
      auid: groupsAuid,
      urisOf: ({ groupId, group }) => (groupId === undefined ? groupIdsOf(group) : []),
    }),
  };
}

function rethrowOutside(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

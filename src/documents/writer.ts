// The one write path of documents in our own trees: rights, preconditions, content, consequences, commit.

import { type Principal, principalName } from '../identity/principal.ts';
import type { ServedUsers } from '../identity/served.ts';
import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { Commit, DeliveryRequest, DocumentKey, JournalEntry } from '../store/store.ts';
import type { EarlierGroup, GroupFacts } from '../xml/group-document.ts';
import type { EditedDocument } from '../xml/node-edit.ts';
import type { NodeSelector } from '../xml/node-selector.ts';
import type { AllocatedUris } from './allocated-uris.ts';
import { alternativeGroupIds } from './alternatives.ts';
import { type ApplicationUsage, groupsAuid, rlsServicesAuid } from './application-usage.ts';
import type { MemoryDocument } from './cache.ts';
import type { Committer, Effect } from './committer.ts';
import { addressedGroup, canonicalKey, homeUri, keyPath, keyText } from './document-key.ts';
import type { DeliveriesOf, PendingGroupChange, Preconditions, PutOutcome } from './documents.ts';
import { entityTag, preconditionsHold } from './entity-tag.ts';
import { groupIdRefusal } from './group-constraints.ts';
import type { DocumentJudge, Judged } from './judge.ts';
import type { KeyedQueue } from './keyed-queue.ts';
import { nodePath } from './node-path.ts';
import type { DocumentReader } from './reader.ts';
import { isLimited, mayWrite, mayWriteGroups } from './rights.ts';
import { checkRlsServices, serviceUris } from './rls-services-constraints.ts';

/** How often a write that another process has overtaken starts again. */
const attempts = 5;

export interface WriterOptions {
  readonly reader: DocumentReader;
  readonly committer: Committer;
  readonly judge: DocumentJudge;
  readonly queue: KeyedQueue;
  readonly served: ServedUsers;
  readonly allocated: {
    /** Service URIs of rls-services documents. */
    readonly services: AllocatedUris;
    /** Group IDs of documents that have several; the store knows those of the others. */
    readonly groups: AllocatedUris;
  };
  /** Our first domain, in which alternatives to refused group IDs are offered. */
  readonly domain: string;
  readonly now: () => Date;
  readonly usage: (auid: string) => ApplicationUsage | undefined;
  readonly deliveriesOf: DeliveriesOf;
}

/** The document that an edit is about. */
export interface FoundDocument {
  readonly usage: ApplicationUsage;
  /** Canonical. */
  readonly key: DocumentKey;
  /** Undefined when there is none. */
  readonly document: MemoryDocument | undefined;
}

/** An edit of a part of a document. */
export interface DocumentEdit {
  readonly action: 'node-put' | 'node-delete';
  /** The part, for the journal. */
  readonly node: string;
  /** The part as it is found there. */
  readonly selector: (found: FoundDocument) => NodeSelector;
  /** Makes the new document of what is there, as often as somebody else was faster. Throws the Refusal of the first broken rule. */
  readonly apply: (found: FoundDocument) => Promise<EditedDocument>;
}

/** A document to store, checked as far as its content goes. */
interface Candidate {
  readonly key: DocumentKey;
  readonly bytes: Uint8Array;
  readonly tag: string;
  readonly judged: Judged;
}

export class DocumentWriter {
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Creates or replaces a document; see Documents.put. */
  async put(
    principal: Principal,
    address: DocumentKey,
    body: Uint8Array | (() => Promise<Uint8Array>),
    preconditions: Preconditions,
  ): Promise<PutOutcome> {
    const { usage, key } = this.#target(address);
    checkName(key);
    const before = await this.#current(principal, key, preconditions);
    const given = typeof body === 'function' ? await body() : body;
    this.#options.judge.checkSize(given);
    // The caller's buffer may be part of a pool, and nobody may change what is stored.
    const bytes = new Uint8Array(given);
    const tag = entityTag(bytes);
    if (before?.tag === tag) return { created: false, changed: false, tag };
    const judged = await this.#options.judge.judge(usage, bytes);
    if (usage.auid === groupsAuid) await this.#checkGroupIds(principal, judged);
    const candidate = { key, bytes, tag, judged };
    return this.#options.queue.run(keyText(key), () => this.#store(principal, candidate, preconditions));
  }

  /** Deletes a document; see Documents.delete. */
  async delete(principal: Principal, address: DocumentKey, preconditions: Preconditions): Promise<void> {
    const { key } = this.#target(address);
    await this.#options.queue.run(keyText(key), async () => {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const before = await this.#held(principal, key);
        if (before === undefined) throw new Refusal('not-found');
        if (!preconditionsHold(preconditions, before.tag)) throw new Refusal('precondition-failed');
        const deliveries = await this.#deliveries(before);
        const entry = this.#journal(principal, 'document-delete', before, { tag: before.tag });
        if (await this.#commit({ key, previous: before }, deliveries, entry)) return;
      }
      throw overtaken();
    });
  }

  /** The document that a principal may write. Throws Refusal `forbidden`, and those of an address that nobody can write. */
  async look(principal: Principal, address: DocumentKey): Promise<FoundDocument> {
    const { usage, key } = this.#target(address);
    return { usage, key, document: await this.#held(principal, key) };
  }

  /** Replaces a document by what an edit makes of it; edits of one document follow each other, so that none is lost. */
  async edit(principal: Principal, address: DocumentKey, edit: DocumentEdit): Promise<PutOutcome> {
    const { usage, key } = this.#target(address);
    return this.#options.queue.run(keyText(key), async () => {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const document = await this.#held(principal, key);
        const edited = await edit.apply({ usage, key, document });
        if (!edited.changed && document !== undefined) return { created: false, changed: false, tag: document.tag };
        const { bytes, created } = edited;
        const earlier = (): EarlierGroup | undefined => {
          const group = document?.group;
          return document && group && { index: document.index, group, edit: edited.edit };
        };
        const judged = await this.#options.judge.judge(usage, bytes, { index: edited.index, earlier });
        if (usage.auid === groupsAuid) await this.#checkGroupIds(principal, judged);
        const candidate = { key, bytes, tag: entityTag(bytes), judged };
        if (await this.#replace(principal, candidate, document, edit))
          return { created, changed: true, tag: candidate.tag };
      }
      throw overtaken();
    });
  }

  /** The usage and the canonical key that a write addresses. */
  #target(address: DocumentKey): { readonly usage: ApplicationUsage; readonly key: DocumentKey } {
    const usage = this.#options.usage(address.auid);
    if (usage === undefined) throw new Refusal('unknown-application-usage');
    if (usage.composed) throw new Refusal('method-not-allowed', { allow: ['GET', 'HEAD'] });
    const key = canonicalKey(address, this.#options.served);
    if (key === undefined) throw new Refusal('unknown-xui');
    // TS 24.481 7.2.10: the address by group ID is for reading; groups are written where they live.
    if (addressedGroup(key) !== undefined) throw new Refusal('method-not-allowed', { allow: ['GET', 'HEAD', 'POST'] });
    return { usage, key };
  }

  /** What is there now, when the principal may write it. Rights come first, also before existence. */
  async #held(principal: Principal, key: DocumentKey): Promise<MemoryDocument | undefined> {
    if (!mayWrite(principal, key)) throw new Refusal('forbidden');
    const current = await this.#options.reader.document(key);
    // Whoever may write any group need not know which these are
    if (!isLimited(principal) || current?.group === undefined) return current;
    if (!mayWriteGroups(principal, groupIdsOf(current.group))) throw new Refusal('forbidden');
    return current;
  }

  /** What is there now, when the principal may write it and the preconditions hold. */
  async #current(
    principal: Principal,
    key: DocumentKey,
    preconditions: Preconditions,
  ): Promise<MemoryDocument | undefined> {
    const current = await this.#held(principal, key);
    if (!preconditionsHold(preconditions, current?.tag)) throw new Refusal('precondition-failed');
    return current;
  }

  async #store(principal: Principal, candidate: Candidate, preconditions: Preconditions): Promise<PutOutcome> {
    const { key, tag } = candidate;
    for (let attempt = 0; attempt < attempts; attempt++) {
      // Asked again: until now others may have written.
      const before = await this.#current(principal, key, preconditions);
      if (before?.tag === tag) return { created: false, changed: false, tag };
      if (await this.#replace(principal, candidate, before))
        return { created: before === undefined, changed: true, tag };
    }
    throw overtaken();
  }

  /** Stores a candidate in place of `before`; false when another process was faster. */
  async #replace(
    principal: Principal,
    candidate: Candidate,
    before: MemoryDocument | undefined,
    edit?: DocumentEdit,
  ): Promise<boolean> {
    const { key, bytes, tag, judged } = candidate;
    const groupId = judged.groupIds.length === 1 ? judged.groupIds[0] : undefined;
    const deliveries = await this.#deliveries(before, groupId, judged);
    const detail = {
      tag,
      size: bytes.byteLength,
      ...(before === undefined ? {} : { replaced: before.tag }),
      ...(edit === undefined ? {} : { node: edit.node }),
    };
    const entry = this.#journal(principal, edit?.action ?? 'document-put', { key, groupId }, detail);
    const effect: Effect = { key, previous: before, stored: { tag, bytes, groupId }, known: judged.known };
    const commit = (): Promise<boolean> => this.#commit(effect, deliveries, entry, principal);
    if (key.auid === groupsAuid) return this.#withUniqueGroupIds(principal, candidate, commit);
    if (key.auid !== rlsServicesAuid) return commit();
    // RFC 4826 4.4.5: a service URI is unique in the whole server, so these documents are written one after the other.
    return this.#options.queue.run(rlsServicesAuid, async () => {
      await this.#checkServiceUris(candidate);
      return commit();
    });
  }

  /** A group ID is unique in the system: a document with several groups shares none with others. */
  #withUniqueGroupIds(
    principal: Principal,
    { key, judged }: Candidate,
    commit: () => Promise<boolean>,
  ): Promise<boolean> {
    const { reader, allocated, queue } = this.#options;
    const several = judged.groupIds.length > 1;
    const isTaken = async (groupId: string): Promise<boolean> => {
      if (await allocated.groups.isTaken(groupId, key)) return true;
      const holder = several ? (await reader.findGroup(groupId))?.key : undefined;
      return holder !== undefined && keyText(holder) !== keyText(key);
    };
    const checked = async (): Promise<boolean> => {
      for (const groupId of judged.groupIds) {
        if (!(await isTaken(groupId))) continue;
        const alternatives = await this.#alternatives(principal, groupId);
        throw groupIdRefusal('Another group has this ID already', alternatives, fieldOf(judged, groupId));
      }
      return commit();
    };
    // Such documents are rare, so they are written one after the other
    return several ? queue.run(groupsAuid, checked) : checked();
  }

  async #checkServiceUris({ key, judged }: Candidate): Promise<void> {
    checkRlsServices(judged.index, key);
    const { allocated, domain } = this.#options;
    for (const { uri, field } of serviceUris(judged.index)) {
      if (!(await allocated.services.isTaken(uri, key))) continue;
      const free = async (candidate: string): Promise<boolean> => !(await allocated.services.isTaken(candidate, key));
      const altValues = await alternativeGroupIds(uri, domain, free);
      throw new Refusal('uniqueness-failure', { exists: [{ field, altValues }] });
    }
  }

  /** True when committed, false when another process was faster. Throws Refusal `uniqueness-failure` for a group ID in use elsewhere. */
  async #commit(
    effect: Effect,
    deliveries: readonly DeliveryRequest[],
    entry: JournalEntry,
    principal?: Principal,
  ): Promise<boolean> {
    const consequences: Commit = {
      deliveries: deliveries.map((delivery) => ({ write: 'queue', delivery })),
      journal: [entry],
    };
    const outcome = await this.#options.committer.commit(effect, consequences);
    if (outcome.outcome === 'taken') {
      const alternatives = principal === undefined ? [] : await this.#alternatives(principal, outcome.groupId);
      throw groupIdRefusal('Another group has this ID already', alternatives);
    }
    return outcome.outcome === 'committed';
  }

  /** TS 24.481 6.3.2.3: an administrator names groups within its patterns and within our domains. */
  async #checkGroupIds(principal: Principal, judged: Judged): Promise<void> {
    const { groupIds } = judged;
    if (!mayWriteGroups(principal, groupIds)) throw new Refusal('forbidden');
    const strange = groupIds.find((groupId) => !this.#options.served.isHomed(groupId));
    if (strange === undefined) return;
    const phrase = 'The group ID does not belong to a domain of this system';
    throw groupIdRefusal(phrase, await this.#alternatives(principal, strange), fieldOf(judged, strange));
  }

  #alternatives(principal: Principal, groupId: string): Promise<readonly string[]> {
    const { domain, reader, allocated } = this.#options;
    return alternativeGroupIds(groupId, domain, async (candidate) => {
      if (!mayWriteGroups(principal, [candidate]) || (await allocated.groups.isTaken(candidate))) return false;
      return (await reader.findGroup(candidate)) === undefined;
    });
  }

  /** A document that takes another group ID deletes one group and creates another. Facts are read when somebody looks at them. */
  async #deliveries(
    before: MemoryDocument | undefined,
    groupId?: string,
    after?: Pick<Judged, 'group'>,
  ): Promise<readonly DeliveryRequest[]> {
    const { deliveriesOf } = this.#options;
    const deliveries: DeliveryRequest[] = [];
    if (before?.groupId !== undefined && before.groupId !== groupId) {
      deliveries.push(...(await deliveriesOf(pendingChange(before.groupId, before, undefined))));
    }
    if (groupId !== undefined) {
      const former = before?.groupId === groupId ? before : undefined;
      deliveries.push(...(await deliveriesOf(pendingChange(groupId, former, after))));
    }
    return deliveries;
  }

  #journal(
    principal: Principal,
    action: 'document-put' | 'document-delete' | DocumentEdit['action'],
    document: Pick<MemoryDocument, 'key' | 'groupId'>,
    detail: NonNullable<JournalEntry['detail']>,
  ): JournalEntry {
    const path = keyPath(document.key);
    return {
      at: this.#options.now().toISOString(),
      actor: principalName(principal),
      action,
      subject: document.groupId ?? path,
      detail: { path, ...detail },
    };
  }
}

function pendingChange(
  groupId: string,
  before: Pick<Judged, 'group'> | undefined,
  after: Pick<Judged, 'group'> | undefined,
): PendingGroupChange {
  return {
    groupId,
    get before() {
      return before?.group;
    },
    get after() {
      return after?.group;
    },
  };
}

/** Canonical IDs of the groups of a document. */
export function groupIdsOf(group: GroupFacts | undefined): readonly string[] {
  return (group?.listServices ?? []).map(({ uri }) => canonicalUri(uri) ?? uri);
}

/** RFC 4825 11.1: where a group ID stands in a document that may have several. */
function fieldOf({ index, group }: Judged, groupId: string): string | undefined {
  const listService = group?.listServices[groupIdsOf(group).indexOf(groupId)];
  return listService && nodePath(index, listService.element, 'uri');
}

function overtaken(): Refusal {
  return new Refusal('unavailable', { retryAfter: 1, cause: 'other writers were faster each time' });
}

const longestName = 1024;

/** RFC 4825 6.2 and 8.2.1: a document lies in its home directory; there are no sub-directories to put it into. */
function checkName(key: DocumentKey): void {
  const { name } = key;
  if (name === '' || name.length > longestName || /[\p{Cc}\p{Cs}]/u.test(name)) {
    throw new Refusal('bad-request', { phrase: 'The document has no usable name' });
  }
  if (name.includes('/')) {
    throw new Refusal('no-parent', { ancestor: homeUri(key) });
  }
}

// Documents in memory for tests of the faces: no schema, no rights but ownership, real tags and preconditions.
import { type ApplicationUsage, builtInUsages } from '../documents/application-usage.ts';
import type { Documents, Preconditions, PutOutcome, ServedDocument } from '../documents/documents.ts';
import { entityTag, preconditionsHold } from '../documents/entity-tag.ts';
import type { Principal } from '../identity/principal.ts';
import type { OwnFacing } from '../interconnect/ports.ts';
import { Refusal } from '../refusals.ts';
import type { DocumentKey } from '../store/store.ts';

export interface MemoryDocuments {
  readonly documents: Documents;
  readonly groups: Pick<OwnFacing, 'group'>;
  /** Stores without asking; returns the tag. */
  store(key: DocumentKey, text: string, groupId?: string): string;
  /** Text stored at a key. */
  text(key: DocumentKey): string | undefined;
  /** Makes the next read fail with this. */
  failWith(error: unknown): void;
  /** Makes reads wait until the returned function is called. */
  hold(): () => void;
}

export function memoryDocuments(): MemoryDocuments {
  const stored = new Map<string, ServedDocument>();
  let failure: unknown;
  let held: Promise<void> = Promise.resolve();
  const at = (key: DocumentKey): string => JSON.stringify([key.auid, key.tree, key.xui, key.name]);
  const usage = (auid: string): ApplicationUsage | undefined => builtInUsages.find((one) => one.auid === auid);

  function store(key: DocumentKey, text: string, groupId?: string): string {
    const bytes = Buffer.from(text);
    const tag = entityTag(bytes);
    const document = { key, bytes, tag, groupId, modified: '2026-01-01T00:00:00Z' };
    stored.set(at(key), document as unknown as ServedDocument);
    return tag;
  }

  async function read(found: ServedDocument | undefined): Promise<ServedDocument | undefined> {
    await held;
    if (failure !== undefined) throw failure;
    return found;
  }

  function checkOwner(principal: Principal, key: DocumentKey): void {
    const owns = principal.role === 'client' && principal.identities.includes(key.xui);
    if (key.tree === 'users' && principal.role === 'client' && !owns) throw new Refusal('forbidden');
  }

  const findGroup = (groupId: string): ServedDocument | undefined =>
    [...stored.values()].find((document) => document.groupId === groupId);

  const documents = {
    usage,
    usages: builtInUsages,
    find: async (key: DocumentKey) => read(stored.get(at(key))),
    findGroup: async (groupId: string) => read(findGroup(groupId)),
    view(principal: Principal, document: ServedDocument) {
      checkOwner(principal, document.key);
      return document;
    },
    async read(principal: Principal, key: DocumentKey): Promise<ServedDocument> {
      const found = await read(stored.get(at(key)));
      checkOwner(principal, key);
      if (found === undefined) throw new Refusal('not-found');
      return found;
    },
    async put(
      principal: Principal,
      key: DocumentKey,
      bringBody: () => Promise<Uint8Array>,
      preconditions: Preconditions,
    ): Promise<PutOutcome> {
      checkOwner(principal, key);
      if (key.name.includes('/')) throw new Refusal('no-parent', { ancestor: key.xui });
      const before = stored.get(at(key));
      if (!preconditionsHold(preconditions, before?.tag)) throw new Refusal('precondition-failed');
      const body = await bringBody();
      const text = Buffer.from(body).toString();
      if (!text.startsWith('<')) throw new Refusal('not-well-formed');
      if (text.includes('taken')) {
        throw new Refusal('uniqueness-failure', {
          exists: [{ field: 'group/list-service/@uri', altValues: ['sip:free@x'] }],
        });
      }
      const tag = store(key, text);
      return { created: before === undefined, changed: tag !== before?.tag, tag };
    },
    async delete(principal: Principal, key: DocumentKey, preconditions: Preconditions): Promise<void> {
      checkOwner(principal, key);
      const before = stored.get(at(key));
      if (before === undefined) throw new Refusal('not-found');
      if (!preconditionsHold(preconditions, before.tag)) throw new Refusal('precondition-failed');
      stored.delete(at(key));
    },
  };

  return {
    documents: documents as unknown as Documents,
    groups: {
      async group(principal, groupId) {
        const found = await read(findGroup(groupId));
        if (found === undefined) throw new Refusal('not-found');
        return documents.view(principal, found);
      },
    },
    store,
    text(key) {
      const found = stored.get(at(key));
      return found === undefined ? undefined : Buffer.from(found.bytes).toString();
    },
    failWith(error) {
      failure = error;
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return resolve;
    },
  };
}

// Node edits of foreign groups by local administrators: each changes the served document and becomes a part of the group's overlay,
// in one commit. The source stays as its home gave it; nothing of an overlay ever leaves for there.

import { type Principal, principalName } from '../identity/principal.ts';
import { Refusal } from '../refusals.ts';
import type { DocumentKey, Store } from '../store/store.ts';
import type { XmlLimits } from '../xml/limits.ts';
import type { EditedDocument } from '../xml/node-edit.ts';
import type { NodeSelector } from '../xml/node-selector.ts';
import type { OffsetIndex } from '../xml/offset-index.ts';
import { selectNode } from '../xml/select.ts';
import { type DiffLimits, diffDocuments, operationOfEdit, type PatchOperation } from '../xml/xml-diff.ts';
import { applyPatch } from '../xml/xml-patch.ts';
import type { ApplicationUsage } from './application-usage.ts';
import type { MemoryDocument } from './cache.ts';
import type { Committer } from './committer.ts';
import { addressedGroup, canonicalKey, keyPath, keyText } from './document-key.ts';
import type { PutOutcome } from './documents.ts';
import { entityTag } from './entity-tag.ts';
import { groupIdRefusal } from './group-constraints.ts';
import type { DocumentJudge, Judged } from './judge.ts';
import type { KeyedQueue } from './keyed-queue.ts';
import { overlayKind, readOverlay, withEdit, writeOverlay } from './overlay.ts';
import type { DocumentReader } from './reader.ts';
import { mayWriteGroups } from './rights.ts';
import type { DocumentEdit, FoundDocument } from './writer.ts';

const attempts = 5;

/** One edit is kept whatever it costs within reason; several at once come only from what one operation cannot say. */
const diffLimits: DiffLimits = {
  operations: 16,
  patchBytes: 512 * 1024,
  applyBytes: 64 * 1024 * 1024,
  alignmentCells: 4096,
};

/** Bytes that replaying all edits of a group may go through. */
const mostReplayed = 64 * 1024 * 1024;

/** Tells the part that binds both systems and that differs; undefined when none does. */
export type BindsBothSystems = (before: OffsetIndex, after: OffsetIndex) => string | undefined;

export interface OverlayWriterOptions {
  readonly store: Pick<Store, 'source' | 'record'>;
  readonly reader: DocumentReader;
  readonly committer: Committer;
  readonly judge: DocumentJudge;
  readonly queue: KeyedQueue;
  readonly served: { isHomed(uri: string): boolean; isServed(identity: string): boolean };
  readonly now: () => Date;
  readonly limits: XmlLimits;
  /** The usage of group documents. */
  readonly usage: ApplicationUsage;
  readonly bindsBothSystems: BindsBothSystems;
}

export class OverlayWriter {
  readonly #options: OverlayWriterOptions;

  constructor(options: OverlayWriterOptions) {
    this.#options = options;
  }

  /** Whether edits of this address go into an overlay: the group has its home elsewhere. */
  isFor(address: DocumentKey): boolean {
    const groupId = addressedGroup(address);
    return groupId !== undefined && !this.#options.served.isHomed(groupId);
  }

  /** The served copy that a local administrator may edit. Throws Refusal `method-not-allowed`, `forbidden`. */
  async look(principal: Principal, address: DocumentKey): Promise<FoundDocument> {
    const { key } = this.#target(principal, address);
    return { usage: this.#options.usage, key, document: await this.#options.reader.document(key) };
  }

  /** Edits the served copy of a foreign group; see DocumentWriter.edit. */
  async edit(principal: Principal, address: DocumentKey, edit: DocumentEdit): Promise<PutOutcome> {
    const { queue, reader, usage } = this.#options;
    const { key, groupId } = this.#target(principal, address);
    return queue.run(keyText(key), async () => {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const document = await reader.document(key);
        const found = { usage, key, document };
        const edited = await edit.apply(found);
        if (document === undefined) throw new Refusal('not-found');
        if (!edited.changed) return { created: false, changed: false, tag: document.tag };
        const operations = this.#operations(document.index, edited, edit.selector(found));
        const candidate = await this.#candidate(groupId, document, edited, operations);
        if (candidate.tag === document.tag) return { created: false, changed: false, tag: document.tag };
        if (await this.#commit(principal, { key, groupId, document, edit, operations }, candidate))
          return { created: edited.created, changed: true, tag: candidate.tag };
      }
      throw new Refusal('unavailable', { retryAfter: 1, cause: 'other writers were faster each time' });
    });
  }

  #target(principal: Principal, address: DocumentKey): { readonly key: DocumentKey; readonly groupId: string } {
    const key = canonicalKey(address, this.#options.served);
    const groupId = key && addressedGroup(key);
    if (key === undefined || groupId === undefined) throw new Refusal('unknown-xui');
    // On our own faces a group by its ID is for reading; only local administrators have more.
    if (principal.role !== 'administrator')
      throw new Refusal('method-not-allowed', { allow: ['GET', 'HEAD', 'OPTIONS'] });
    if (!mayWriteGroups(principal, [groupId])) throw new Refusal('forbidden');
    return { key, groupId };
  }

  /** RFC 5261 operations that say what the edit did, by names and keys as far as there are any, so that they still apply later. */
  #operations(before: OffsetIndex, edited: EditedDocument, selector: NodeSelector): readonly PatchOperation[] {
    const operation = operationOfEdit(before, edited.index, selector, diffLimits);
    if (operation !== undefined) return [atEndOfParent(operation, edited, selector)];
    const operations = diffDocuments(before, edited.index, diffLimits);
    if (operations !== undefined && operations.length > 0) return operations;
    throw new Refusal('constraint-failure', { phrase: 'The change cannot be kept as a local edit of this group' });
  }

  /** The document as replaying the operations makes it: what is served must be what every later derivation brings again. */
  async #candidate(
    groupId: string,
    document: MemoryDocument,
    edited: EditedDocument,
    operations: readonly PatchOperation[],
  ): Promise<{ readonly bytes: Uint8Array; readonly tag: string; readonly judged: Judged }> {
    const { judge, limits, bindsBothSystems, usage } = this.#options;
    const outcome = applyPatch(document.index, operations, { xml: limits, workBytes: diffLimits.applyBytes });
    if ('failure' in outcome) throw new Refusal('constraint-failure', { phrase: outcome.failure.phrase });
    const bytes = outcome.patched;
    const { group } = document;
    const isAsEdited = Buffer.compare(bytes, edited.bytes) === 0;
    const judged = await judge.judge(
      usage,
      bytes,
      isAsEdited
        ? { index: edited.index, earlier: () => group && { index: document.index, group, edit: edited.edit } }
        : undefined,
    );
    if (judged.groupIds.length !== 1 || judged.groupIds[0] !== groupId) {
      throw groupIdRefusal('The ID of a group of another system stays as it is', [groupId]);
    }
    const bound = bindsBothSystems(document.index, judged.index);
    if (bound !== undefined) throw bindingRefusal(bound);
    return { bytes, tag: entityTag(bytes), judged };
  }

  async #commit(
    principal: Principal,
    about: {
      readonly key: DocumentKey;
      readonly groupId: string;
      readonly document: MemoryDocument;
      readonly edit: DocumentEdit;
      readonly operations: readonly PatchOperation[];
    },
    { bytes, tag, judged }: { readonly bytes: Uint8Array; readonly tag: string; readonly judged: Judged },
  ): Promise<boolean> {
    const { store, committer, now } = this.#options;
    const { key, groupId, document, edit, operations } = about;
    const actor = principalName(principal);
    const at = now().toISOString();
    const { action, node } = edit;
    const kept = await store.record(overlayKind, groupId);
    const before = readOverlay(kept);
    // Every new source is gone through once for each edit.
    if ((before.edits.length + 1) * bytes.byteLength > mostReplayed) {
      throw new Refusal('constraint-failure', {
        phrase: 'A group of this size cannot have so many local edits: drop some',
      });
    }
    const overlay = withEdit(before, { at, actor, action, node, operations });
    const detail = { path: keyPath(key), overlay: overlay.next - 1, node, tag, replaced: document.tag };
    const outcome = await committer.commit(
      { key, previous: document, stored: { tag, bytes, groupId }, known: judged },
      {
        records: [
          { kind: overlayKind, name: groupId, value: writeOverlay(overlay), expected: kept ?? null, personal: true },
        ],
        journal: [{ at, actor, action, subject: groupId, detail }],
      },
    );
    return outcome.outcome === 'committed';
  }
}

/** The refusal of a local change of what binds both systems. */
export function bindingRefusal(part: string): Refusal {
  return new Refusal('constraint-failure', {
    phrase: `${part} binds both systems and is changed at the group's home only`,
  });
}

/**
 * A new element that is the last one in its parent is added to the parent, not behind a neighbour: the neighbour may go, and the edit
 * still says what was meant.
 */
function atEndOfParent(operation: PatchOperation, { index }: EditedDocument, selector: NodeSelector): PatchOperation {
  if (operation.directive !== 'add' || operation.pos !== 'after' || operation.type !== undefined) return operation;
  const node = selectNode(index, selector);
  if (node?.kind !== 'element' || index.nextSibling(node.element) >= 0) return operation;
  const parent = parentSelector(operation.sel);
  return parent === undefined ? operation : { ...operation, sel: parent, pos: undefined };
}

// The last slash that stands in no predicate and no quotes.
function parentSelector(sel: string): string | undefined {
  let quote = '';
  let depth = 0;
  let last = -1;
  for (const [at, character] of [...sel].entries()) {
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if (character === '[') depth++;
    else if (character === ']') depth--;
    else if (character === '/' && depth === 0) last = at;
  }
  return last <= 0 ? undefined : [...sel].slice(0, last).join('');
}

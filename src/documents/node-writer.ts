// Writes of elements and attributes: where they go and whether they may, then an edit of the document on the one write path.
// Order of checks as RFC 4825 clauses 8 and 8.2.1 have it: rights, prefixes, method, parent, preconditions, body.

import type { Principal } from '../identity/principal.ts';
import { Refusal } from '../refusals.ts';
import type { DocumentKey } from '../store/store.ts';
import type { ScanElsewhere } from '../xml/fragment.ts';
import {
  deletingNode,
  locatingPut,
  type PutOptions,
  type PutTarget,
  puttingNode,
  readPutBody,
} from '../xml/node-edit.ts';
import { bindSelector, type NodeSelector } from '../xml/node-selector.ts';
import { selectingNode } from '../xml/select.ts';
import { inTurns } from '../xml/turns.ts';
import type { MemoryDocument } from './cache.ts';
import { homeUri, keyUri } from './document-key.ts';
import type { NodeAddress, Preconditions, PutOutcome } from './documents.ts';
import { preconditionsHold } from './entity-tag.ts';
import type { DocumentWriter, FoundDocument } from './writer.ts';

/** The document and the place in it where a PUT acts. */
interface Placed {
  readonly document: MemoryDocument;
  readonly selector: NodeSelector;
  readonly target: PutTarget;
}

export interface NodeWriterOptions extends PutOptions {
  /** Parses large bodies. */
  readonly scan: ScanElsewhere;
}

/** What looks up and edits documents. */
export type EditWriter = Pick<DocumentWriter, 'look' | 'edit'>;

export class NodeWriter {
  readonly #writerOf: (key: DocumentKey) => EditWriter;
  readonly #options: NodeWriterOptions;

  /** `writerOf`: where edits of a document under this key go. */
  constructor(writerOf: (key: DocumentKey) => EditWriter, options: NodeWriterOptions) {
    this.#writerOf = writerOf;
    this.#options = options;
  }

  /** Creates or replaces an element or attribute; see Documents.putNode. */
  async put(
    principal: Principal,
    address: DocumentKey,
    node: NodeAddress,
    body: () => Promise<Uint8Array>,
    preconditions: Preconditions,
  ): Promise<PutOutcome> {
    const writer = this.#writerOf(address);
    let placed = await place(await writer.look(principal, address), node, preconditions);
    const bytes = new Uint8Array(await body());
    return writer.edit(principal, address, {
      action: 'node-put',
      node: nodeText(node),
      selector: (found) => bind(found, node),
      apply: async (found) => {
        // While the body came, or while others wrote, the document may have become another.
        if (found.document !== placed.document) placed = await place(found, node, preconditions);
        const { document, selector, target } = placed;
        const content = await readPutBody(document.index, target, bytes, this.#options, this.#options.scan);
        return inTurns(puttingNode(document.index, selector, target, content, this.#options));
      },
    });
  }

  /** Deletes an element or attribute; see Documents.deleteNode. */
  async delete(
    principal: Principal,
    address: DocumentKey,
    node: NodeAddress,
    preconditions: Preconditions,
  ): Promise<string> {
    const { tag } = await this.#writerOf(address).edit(principal, address, {
      action: 'node-delete',
      node: nodeText(node),
      selector: (found) => bind(found, node),
      apply: async (found) => {
        const selector = bind(found, node);
        const { document } = found;
        const known = document && (await inTurns(selectingNode(document.index, selector)));
        if (document === undefined || known === undefined) throw new Refusal('not-found');
        if (!preconditionsHold(preconditions, document.tag)) throw new Refusal('precondition-failed');
        return inTurns(deletingNode(document.index, selector, this.#options.limits));
      },
    });
    return tag;
  }
}

async function place(found: FoundDocument, node: NodeAddress, preconditions: Preconditions): Promise<Placed> {
  const selector = bind(found, node);
  const { document, key } = found;
  if (document === undefined) throw new Refusal('no-parent', { ancestor: homeUri(key) });
  const target = await locate(key, document, selector);
  // RFC 4825 8.2.6: a node that is not there yet counts as having the tag of its document.
  if (!preconditionsHold(preconditions, document.tag)) throw new Refusal('precondition-failed');
  return { document, selector, target };
}

function bind({ usage }: FoundDocument, { selector, bindings }: NodeAddress): NodeSelector {
  const bound = bindSelector(selector, { defaultNamespace: usage.defaultDocumentNamespace, bindings });
  // RFC 4825 8.2 and 8.4: bindings of namespaces are for reading.
  if (bound.terminal?.kind === 'namespaces') {
    throw new Refusal('method-not-allowed', { allow: ['GET', 'HEAD', 'OPTIONS'] });
  }
  return bound;
}

/** Finds the place of a PUT; what the edit knows of the closest ancestor becomes a URI below the XCAP root (RFC 4825 11.1). */
async function locate(key: DocumentKey, document: MemoryDocument, selector: NodeSelector): Promise<PutTarget> {
  try {
    return await inTurns(locatingPut(document.index, selector));
  } catch (error) {
    if (!(error instanceof Refusal) || error.detail.ancestor === undefined) throw error;
    throw new Refusal(error.code, { ...error.detail, ancestor: `${keyUri(key)}/~~/${error.detail.ancestor}` });
  }
}

/** Longest selector that the journal keeps, characters. */
const journalled = 500;

function nodeText({ selector }: NodeAddress): string {
  const text = selector.segments.join('/');
  return text.length <= journalled ? text : `${text.slice(0, journalled)}…`;
}

// Documents that the server composes itself: its capabilities (RFC 4825 clause 12) and the directory of a user (OMA XDM).

import type { ServedUsers } from '../identity/served.ts';
import { Refusal } from '../refusals.ts';
import type { DocumentKey, DocumentSummary, Store } from '../store/store.ts';
import { composeXcapCaps, composeXcapDirectory } from '../xml/compose.ts';
import { type ApplicationUsage, capabilitiesAuid, directoryAuid } from './application-usage.ts';
import { MemoryDocument } from './cache.ts';
import { canonicalKey, keyUri } from './document-key.ts';
import type { ServedDocument } from './documents.ts';
import { entityTag } from './entity-tag.ts';

/** More documents than this in one users tree are not listed in one document. */
const largestDirectory = 2_000;

export interface ComposedDocumentsOptions {
  readonly store: Pick<Store, 'documents'>;
  readonly served: Pick<ServedUsers, 'isHomed'>;
  readonly usages: readonly ApplicationUsage[];
  readonly now: () => Date;
}

export class ComposedDocuments {
  readonly #options: ComposedDocumentsOptions;
  readonly #capabilities: ServedDocument;

  constructor(options: ComposedDocumentsOptions) {
    this.#options = options;
    const { usages, now } = options;
    const text = composeXcapCaps({
      auids: usages.map(({ auid }) => auid),
      namespaces: [...new Set(usages.flatMap(({ namespaces }) => namespaces))],
    });
    const key: DocumentKey = { auid: capabilitiesAuid, tree: 'global', xui: '', name: 'index' };
    this.#capabilities = composed(key, text, now().toISOString());
  }

  /** The composed document under a key; undefined for any other key. Rejects with Refusal `not-implemented` for an immense directory. */
  async find(key: DocumentKey): Promise<ServedDocument | undefined> {
    // RFC 4825 12.7: the capabilities stand in the global tree only.
    if (key.auid === capabilitiesAuid) {
      return key.tree === 'global' && key.name === 'index' ? this.#capabilities : undefined;
    }
    const canonical =
      key.auid === directoryAuid && key.tree === 'users' ? canonicalKey(key, this.#options.served) : undefined;
    return canonical?.name === 'directory.xml' ? this.#directory(canonical) : undefined;
  }

  async #directory(key: DocumentKey): Promise<ServedDocument> {
    const { store, usages, now } = this.#options;
    const listed = usages.filter((usage) => !usage.composed);
    const folders = await Promise.all(
      listed.map(async ({ auid }) => {
        const documents = await store.documents({ auid, tree: 'users', xui: key.xui, limit: largestDirectory + 1 });
        return { auid, documents };
      }),
    );
    const all = folders.flatMap(({ documents }) => documents);
    if (all.length > largestDirectory) {
      throw new Refusal('not-implemented', { phrase: 'The directory is too large to be listed in one document' });
    }
    const text = composeXcapDirectory(
      folders.map(({ auid, documents }) => ({ auid, entries: documents.map(entryOf) })),
    );
    const latest = all.reduce((newest, { modified }) => (modified > newest ? modified : newest), '');
    return composed(key, text, latest === '' ? now().toISOString() : latest);
  }
}

function entryOf({ key, tag, modified, size }: DocumentSummary): {
  readonly uri: string;
  readonly etag: string;
  readonly lastModified: string;
  readonly size: number;
} {
  return { uri: keyUri(key), etag: tag, lastModified: modified, size };
}

function composed(key: DocumentKey, text: string, modified: string): ServedDocument {
  const bytes = Buffer.from(text);
  return new MemoryDocument({ key, tag: entityTag(bytes), bytes, modified });
}

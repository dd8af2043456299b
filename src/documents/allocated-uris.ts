// Which URIs the documents of one application usage have allocated, where each belongs to one document: service URIs of rls-services
// documents (RFC 4826 clause 4.4.5), group IDs where a document has several. Read from the store when first asked, then kept up to date.

import type { DocumentKey, Store } from '../store/store.ts';
import { keyText } from './document-key.ts';
import type { ChangeEvent, DocumentChange, ServedDocument } from './documents.ts';

export interface AllocatedUrisOptions {
  /** The usage. Its documents that have a group ID allocate nothing here: the store sees to those. */
  readonly auid: string;
  readonly store: Pick<Store, 'documents'>;
  readonly document: (key: DocumentKey) => Promise<ServedDocument | undefined>;
  /** The URIs (canonical) that a document allocates. */
  readonly urisOf: (document: ServedDocument) => readonly string[];
}

export class AllocatedUris {
  readonly #options: AllocatedUrisOptions;
  /** Documents by URI and URIs by document; both by the text of the key. */
  readonly #holders = new Map<string, string>();
  readonly #held = new Map<string, readonly string[]>();
  /** Changed since they were last read. */
  readonly #stale = new Map<string, DocumentKey>();
  #complete = false;
  #refreshing: Promise<void> | undefined;

  constructor(options: AllocatedUrisOptions) {
    this.#options = options;
  }

  /** To be told of every change of documents. */
  changed({ changes }: ChangeEvent): void {
    for (const change of changes) if (this.#mayMatter(change)) this.#stale.set(keyText(change.key), change.key);
  }

  /** Whether another document than the one under `key`, or any without a key, has this URI (canonical). */
  async isTaken(uri: string, key?: DocumentKey): Promise<boolean> {
    await this.#upToDate();
    const holder = this.#holders.get(uri);
    return holder !== undefined && (key === undefined || holder !== keyText(key));
  }

  #mayMatter({ key, groupId }: DocumentChange): boolean {
    if (key.auid !== this.#options.auid) return false;
    return groupId === undefined || this.#held.has(keyText(key)) || this.#stale.has(keyText(key));
  }

  // Whoever asks while a document is being read must not find its URIs free
  async #upToDate(): Promise<void> {
    while (!this.#complete || this.#stale.size > 0 || this.#refreshing !== undefined) {
      this.#refreshing ??= this.#refresh().finally(() => {
        this.#refreshing = undefined;
      });
      await this.#refreshing;
    }
  }

  async #refresh(): Promise<void> {
    if (!this.#complete) {
      for (const { key } of await this.#options.store.documents({ auid: this.#options.auid, groups: false })) {
        this.#stale.set(keyText(key), key);
      }
      this.#complete = true;
    }
    for (const [text, key] of [...this.#stale]) {
      this.#stale.delete(text);
      const document = await this.#options.document(key);
      for (const uri of this.#held.get(text) ?? []) if (this.#holders.get(uri) === text) this.#holders.delete(uri);
      const uris = document === undefined ? [] : this.#options.urisOf(document);
      if (uris.length === 0) this.#held.delete(text);
      else this.#held.set(text, uris);
      for (const uri of uris) this.#holders.set(uri, text);
    }
  }
}

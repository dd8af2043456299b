// Which service URIs the rls-services documents of this server have allocated: each belongs to one document (RFC 4826 clause 4.4.5).
// Read from the store when first asked, then kept up to date by changes.

import type { DocumentKey, Store } from '../store/store.ts';
import { rlsServicesAuid } from './application-usage.ts';
import { keyText } from './document-key.ts';
import type { ChangeEvent, ServedDocument } from './documents.ts';
import { serviceUris } from './rls-services-constraints.ts';

export interface AllocatedUrisOptions {
  readonly store: Pick<Store, 'documents'>;
  readonly document: (key: DocumentKey) => Promise<ServedDocument | undefined>;
}

export class AllocatedUris {
  readonly #options: AllocatedUrisOptions;
  /** Documents by URI and URIs by document; both by the text of the key. */
  readonly #holders = new Map<string, string>();
  readonly #held = new Map<string, readonly string[]>();
  /** Changed since they were last read. */
  readonly #stale = new Map<string, DocumentKey>();
  #complete = false;

  constructor(options: AllocatedUrisOptions) {
    this.#options = options;
  }

  /** To be told of every change of documents. */
  changed({ changes }: ChangeEvent): void {
    for (const { key } of changes) if (key.auid === rlsServicesAuid) this.#stale.set(keyText(key), key);
  }

  /** Whether another document than the one under `key` has this URI (canonical). */
  async isTaken(uri: string, key: DocumentKey): Promise<boolean> {
    await this.#refresh();
    const holder = this.#holders.get(uri);
    return holder !== undefined && holder !== keyText(key);
  }

  async #refresh(): Promise<void> {
    if (!this.#complete) {
      for (const { key } of await this.#options.store.documents({ auid: rlsServicesAuid })) {
        this.#stale.set(keyText(key), key);
      }
      this.#complete = true;
    }
    for (const [text, key] of [...this.#stale]) {
      this.#stale.delete(text);
      const document = await this.#options.document(key);
      for (const uri of this.#held.get(text) ?? []) if (this.#holders.get(uri) === text) this.#holders.delete(uri);
      const uris = document === undefined ? [] : serviceUris(document.index).map(({ uri }) => uri);
      if (uris.length === 0) this.#held.delete(text);
      else this.#held.set(text, uris);
      for (const uri of uris) this.#holders.set(uri, text);
    }
  }
}

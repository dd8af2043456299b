// Patches between versions of documents as subscribers saw them (RFC 5875 clause 4.7, RFC 5261): the versions told lately are kept, so
// that what changed since can be shown. Where one is missing or a patch does not pay, the tags alone are told.
import { LRUCache } from 'lru-cache';
import type { OffsetIndex } from '../xml/offset-index.ts';
import { composePatch, diffDocuments, type PatchOperation, patchPrefix } from '../xml/xml-diff.ts';

/** How a subscriber wants changes of documents shown, RFC 5875 clause 4.3. */
export type DiffProcessing = 'no-patching' | 'xcap-patching' | 'aggregate';

/** Reads the parameter `diff-processing`; what is not known counts as the default. */
export function readDiffProcessing(written: string | undefined): DiffProcessing {
  const mode = written?.toLowerCase();
  return mode === 'xcap-patching' || mode === 'aggregate' ? mode : 'no-patching';
}

/** A version of a document in somebody's view. */
export interface DocumentVersion {
  readonly tag: string;
  readonly index: OffsetIndex;
}

/** Octets of all versions kept. */
const keptOctets = 16 * 1024 * 1024;
/** Larger documents are fetched: a patch of one would hold up the event loop. */
export const largestPatched = 256 * 1024;

/** Octets of the header fields of a GET and its answer. */
const fetchOverhead = 1_000;

export class DocumentPatches {
  readonly #versions = new LRUCache<string, OffsetIndex>({
    maxSize: keptOctets,
    sizeCalculation: (index) => index.byteSize,
  });
  readonly #patches = new LRUCache<string, { readonly operations: readonly PatchOperation[] | undefined }>({
    max: 500,
  });

  /** Keeps a version that is told, to show later what has changed since. */
  keep(watch: string, { tag, index }: DocumentVersion): void {
    const key = `${watch}\n${tag}`;
    if (index.bytes.length <= largestPatched && !this.#versions.has(key)) this.#versions.set(key, index);
  }

  /**
   * Operations from the version with the first tag to this one; empty when the content is the same, undefined when there are none to show:
   * the old version is not known, or fetching the document costs less.
   */
  between(watch: string, previousTag: string, { tag, index }: DocumentVersion): readonly PatchOperation[] | undefined {
    if (index.bytes.length > largestPatched) return undefined;
    const key = `${watch}\n${previousTag}\n${tag}`;
    let known = this.#patches.get(key);
    if (known === undefined) {
      const before = this.#versions.get(`${watch}\n${previousTag}`);
      if (before === undefined) return undefined;
      const operations = diffDocuments(before, index);
      known = { operations: operations !== undefined && pays(patchOctets(operations), index) ? operations : undefined };
      this.#patches.set(key, known);
    }
    return known.operations;
  }
}

/** Whether so many octets of patches are less than what a subscriber that fetches the document causes. */
function pays(octets: number, { bytes }: OffsetIndex): boolean {
  return octets <= bytes.length + fetchOverhead;
}

/** Octets that patches take in a body. */
export function patchOctets(patch: readonly PatchOperation[]): number {
  if (patch.length === 0) return 32;
  const { patch: markup, namespaces } = composePatch(patch, patchPrefix([patch]));
  let octets = Buffer.byteLength(markup);
  for (const [prefix, uri] of namespaces) octets += 16 + prefix.length + 6 * Buffer.byteLength(uri);
  return octets;
}

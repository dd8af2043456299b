// Patches between versions of documents as subscribers saw them (RFC 5875 clause 4.7, RFC 5261): the versions told lately are kept, so
// that what changed since can be shown. Where one is missing or a patch does not pay, the tags alone are told.
import { LRUCache } from 'lru-cache';
import type { OffsetIndex } from '../xml/offset-index.ts';
import { diffDocuments, type PatchOperation } from '../xml/xml-diff.ts';

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
const largestPatched = 256 * 1024;

export class DocumentPatches {
  readonly #versions = new LRUCache<string, OffsetIndex>({
    maxSize: keptOctets,
    sizeCalculation: (index) => index.byteSize,
  });
  readonly #patches = new LRUCache<string, { readonly operations: readonly PatchOperation[] | undefined }>({
    max: 500,
  });
  /** Commits that made one tag of another, for who wants every change by itself. */
  readonly #steps = new LRUCache<string, true>({ max: 5_000 });

  /** Notes that one commit changed a document from one tag to another. */
  step(previousTag: string, tag: string): void {
    this.#steps.set(`${previousTag} ${tag}`, true);
  }

  /** Keeps a version that is told, to show later what has changed since. */
  keep(watch: string, { tag, index }: DocumentVersion): void {
    const key = `${watch}\n${tag}`;
    if (index.bytes.length <= largestPatched && !this.#versions.has(key)) this.#versions.set(key, index);
  }

  /** Operations from the version told before to this one; undefined when there are none to show, or not in this mode. */
  between(
    watch: string,
    previousTag: string,
    { tag, index }: DocumentVersion,
    mode: DiffProcessing,
  ): readonly PatchOperation[] | undefined {
    if (mode === 'no-patching' || index.bytes.length > largestPatched) return undefined;
    // RFC 5875 4.7: xcap-patching has the whole history; several changes that became one are told without patch
    if (mode === 'xcap-patching' && !this.#steps.has(`${previousTag} ${tag}`)) return undefined;
    const key = `${watch}\n${previousTag}\n${tag}`;
    let known = this.#patches.get(key);
    if (known === undefined) {
      const before = this.#versions.get(`${watch}\n${previousTag}`);
      if (before === undefined) return undefined;
      known = { operations: diffDocuments(before, index) };
      this.#patches.set(key, known);
    }
    return known.operations;
  }
}

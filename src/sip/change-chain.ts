// Every change of a document by itself (RFC 5875 clause 4.3, mode xcap-patching): from the versions that commits left to a chain of
// `document` elements, each of which begins where the one before ended.
import type { PatchOperation } from '../xml/xml-diff.ts';
import type { HistoryStep } from './document-history.ts';
import type { DocumentPatches, DocumentVersion } from './document-patches.ts';

/** One `document` element: a change as the subscriber saw it. */
export interface DocumentStep {
  /** Sequence of the commit, for the order among the changes of several documents; infinite when no commit made it. */
  readonly sequence: number;
  readonly previousTag: string | undefined;
  readonly newTag: string | undefined;
  readonly patch: readonly PatchOperation[] | undefined;
}

/** What a chain is made of. */
export interface ChainParts {
  readonly watch: string;
  readonly steps: readonly HistoryStep[];
  /** Tag that the subscriber was told last; undefined = there was nothing. */
  readonly toldTag: string | undefined;
  /** The document as the subscriber sees it now. */
  readonly current: DocumentVersion | undefined;
  /** What the subscriber saw of one step; undefined when it could not read that. */
  readonly viewed: (document: NonNullable<HistoryStep['document']>) => Promise<DocumentVersion | undefined>;
  readonly patches: DocumentPatches;
}

/** The changes of one document, in the order in which they happened; none when there was none for this subscriber. */
export async function changeChain(parts: ChainParts): Promise<readonly DocumentStep[]> {
  const { watch, steps, toldTag, current, viewed, patches } = parts;
  const chain: DocumentStep[] = [];
  let previousTag = toldTag;
  const add = (sequence: number, version: DocumentVersion | undefined): void => {
    const newTag = version?.tag;
    // RFC 5875 7: what changed outside the subscriber's view is no change
    if (newTag === previousTag) return;
    const patch =
      previousTag === undefined || version === undefined ? undefined : patches.between(watch, previousTag, version);
    chain.push({ sequence, previousTag, newTag, patch });
    if (version !== undefined) patches.keep(watch, version);
    previousTag = newTag;
  };
  for (const { sequence, document } of steps) {
    add(sequence, document === undefined ? undefined : await viewed(document));
    // Each patch is made and tried: others get their turn in between.
    if (steps.length > 1) await new Promise((resolve) => setImmediate(resolve));
  }
  // What is seen now differs from what the last commit left when the rights have changed since, or a commit has just come.
  add(Number.POSITIVE_INFINITY, current);
  return chain;
}

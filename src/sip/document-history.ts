// What commits made of documents that somebody watches change by change (RFC 5875 clause 4.3, mode xcap-patching): the latest versions of
// each, bounded by bytes. What had to be forgotten is known to be missing, so that nobody takes a part for the whole.
import type { ServedDocument } from '../documents/documents.ts';
import { largestPatched } from './document-patches.ts';

/** What one commit left of a document; without `document`, nothing. */
export interface HistoryStep {
  /** Grows with every commit. */
  readonly sequence: number;
  readonly document: ServedDocument | undefined;
}

interface KeptHistory {
  steps: HistoryStep[];
  octets: number;
  /** Sequence of the last step that was forgotten; -1 = none was. */
  forgotten: number;
}

/** Octets of all versions kept. */
const keptOctets = 8 * 1024 * 1024;
/** Steps of one document: more in one NOTIFY do not pay. */
const mostSteps = 64;
/** Documents whose history is known. */
const mostDocuments = 5_000;
/** Octets that a step takes beside its bytes. */
const stepOverhead = 500;

export class DocumentHistory {
  /** By watch key, the one changed last at the end. */
  readonly #kept = new Map<string, KeptHistory>();
  #octets = 0;

  /** Notes what a commit left of the document with this watch key; once for each sequence. */
  note(watch: string, step: HistoryStep): void {
    const history = this.#kept.get(watch) ?? { steps: [], octets: 0, forgotten: -1 };
    if (history.steps.at(-1)?.sequence === step.sequence) return;
    this.#kept.delete(watch);
    this.#kept.set(watch, history);
    if (sizeOf(step) > largestPatched) {
      this.#forget(history, history.steps.length);
      history.forgotten = step.sequence;
      return;
    }
    history.steps.push(step);
    history.octets += sizeOf(step);
    this.#octets += sizeOf(step);
    if (history.steps.length > mostSteps) this.#forget(history, 1);
    this.#makeRoom();
  }

  /** The steps from this one on, in order; undefined when one of them is not known any more. */
  since(watch: string, sequence: number): readonly HistoryStep[] | undefined {
    const history = this.#kept.get(watch);
    if (history === undefined || history.forgotten >= sequence) return undefined;
    const steps = history.steps.filter((step) => step.sequence >= sequence);
    // What was not noted from the beginning is missing too.
    return steps[0]?.sequence === sequence ? steps : undefined;
  }

  /** Octets held now. */
  get size(): number {
    return this.#octets;
  }

  #makeRoom(): void {
    for (const [watch, history] of this.#kept) {
      if (this.#octets <= keptOctets && this.#kept.size <= mostDocuments) return;
      this.#forget(history, history.steps.length);
      this.#kept.delete(watch);
    }
  }

  /** Forgets the oldest steps of a document. */
  #forget(history: KeptHistory, count: number): void {
    for (const step of history.steps.splice(0, count)) {
      history.octets -= sizeOf(step);
      this.#octets -= sizeOf(step);
      history.forgotten = step.sequence;
    }
  }
}

function sizeOf({ document }: HistoryStep): number {
  return stepOverhead + (document?.bytes.byteLength ?? 0);
}

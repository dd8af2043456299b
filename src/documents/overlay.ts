// Local edits of foreign groups, kept as RFC 5261 operations: how they are written down, and how they are replayed on what a policy derived.
// Replaying is a function of the derived document and the edits. An edit that does not apply is left out and says why; it is not lost.
import { setImmediate } from 'node:timers/promises';
import { Refusal } from '../refusals.ts';
import type { XmlLimits } from '../xml/limits.ts';
import { OffsetIndex } from '../xml/offset-index.ts';
import { applyPatch, type PatchOperation } from '../xml/xml-patch.ts';

/** Under which kind overlays are kept in the store, by canonical group ID. */
export const overlayKind = 'overlay';

/** One edit by a local administrator. */
export interface OverlayEdit {
  /** Grows within a group and never comes back. */
  readonly number: number;
  /** ISO 8601. */
  readonly at: string;
  /** Who made it. */
  readonly actor: string;
  readonly action: 'node-put' | 'node-delete';
  /** Node selector of the request that made it. */
  readonly node: string;
  /** Applied in order, all or none. */
  readonly operations: readonly PatchOperation[];
  /** Why it does not apply to what the policy derives now, and since when (ISO 8601); absent = it applies. */
  readonly conflict?: { readonly since: string; readonly why: string } | undefined;
}

export interface Overlay {
  /** Number of the next edit. */
  readonly next: number;
  readonly edits: readonly OverlayEdit[];
}

/** Makes other edits of those that there are. Throws the Refusal of what cannot be done. */
export type OverlayChange = (edits: readonly OverlayEdit[]) => ChangedEdits;

export interface ChangedEdits {
  readonly edits: readonly OverlayEdit[];
  /** Number of an edit that must apply, or nothing is changed. */
  readonly mustApply?: number | undefined;
}

export const noOverlay: Overlay = { next: 1, edits: [] };

/** What one overlay may come to; what is more should be a policy. */
const mostEdits = 200;
const mostText = 1024 * 1024;

/** Above this size others get their turn between two edits, bytes. */
const largeDocument = 64 * 1024;
/** Edits found to break the document before the rest is not tried any more. */
const mostCulprits = 16;

/** The overlay in a text of `writeOverlay`. */
export function readOverlay(text: string | undefined): Overlay {
  if (text === undefined) return noOverlay;
  const { next, edits } = JSON.parse(text) as { readonly next: number; readonly edits: readonly KeptEdit[] };
  return {
    next,
    edits: edits.map((edit) => ({
      ...edit,
      operations: edit.operations.map((one) => ({ ...one, namespaces: new Map(one.namespaces) })),
    })),
  };
}

type KeptEdit = Omit<OverlayEdit, 'operations'> & {
  readonly operations: readonly (Omit<PatchOperation, 'namespaces'> & {
    readonly namespaces: readonly (readonly [string, string])[];
  })[];
};

/** The text of an overlay for the store. Throws Refusal `constraint-failure` when it has become too large. */
export function writeOverlay({ next, edits }: Overlay): string {
  const kept: readonly KeptEdit[] = edits.map((edit) => ({
    ...edit,
    operations: edit.operations.map((one) => ({ ...one, namespaces: [...one.namespaces] })),
  }));
  const text = JSON.stringify({ next, edits: kept });
  if (edits.length > mostEdits || text.length > mostText) {
    throw new Refusal('constraint-failure', {
      phrase: `The local edits of this group would become too many: drop some (at most ${mostEdits}, and ${mostText} characters)`,
    });
  }
  return text;
}

/** An overlay with one edit more. An edit of the same place in place of the last one replaces it. */
export function withEdit(overlay: Overlay, edit: Omit<OverlayEdit, 'number'>): Overlay {
  const last = overlay.edits.at(-1);
  const before = last !== undefined && supersedes(edit, last) ? overlay.edits.slice(0, -1) : overlay.edits;
  return { next: overlay.next + 1, edits: [...before, { ...edit, number: overlay.next }] };
}

// What replaces the same node as the edit right before it leaves nothing of that one.
function supersedes(edit: Pick<OverlayEdit, 'operations'>, last: OverlayEdit): boolean {
  const [now, more] = edit.operations;
  const [before, another] = last.operations;
  if (now === undefined || before === undefined || more !== undefined || another !== undefined) return false;
  if (last.conflict !== undefined) return false;
  return now.directive === 'replace' && before.directive === 'replace' && now.sel === before.sel;
}

export interface ReplayOptions {
  readonly limits: XmlLimits;
  /** Judges a document; throws the Refusal of what is wrong with it. `before` is the derived document. */
  readonly judge: (bytes: Uint8Array, before: OffsetIndex) => Promise<void>;
  /** ISO 8601, for edits that begin to conflict. */
  readonly now: string;
}

export interface Replayed {
  readonly bytes: Uint8Array;
  readonly edits: readonly OverlayEdit[];
}

/**
 * Replays edits on a derived document, which is known to be valid. The result is valid: an edit that does not apply, or that would break the
 * document, is left out and marked. Throws only what is no fault of an edit (`unavailable`).
 */
export async function replayEdits(
  derived: Uint8Array,
  edits: readonly OverlayEdit[],
  options: ReplayOptions,
): Promise<Replayed> {
  const before = OffsetIndex.of(derived, options.limits);
  const faults = new Map<number, string>();
  for (;;) {
    const { bytes, failed } = await applied(before, edits, faults, edits.length, options.limits);
    const why = bytes === derived ? undefined : await faultOf(bytes, before, options);
    if (why === undefined) return { bytes, edits: marked(edits, new Map([...faults, ...failed]), options.now) };
    if (faults.size >= mostCulprits) {
      const rest = edits.filter(({ number }) => !faults.has(number));
      for (const { number } of rest) faults.set(number, 'not tried: too many other edits break the document');
      continue;
    }
    const culprit = await firstCulprit(before, edits, faults, why, options);
    faults.set(culprit.number, culprit.why);
  }
}

/** What the first `count` edits make of a document, those with faults left out. */
async function applied(
  before: OffsetIndex,
  edits: readonly OverlayEdit[],
  faults: ReadonlyMap<number, string>,
  count: number,
  limits: XmlLimits,
): Promise<{ readonly bytes: Uint8Array; readonly failed: ReadonlyMap<number, string> }> {
  const failed = new Map<number, string>();
  let index = before;
  for (const { number, operations } of edits.slice(0, count)) {
    if (faults.has(number)) continue;
    const outcome = applyPatch(index, operations, { xml: limits, workBytes: 128 * 1024 * 1024 });
    if ('failure' in outcome) {
      failed.set(number, `${outcome.failure.error}: ${outcome.failure.phrase}`);
      continue;
    }
    if (outcome.patched.length > largeDocument) await setImmediate();
    index = OffsetIndex.of(outcome.patched, limits);
  }
  return { bytes: index.bytes, failed };
}

async function faultOf(bytes: Uint8Array, before: OffsetIndex, { judge }: ReplayOptions): Promise<string | undefined> {
  try {
    await judge(bytes, before);
    return undefined;
  } catch (error) {
    if (!(error instanceof Refusal) || error.code === 'unavailable') throw error;
    return `${error.code}: ${error.phrase}`;
  }
}

/** The first edit after which the document is not valid; `whole` = what is wrong when all are applied. Found by halves. */
async function firstCulprit(
  before: OffsetIndex,
  edits: readonly OverlayEdit[],
  faults: ReadonlyMap<number, string>,
  whole: string,
  options: ReplayOptions,
): Promise<{ readonly number: number; readonly why: string }> {
  let good = 0;
  let bad = edits.length;
  let why = whole;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    const { bytes } = await applied(before, edits, faults, middle, options.limits);
    const fault = await faultOf(bytes, before, options);
    if (fault === undefined) good = middle;
    else {
      bad = middle;
      why = fault;
    }
  }
  return { number: edits[bad - 1]?.number ?? 0, why };
}

function marked(
  edits: readonly OverlayEdit[],
  faults: ReadonlyMap<number, string>,
  now: string,
): readonly OverlayEdit[] {
  return edits.map((edit) => {
    const why = faults.get(edit.number);
    if (why === edit.conflict?.why) return edit;
    const { conflict: before, ...rest } = edit;
    return why === undefined ? rest : { ...rest, conflict: { since: before?.since ?? now, why } };
  });
}

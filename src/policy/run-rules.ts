// Runs compiled rules in order on one document: each plans edits on the state that the earlier ones left, the edits are spliced.
// What no edit touches keeps its bytes.
import { setImmediate } from 'node:timers/promises';
import { Refusal } from '../refusals.ts';
import type { XmlLimits } from '../xml/limits.ts';
import type { OffsetIndex } from '../xml/offset-index.ts';
import { splice } from '../xml/splice.ts';
import { indexWellFormed, readXml } from '../xml/xml-document.ts';
import { ElementPaths, type PolicyEdit } from './edits.ts';
import {
  type AppliedRule,
  type Derivation,
  listedText,
  longestChange,
  type PolicyContext,
  type RuleChange,
} from './policy.ts';

/** A rule made ready to run: plans edits on one state of a document, purely. Throws Refusal `constraint-failure`. */
export interface CompiledRule {
  readonly name: string;
  readonly kind: string;
  plan(index: OffsetIndex, paths: ElementPaths, context: PolicyContext): readonly PolicyEdit[];
  /** How much it may have to look at in a document of this size, in elements; absent = as much as there is. */
  weight?(size: { readonly bytes: number; readonly elements: number }): number;
  /** Frees compiled expressions. */
  dispose?(): void;
}

/** Documents come in through the limits of the configuration; here only what the index itself can hold counts. */
const limits: XmlLimits = {
  documentBytes: 2 ** 30,
  elementDepth: 256,
  elements: 2 ** 24,
  attributesPerElement: 2 ** 16,
  nameLength: 2 ** 16,
  namespacesInScope: 2 ** 16,
};

/** Above this size the event loop gets a turn between two steps, bytes. */
const largeDocument = 64 * 1024;

export interface RunOptions {
  /** Rules that may change something before the run stops. */
  readonly most?: number | undefined;
  /** Hears the name of each rule before it runs. */
  readonly at?: ((rule: string) => void) | undefined;
}

/** Runs rules on a document; its result is not checked. Throws Refusal `constraint-failure` for a rule that cannot act. */
export async function runRules(
  rules: readonly CompiledRule[],
  document: Uint8Array,
  context: PolicyContext,
  { most = Number.POSITIVE_INFINITY, at }: RunOptions = {},
): Promise<Derivation> {
  const applied: AppliedRule[] = [];
  let room = listedText;
  let index = indexWellFormed(document, limits);
  let paths = new ElementPaths(index);
  for (const rule of rules) {
    if (applied.length >= most) break;
    at?.(rule.name);
    await turn(index.bytes);
    const edits = distinct(planned(rule, index, paths, context).toSorted(byPlace));
    if (edits.length === 0) continue;
    const bytes = splice(index.bytes, edits);
    const { rule: record, left } = recorded(rule, edits, room);
    applied.push(record);
    room = left;
    await turn(bytes);
    index = indexed(bytes, rule);
    paths = new ElementPaths(index);
  }
  return { bytes: applied.length === 0 ? document : index.bytes, applied };
}

// Our own edits keep a document well-formed; what a stylesheet makes is anything.
function indexed(bytes: Uint8Array, rule: CompiledRule): OffsetIndex {
  try {
    return rule.kind === 'stylesheet' ? readXml(bytes, limits) : indexWellFormed(bytes, limits);
  } catch (error) {
    throw error instanceof Refusal ? blamed(rule, error) : error;
  }
}

/** What a rule did, as far as `room` characters go; answers the room left, too. */
function recorded(
  { name, kind }: CompiledRule,
  edits: readonly PolicyEdit[],
  room: number,
): { readonly rule: AppliedRule; readonly left: number } {
  const changes: RuleChange[] = [];
  let left = room;
  const listed = edits.filter((edit) => edit.unlisted !== true);
  for (const { path, before, after } of listed) {
    const change = { path, before: shortened(before), after: shortened(after) };
    left -= path.length + (change.before?.length ?? 0) + (change.after?.length ?? 0);
    if (left < 0) break;
    changes.push(change);
  }
  const unlisted = listed.length > changes.length ? listed.length - changes.length : undefined;
  return { rule: { rule: name, kind, changes, unlisted }, left: Math.max(left, 0) };
}

function shortened(text: string | undefined): string | undefined {
  return text === undefined || text.length <= longestChange ? text : `${text.slice(0, longestChange - 1)}…`;
}

async function turn(bytes: Uint8Array): Promise<void> {
  if (bytes.byteLength > largeDocument) await setImmediate();
}

function planned(
  rule: CompiledRule,
  index: OffsetIndex,
  paths: ElementPaths,
  context: PolicyContext,
): readonly PolicyEdit[] {
  try {
    return rule.plan(index, paths, context);
  } catch (error) {
    throw error instanceof Refusal ? blamed(rule, error) : error;
  }
}

function blamed(rule: CompiledRule, error: Refusal): Refusal {
  const cause = `policy rule "${rule.name}": ${error.phrase}`;
  // What a `require` answers is the file's own phrase, word for word.
  const phrase = rule.kind === 'require' ? error.phrase : `The ${cause}`;
  return new Refusal('constraint-failure', { ...error.detail, phrase, cause });
}

function byPlace(one: PolicyEdit, other: PolicyEdit): number {
  return one.start - other.start || one.end - other.end;
}

// One place selected twice (an element and its text) is changed once, what goes with an element around it not at all; insertions at one
// place are several.
function distinct(edits: readonly PolicyEdit[]): readonly PolicyEdit[] {
  let removed = 0;
  return edits.filter((edit, position) => {
    if (edit.start < removed) return false;
    if (edit.replacement.length === 0) removed = edit.end;
    const before = edits[position - 1];
    const isSame = before !== undefined && before.start === edit.start && before.end === edit.end;
    return !isSame || edit.start === edit.end || before.replacement.toString() !== edit.replacement.toString();
  });
}

// Runs compiled rules in order on one document: each plans edits on the state that the earlier ones left, the edits are spliced.
// When the result does not pass its check, the run is repeated to find the rule that broke it.
import { setImmediate } from 'node:timers/promises';
import { Refusal } from '../refusals.ts';
import type { XmlLimits } from '../xml/limits.ts';
import type { OffsetIndex } from '../xml/offset-index.ts';
import { splice } from '../xml/splice.ts';
import { indexWellFormed } from '../xml/xml-document.ts';
import { ElementPaths, type PolicyEdit } from './edits.ts';
import {
  type AppliedRule,
  type Derivation,
  type DocumentCheck,
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

interface State {
  readonly bytes: Uint8Array;
  readonly rule: string;
}

/** Runs the rules. Throws as Policy.apply. */
export async function runRules(
  rules: readonly CompiledRule[],
  document: Uint8Array,
  context: PolicyContext,
  check?: DocumentCheck,
): Promise<Derivation> {
  const derivation = await run(rules, document, context, () => undefined);
  if (check === undefined || derivation.applied.length === 0) return derivation;
  try {
    await check(derivation.bytes);
  } catch (error) {
    if (!(error instanceof Refusal) || error.code === 'unavailable') throw error;
    throw await withCulprit(rules, document, context, check, error);
  }
  return derivation;
}

async function run(
  rules: readonly CompiledRule[],
  document: Uint8Array,
  context: PolicyContext,
  seen: (state: State) => void,
): Promise<Derivation> {
  const applied: AppliedRule[] = [];
  let room = listedText;
  let index = indexWellFormed(document, limits);
  let paths = new ElementPaths(index);
  for (const rule of rules) {
    await turn(index.bytes);
    const edits = distinct(planned(rule, index, paths, context)).toSorted(byPlace);
    if (edits.length === 0) continue;
    const bytes = splice(index.bytes, edits);
    const { rule: record, left } = recorded(rule, edits, room);
    applied.push(record);
    room = left;
    seen({ bytes, rule: rule.name });
    await turn(bytes);
    index = indexWellFormed(bytes, limits);
    paths = new ElementPaths(index);
  }
  return { bytes: applied.length === 0 ? document : index.bytes, applied };
}

/** What a rule did, as far as `room` characters go; answers the room left, too. */
function recorded(
  { name, kind }: CompiledRule,
  edits: readonly PolicyEdit[],
  room: number,
): { readonly rule: AppliedRule; readonly left: number } {
  const changes: RuleChange[] = [];
  let left = room;
  for (const { path, before, after } of edits) {
    const change = { path, before: shortened(before), after: shortened(after) };
    left -= path.length + (change.before?.length ?? 0) + (change.after?.length ?? 0);
    if (left < 0) break;
    changes.push(change);
  }
  const unlisted = edits.length > changes.length ? edits.length - changes.length : undefined;
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
    if (!(error instanceof Refusal)) throw error;
    const cause = `policy rule "${rule.name}": ${error.phrase}`;
    // What a `require` answers is the file's own phrase, word for word.
    const phrase = rule.kind === 'require' ? error.phrase : `The ${cause}`;
    throw new Refusal(error.code, { ...error.detail, phrase, cause });
  }
}

function byPlace(one: PolicyEdit, other: PolicyEdit): number {
  return one.start - other.start || one.end - other.end;
}

/** The refusal of a derived document, naming the last rule that turned a good document into a bad one. */
async function withCulprit(
  rules: readonly CompiledRule[],
  document: Uint8Array,
  context: PolicyContext,
  check: DocumentCheck,
  refusal: Refusal,
): Promise<Refusal> {
  const states: State[] = [];
  await run(rules, document, context, (state) => states.push(state));
  let culprit = states.at(-1);
  for (const state of states.slice(0, -1).reverse()) {
    if (await passes(check, state.bytes)) break;
    culprit = state;
  }
  return new Refusal('constraint-failure', {
    phrase: `The policy rule "${culprit?.rule}" leaves a document that is not valid: ${refusal.phrase}`,
    cause: `policy rule "${culprit?.rule}": ${refusal.code}: ${refusal.detail.cause ?? refusal.phrase}`,
  });
}

async function passes(check: DocumentCheck, bytes: Uint8Array): Promise<boolean> {
  try {
    await check(bytes);
    return true;
  } catch (error) {
    if (error instanceof Refusal && error.code !== 'unavailable') return false;
    throw error;
  }
}

// One place selected twice (an element and its text) is changed once.
function distinct(edits: readonly PolicyEdit[]): readonly PolicyEdit[] {
  const seen = new Set<string>();
  return edits.filter(({ start, end, replacement }) => {
    const key = start === end ? '' : `${start} ${end} ${replacement.toString()}`;
    if (key === '') return true;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

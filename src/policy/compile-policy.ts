// From the texts of a policy to rules that can run, included files in their places; or every problem at once with its file and line.
import { basename, dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { z } from 'zod';
import type { FileProblem } from '../config/file-problem.ts';
import { keyText, schemaProblems } from '../config/schema-problems.ts';
import type { YamlSource } from '../config/yaml-source.ts';
import { compileRule, type RuleProblem, type Selection } from './compile-rule.ts';
import { PolicyFileError } from './policy-problems.ts';
import { nameBelow, type PolicyResources } from './policy-resources.ts';
import {
  includedSchema,
  includeSchema,
  policySchema,
  type RuleFile,
  ruleSchema,
  wholeSchema,
} from './policy-schema.ts';
import { type PolicyParser, parsePolicyText } from './policy-text.ts';
import { folderOf, type KnownPolygons, ruleFiles, textOf } from './rule-files.ts';
import type { CompiledRule } from './run-rules.ts';

export interface CompiledPolicy {
  readonly name: string;
  readonly version: number;
  readonly rules: readonly CompiledRule[];
  readonly selections: readonly PlacedSelection[];
  /** Frees compiled expressions. */
  dispose(): void;
}

/** A selection with the place where it is written. */
export type PlacedSelection = Selection & Pick<FileProblem, 'file' | 'line' | 'key'>;

/** A rule as its file has it, usable, with the places of its selections: plain data that can move to another thread. */
export interface PlacedRule {
  readonly rule: RuleFile;
  /** Name of its file below the folder of the policy, '' for the policy file itself. */
  readonly from: string;
  readonly places: readonly Pick<FileProblem, 'file' | 'line' | 'key'>[];
}

/** A policy that was read and found usable, as plain data. */
export interface ReadRules {
  readonly name: string;
  readonly version: number;
  readonly rules: readonly PlacedRule[];
  readonly polygons: KnownPolygons;
}

/** Rules of one policy, those of included files counted. */
const mostRules = 1000;
const deepest = 16;
/** Places that include a file: files that include each other twice multiply. */
const mostIncludes = 1000;
/** Problems that are told. */
const mostProblems = 200;
/** Milliseconds of compiling before others get their turn. */
const longestTurn = 4;

/** Compiles a policy. Throws PolicyFileError with everything that is wrong. */
export function compilePolicy(
  resources: PolicyResources,
  parse: PolicyParser = parsePolicyText,
): CompiledPolicy & { readonly read: ReadRules } {
  const compiler = new Compiler(resources, parse);
  const parsed = compiler.main();
  if (parsed === undefined || compiler.problems.length > 0) {
    for (const rule of compiler.rules) rule.dispose?.();
    throw new PolicyFileError(bounded(inOrder(compiler.problems, resources.source.file)));
  }
  const { rules, selections, placed, polygons } = compiler;
  const read = { name: parsed.policy, version: parsed.version, rules: placed, polygons };
  return { ...compiled(read, rules, selections), read };
}

/** Compiles what was read before, without a look at its texts. */
export function compileRead(resources: PolicyResources, read: ReadRules): CompiledPolicy {
  const steps = compiling(resources, read);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same; the event loop gets a turn after each few milliseconds. */
export async function compileInTurns(resources: PolicyResources, read: ReadRules): Promise<CompiledPolicy> {
  const steps = compiling(resources, read);
  let begun = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() - begun < longestTurn) continue;
    await setImmediate();
    begun = performance.now();
  }
}

function* compiling(resources: PolicyResources, read: ReadRules): Generator<undefined, CompiledPolicy> {
  const rules: CompiledRule[] = [];
  const selections: PlacedSelection[] = [];
  const problems: RuleProblem[] = [];
  for (const { rule, from, places } of read.rules) {
    const found: Selection[] = [];
    rules.push(compileRule(rule, ruleFiles(resources, from, read.polygons), problems, found));
    selections.push(...placedSelections(found, places));
    yield;
  }
  // What was read was compiled, too: the same text cannot have become wrong.
  if (problems.length > 0) throw new Error(`a rule cannot be compiled again: ${problems[0]?.text}`);
  return compiled(read, rules, selections);
}

function compiled(
  { name, version }: ReadRules,
  rules: readonly CompiledRule[],
  selections: readonly PlacedSelection[],
): CompiledPolicy {
  const dispose = (): void => {
    for (const rule of rules) rule.dispose?.();
  };
  return { name, version, rules, selections, dispose };
}

function placedSelections(selections: readonly Selection[], places: PlacedRule['places']): readonly PlacedSelection[] {
  return selections.flatMap((selection, position) => {
    const place = places[position];
    return place === undefined ? [] : [{ ...selection, ...place }];
  });
}

/** Not all of the thousands of problems that one broken bracket can make: the first ones, and how many more. */
function bounded(problems: readonly FileProblem[]): readonly FileProblem[] {
  const [first] = problems;
  if (first === undefined || problems.length <= mostProblems) return problems;
  const more = problems.length - mostProblems;
  const { file, line } = problems[mostProblems] ?? first;
  return [
    ...problems.slice(0, mostProblems),
    { file, line, key: '(file)', text: `and ${more} more problems from here` },
  ];
}

class Compiler {
  readonly problems: FileProblem[] = [];
  readonly rules: CompiledRule[] = [];
  readonly selections: PlacedSelection[] = [];
  readonly placed: PlacedRule[] = [];
  readonly polygons: KnownPolygons = new Map();
  readonly #resources: PolicyResources;
  readonly #parse: PolicyParser;
  readonly #folder: string;
  readonly #names = new Set<string>();
  #includes = 0;

  constructor(resources: PolicyResources, parse: PolicyParser) {
    this.#resources = resources;
    this.#parse = parse;
    this.#folder = folderOf(resources);
  }

  main(): z.infer<typeof policySchema> | undefined {
    const { file, text } = this.#resources.source;
    const source = this.#yaml(file, text);
    if (source === undefined) return undefined;
    const parsed = policySchema.safeParse(source.value ?? {});
    if (!parsed.success) this.problems.push(...schemaProblems(parsed.error.issues, wholeSchema, source));
    this.#body(source, '', [join(dirname(file), basename(file))]);
    return parsed.data;
  }

  #yaml(file: string, text: string): YamlSource | undefined {
    const source = this.#parse(file, text);
    this.problems.push(...source.problems);
    return source.problems.length > 0 ? undefined : source;
  }

  /** The rules of one file: those that it includes first, then its own in order. */
  #body(source: YamlSource, name: string, stack: readonly string[]): void {
    const body = source.value as { readonly include?: unknown; readonly rules?: unknown } | null;
    if (Array.isArray(body?.include)) {
      for (const [position, written] of body.include.entries()) {
        if (typeof written === 'string') this.#include(source, name, written, ['include', position], stack);
      }
    }
    if (!Array.isArray(body?.rules)) return;
    for (const [position, rule] of body.rules.entries()) {
      const place = ['rules', position];
      if (isInclude(rule)) {
        const parsed = includeSchema.safeParse(rule);
        if (parsed.success) this.#include(source, name, parsed.data.include, [...place, 'include'], stack);
        else this.problems.push(...schemaProblems(placed(parsed.error.issues, place), wholeSchema, source));
        continue;
      }
      this.#rule(source, name, rule, place);
    }
  }

  #rule(source: YamlSource, name: string, written: unknown, place: readonly PropertyKey[]): void {
    const parsed = ruleSchema.safeParse(written);
    // A broken rule shall not hide what is wrong with the others.
    if (!parsed.success) {
      const named = (written as { readonly name?: unknown } | null)?.name;
      const prefix = typeof named === 'string' ? `rule "${named}": ` : '';
      const found = schemaProblems(placed(parsed.error.issues, place), wholeSchema, source);
      this.problems.push(...found.map((problem) => ({ ...problem, text: `${prefix}${problem.text}` })));
      return;
    }
    const at = (path: readonly PropertyKey[]): Pick<FileProblem, 'file' | 'line' | 'key'> => {
      const where = [...place, ...path];
      return { file: source.file, line: source.lineOf(where), key: keyText(where) };
    };
    const rule = parsed.data;
    if (this.#names.has(rule.name))
      this.problems.push({ ...at(['name']), text: `another rule is called ${rule.name}` });
    this.#names.add(rule.name);
    if (this.rules.length >= mostRules) {
      this.problems.push({ ...at([]), text: `is one rule too many: ${mostRules} are usable` });
      return;
    }
    const found: RuleProblem[] = [];
    const selections: Selection[] = [];
    this.rules.push(compileRule(rule, ruleFiles(this.#resources, name, this.polygons), found, selections));
    for (const { path, text, inFile } of found) {
      const place = at(path);
      const other = inFile === undefined ? {} : { file: join(dirname(source.file), inFile.file), line: inFile.line };
      this.problems.push({ ...place, ...other, text: `rule "${rule.name}": ${text}` });
    }
    const places = selections.map(({ path }) => at(path));
    this.placed.push({ rule, from: name, places });
    this.selections.push(...placedSelections(selections, places));
  }

  #include(
    source: YamlSource,
    name: string,
    written: string,
    place: readonly PropertyKey[],
    stack: readonly string[],
  ): void {
    const found = this.#included(name, written, stack);
    if (typeof found === 'string') {
      this.problems.push({ file: source.file, line: source.lineOf(place), key: keyText(place), text: found });
      return;
    }
    const { file, target, text } = found;
    const included = this.#yaml(file, text);
    if (included === undefined) return;
    const parsed = includedSchema.safeParse(included.value ?? {});
    if (!parsed.success) this.problems.push(...schemaProblems(parsed.error.issues, wholeSchema, included));
    this.#body(included, target, [...stack, file]);
  }

  /** The file that an include means, or why it cannot be included. */
  #included(
    name: string,
    written: string,
    stack: readonly string[],
  ): string | { readonly file: string; readonly target: string; readonly text: string } {
    const target = nameBelow(this.#folder, name, written);
    if (target === undefined) return `${written} lies outside of the folder of the policy file`;
    const file = join(dirname(this.#resources.source.file), target);
    if (stack.includes(file)) return [...stack, file].slice(stack.indexOf(file)).join(' includes ');
    if (stack.length > deepest) return 'includes are nested too deeply';
    if (this.#includes >= mostIncludes) return `is one include too many: ${mostIncludes} are followed`;
    this.#includes++;
    const text = textOf(this.#resources, target);
    return typeof text === 'string' ? { file, target, text } : `${written} ${text.reason}`;
  }
}

function isInclude(rule: unknown): boolean {
  return typeof rule === 'object' && rule !== null && Object.hasOwn(rule, 'include') && !Object.hasOwn(rule, 'name');
}

function placed(issues: readonly z.core.$ZodIssue[], place: readonly PropertyKey[]): readonly z.core.$ZodIssue[] {
  return issues.map((issue) => ({ ...issue, path: [...place, ...issue.path] }));
}

/** Problems of the policy file first, then those of other files, each by line. */
function inOrder(problems: readonly FileProblem[], file: string): readonly FileProblem[] {
  const rank = (problem: FileProblem): string => (problem.file === file ? '' : problem.file);
  return [...problems].sort((one, other) =>
    rank(one) === rank(other) ? one.line - other.line : rank(one) < rank(other) ? -1 : 1,
  );
}

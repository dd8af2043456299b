// From the texts of a policy to rules that can run, included files in their places; or every problem at once with its file and line.
import { basename, dirname, join, resolve } from 'node:path';
import type { z } from 'zod';
import type { FileProblem } from '../config/file-problem.ts';
import { keyText, schemaProblems } from '../config/schema-problems.ts';
import { parseYaml, type YamlSource } from '../config/yaml-source.ts';
import { compileRule, type RuleFiles, type RuleProblem, type Selection } from './compile-rule.ts';
import { readGeoJson } from './geojson.ts';
import type { Polygon } from './geometry.ts';
import { PolicyFileError } from './policy-problems.ts';
import { nameBelow, type PolicyResources } from './policy-resources.ts';
import { includedSchema, includeSchema, policySchema, ruleSchema, wholeSchema } from './policy-schema.ts';
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

/** Rules of one policy, those of included files counted. */
const mostRules = 1000;
const deepest = 16;
/** Places that include a file: files that include each other twice multiply. */
const mostIncludes = 1000;

/** Compiles a policy. Throws PolicyFileError with everything that is wrong. */
export function compilePolicy(resources: PolicyResources): CompiledPolicy {
  const compiler = new Compiler(resources);
  const parsed = compiler.main();
  if (parsed === undefined || compiler.problems.length > 0) {
    for (const rule of compiler.rules) rule.dispose?.();
    throw new PolicyFileError(inOrder(compiler.problems, resources.source.file));
  }
  const { rules, selections } = compiler;
  return {
    name: parsed.policy,
    version: parsed.version,
    rules,
    selections,
    dispose: () => {
      for (const rule of rules) rule.dispose?.();
    },
  };
}

class Compiler {
  readonly problems: FileProblem[] = [];
  readonly rules: CompiledRule[] = [];
  readonly selections: PlacedSelection[] = [];
  readonly #resources: PolicyResources;
  readonly #folder: string;
  readonly #names = new Set<string>();
  readonly #polygons = new Map<string, readonly Polygon[]>();
  #includes = 0;

  constructor(resources: PolicyResources) {
    this.#resources = resources;
    this.#folder = dirname(resolve(resources.source.file));
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
    let source: YamlSource;
    try {
      source = parseYaml(file, text);
    } catch (error) {
      // Brackets nested by the thousand end in a stack overflow of the parser.
      this.problems.push({ file, line: 1, key: 'yaml', text: `cannot be parsed: ${(error as Error).message}` });
      return undefined;
    }
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
    this.rules.push(compileRule(rule, this.#files(name), found, selections));
    for (const { path, text, inFile } of found) {
      const place = at(path);
      const other = inFile === undefined ? {} : { file: join(dirname(source.file), inFile.file), line: inFile.line };
      this.problems.push({ ...place, ...other, text: `rule "${rule.name}": ${text}` });
    }
    this.selections.push(...selections.map((selection) => ({ ...selection, ...at(selection.path) })));
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
    const text = this.#text(target);
    return typeof text === 'string' ? { file, target, text } : `${written} ${text.reason}`;
  }

  #text(name: string): string | { readonly reason: string } {
    const { source, unreadable } = this.#resources;
    const text = Object.hasOwn(source.files, name) ? source.files[name] : undefined;
    return text ?? { reason: unreadable.get(name) ?? 'does not exist' };
  }

  #files(from: string): RuleFiles {
    const named = (written: string): string => {
      const name = nameBelow(this.#folder, from, written);
      if (name === undefined) throw new Error(`${written} lies outside of the folder of the policy file`);
      return name;
    };
    return {
      polygons: (written) => {
        const name = named(written);
        const known = this.#polygons.get(name);
        if (known !== undefined) return known;
        const text = this.#text(name);
        if (typeof text !== 'string') throw new Error(`${written} ${text.reason}`);
        try {
          const polygons = readGeoJson(text);
          this.#polygons.set(name, polygons);
          return polygons;
        } catch (error) {
          throw new Error(`${written} ${(error as Error).message}`);
        }
      },
      key: (written) => {
        const key = this.#resources.keys.get(written);
        if (key !== undefined) return key;
        throw new Error(`the key ${written} ${this.#resources.unreadable.get(written) ?? 'was not read'}`);
      },
      stylesheet: (written) => {
        const name = named(written);
        const text = this.#text(name);
        if (typeof text !== 'string') throw new Error(`${written} ${text.reason}`);
        const compiled = this.#resources.stylesheets.get(name);
        if (compiled === undefined) throw new Error(`${written} was not compiled`);
        return { name, ...compiled };
      },
    };
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

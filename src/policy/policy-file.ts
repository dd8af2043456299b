// Policy files: YAML in, Policy out, or every problem at once with its line.
// What the agreement restricts, services and members of third systems, holds whatever the rules of the file say.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { FileProblem } from '../config/file-problem.ts';
import { keyText, schemaProblems } from '../config/schema-problems.ts';
import { parseYaml, type YamlSource } from '../config/yaml-source.ts';
import { Refusal } from '../refusals.ts';
import type { OffsetIndex } from '../xml/offset-index.ts';
import { compileRule, type RuleProblem } from './compile-rule.ts';
import type { ElementPaths, PolicyEdit } from './edits.ts';
import { planMembers } from './members.ts';
import type { Policy, PolicyContext } from './policy.ts';
import { policySchema, type RuleFile, ruleSchema } from './policy-schema.ts';
import { type CompiledRule, runRules } from './run-rules.ts';
import { planAllow } from './services.ts';

/** A policy file that cannot be used, with everything that is wrong with it. */
export class PolicyFileError extends Error {
  readonly problems: readonly FileProblem[];

  constructor(problems: readonly FileProblem[]) {
    super(problems.map(({ file, line, key, text }) => `${file}:${line}: ${key}: ${text}`).join('\n'));
    this.name = 'PolicyFileError';
    this.problems = problems;
  }
}

/** A policy file that cannot be read; `reason` says why, without its name. */
export class PolicyUnreadable extends PolicyFileError {
  readonly reason: string;

  constructor(file: string, reason: string) {
    super([{ file, line: 1, key: '(file)', text: reason }]);
    this.reason = reason;
  }
}

/** Reads a policy file. Rejects with PolicyFileError; PolicyUnreadable when the file cannot be read. */
export async function loadPolicy(file: string): Promise<Policy> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const sentence = missing ? 'does not exist' : `cannot be read: ${(error as Error).message}`;
    throw new PolicyUnreadable(file, sentence);
  }
  return parsePolicy(text, file);
}

/** Compiles the text of a policy file; `file` only names it in problems. Throws PolicyFileError. */
export function parsePolicy(text: string, file: string): Policy {
  const source = parseYaml(file, text);
  if (source.problems.length > 0) throw new PolicyFileError(source.problems);
  const parsed = policySchema.safeParse(source.value ?? {});
  const problems = parsed.success ? [] : [...schemaProblems(parsed.error.issues, policySchema, source)];
  const rules = compileRules(parsed.success ? parsed.data.rules : soundRules(source.value), source, problems);
  if (!parsed.success || problems.length > 0) {
    throw new PolicyFileError(problems.sort((one, other) => one.line - other.line));
  }
  const digest = createHash('sha256').update(text).digest('base64url');
  return policyOf(parsed.data.policy, parsed.data.version, digest, rules);
}

/** The policy of a partner for whom no file is configured: only the agreement restricts. */
export const passThroughPolicy: Policy = policyOf('none', 0, undefined, []);

function policyOf(name: string, version: number, digest: string | undefined, rules: readonly CompiledRule[]): Policy {
  return {
    name,
    version,
    digest,
    apply: (document, context, check) => {
      const third = thirdSystems(context);
      // The agreement judges what crosses the border: before our own rules when it comes in, after them when it leaves.
      const all = context.direction === 'inbound' ? [...third, ...rules] : [...rules, ...third];
      return runRules([...agreedServices(context), ...all], document, context, check);
    },
    close: () => {
      for (const rule of rules) rule.dispose?.();
    },
  };
}

function agreedServices({ services }: PolicyContext): readonly CompiledRule[] {
  if (services === undefined) return [];
  return [
    { name: 'services of the agreement', kind: 'services', plan: (index, paths) => planAllow(index, paths, services) },
  ];
}

function thirdSystems({ thirdSystemMembers }: PolicyContext): readonly CompiledRule[] {
  if (thirdSystemMembers === undefined) return [];
  const { treatment, isOfEither } = thirdSystemMembers;
  const name = 'members of third systems';
  const leaving = (index: OffsetIndex, paths: ElementPaths): readonly PolicyEdit[] =>
    planMembers(index, paths, { keep: [{ served: true }] }, isOfEither);
  if (treatment === 'drop') return [{ name, kind: 'members', plan: leaving }];
  const refuse: CompiledRule['plan'] = (index, paths) => {
    if (leaving(index, paths).length === 0) return [];
    throw new Refusal('constraint-failure', { phrase: 'The agreement refuses groups with members of third systems' });
  };
  return [{ name, kind: 'require', plan: refuse }];
}

function compileRules(
  rules: readonly (RuleFile | undefined)[],
  source: YamlSource,
  problems: FileProblem[],
): readonly CompiledRule[] {
  const names = new Set<string>();
  return rules.flatMap((rule, position) => {
    if (rule === undefined) return [];
    const at = (path: readonly string[], text: string): void => {
      const where = ['rules', position, ...path];
      problems.push({ file: source.file, line: source.lineOf(where), key: keyText(where), text });
    };
    if (names.has(rule.name)) at(['name'], `another rule is called ${rule.name}`);
    names.add(rule.name);
    const found: RuleProblem[] = [];
    const compiled = compileRule(rule, found);
    for (const { path, text } of found) at(path, text);
    return [compiled];
  });
}

// A broken rule shall not hide what is wrong with the others: whatever has the right shape by itself is compiled.
function soundRules(value: unknown): readonly (RuleFile | undefined)[] {
  const rules = (value as { readonly rules?: unknown } | null)?.rules;
  return Array.isArray(rules) ? rules.map((rule) => ruleSchema.safeParse(rule).data) : [];
}

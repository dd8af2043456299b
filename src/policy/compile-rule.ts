// From a rule of a policy file to one that can run. Everything that can be wrong with it is found here, with its place in the file.
import { matchesPattern } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import { namespaces } from '../xml/names.ts';
import type { OffsetIndex } from '../xml/offset-index.ts';
import { type CompiledXPath, compileXPath, test, XPathError } from '../xml/xpath.ts';
import { planClamp } from './clamp.ts';
import { endToEndInSelection } from './end-to-end.ts';
import { type Fragment, readFragment } from './fragment.ts';
import { listServices, supportedServices } from './group-parts.ts';
import { planMembers } from './members.ts';
import type { PolicyContext } from './policy.ts';
import { kindsOf, type RuleFile, type WhenFile } from './policy-schema.ts';
import type { CompiledRule } from './run-rules.ts';
import { planInsert, planRemove, planSet } from './selection.ts';
import { planDrop } from './services.ts';

/** Something wrong inside a rule, at a path below it. */
export interface RuleProblem {
  readonly path: readonly string[];
  readonly text: string;
}

type Condition = (index: OffsetIndex, context: PolicyContext) => boolean;

/** Compiles one rule; `problems` receives everything that is wrong, the rule is then unusable. */
export function compileRule(rule: RuleFile, problems: RuleProblem[]): CompiledRule {
  const kind = kindsOf(rule)[0] ?? 'require';
  const plan = planOf(rule, problems);
  const holds = rule.when === undefined ? () => true : conditionOf(rule.when, problems);
  return {
    name: rule.name,
    kind,
    plan: (index, paths, context) => (holds(index, context) ? plan(index, paths, context) : []),
  };
}

function planOf(rule: RuleFile, problems: RuleProblem[]): CompiledRule['plan'] {
  const { clamp, members, services, set, remove, insert, endToEnd } = rule;
  if (clamp !== undefined) return (index, paths) => planClamp(index, paths, clamp);
  if (members !== undefined) return (index, paths, context) => planMembers(index, paths, members, context.isServed);
  if (services !== undefined) return (index, paths) => planDrop(index, paths, services.drop);
  if (set !== undefined) {
    const selection = compiled(set.select, ['set', 'select'], 'nodes', problems);
    refuseEndToEnd(endToEndInSelection(set.select), ['set', 'select'], endToEnd, problems);
    return (index, paths) => planSet(index, paths, ready(selection), set.value, endToEnd);
  }
  if (remove !== undefined) {
    const selection = compiled(remove.select, ['remove', 'select'], 'nodes', problems);
    refuseEndToEnd(endToEndInSelection(remove.select), ['remove', 'select'], endToEnd, problems);
    return (index, paths) => planRemove(index, paths, ready(selection), endToEnd);
  }
  if (insert !== undefined) {
    const selection = compiled(insert.into, ['insert', 'into'], 'nodes', problems);
    const fragment = fragmentOf(insert.element, endToEnd, problems);
    return (index, paths) => planInsert(index, paths, ready(selection), ready(fragment), endToEnd);
  }
  return requirement(rule, problems);
}

function requirement({ require }: RuleFile, problems: RuleProblem[]): CompiledRule['plan'] {
  const selection = compiled(require?.select ?? '', ['require', 'select'], 'truth', problems);
  const phrase = require?.otherwise;
  return (index) => {
    if (!test(ready(selection), index)) throw new Refusal('constraint-failure', { phrase });
    return [];
  };
}

function conditionOf(when: WhenFile, problems: RuleProblem[]): Condition {
  const { select, service, group, owner } = when;
  const conditions: Condition[] = [];
  if (select !== undefined) {
    const selection = compiled(select, ['when', 'select'], 'truth', problems);
    conditions.push((index) => test(ready(selection), index));
  }
  if (service !== undefined) {
    conditions.push((index) => listServices(index).some((one) => supportedServices(index, one).has(service)));
  }
  if (group !== undefined) conditions.push((_, context) => matchesPattern(group, context.groupId));
  if (owner !== undefined) conditions.push((index) => hasOwner(index, owner.trim()));
  return (index, context) => conditions.every((condition) => condition(index, context));
}

function hasOwner(index: OffsetIndex, owner: string): boolean {
  return listServices(index)
    .flatMap((listService) => index.childrenNamed(listService, namespaces.mcpttGroupInfo, 'owner'))
    .some((element) => index.text(element).trim() === owner);
}

function compiled(
  expression: string,
  path: readonly string[],
  wanted: 'nodes' | 'truth',
  problems: RuleProblem[],
): CompiledXPath | undefined {
  try {
    const xpath = compileXPath(expression);
    if (wanted === 'truth' || xpath.type === 'node-set') return xpath;
    problems.push({ path, text: `must select elements or attributes, not yield a ${xpath.type}` });
  } catch (error) {
    if (!(error instanceof XPathError)) throw error;
    problems.push({ path, text: `is no usable XPath: character ${error.position + 1}: ${error.message}` });
  }
  return undefined;
}

function fragmentOf(markup: string, endToEnd: boolean, problems: RuleProblem[]): Fragment | undefined {
  try {
    const fragment = readFragment(markup);
    refuseEndToEnd(fragment.endToEnd, ['insert', 'element'], endToEnd, problems);
    return fragment;
  } catch (error) {
    problems.push({ path: ['insert', 'element'], text: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}

function refuseEndToEnd(
  name: string | undefined,
  path: readonly string[],
  endToEnd: boolean,
  problems: RuleProblem[],
): void {
  if (name !== undefined && !endToEnd)
    problems.push({ path, text: `${name} binds both systems: needs endToEnd: true` });
}

// A rule with problems never becomes part of a policy.
function ready<Part>(part: Part | undefined): Part {
  if (part === undefined) throw new Error('a rule that was refused must not run');
  return part;
}

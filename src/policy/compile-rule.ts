// From a rule of a policy file to one that can run. Everything that can be wrong with it is found here, with its place in the file.
import { matchesPattern } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import { namespaces } from '../xml/names.ts';
import type { OffsetIndex } from '../xml/offset-index.ts';
import { type CompiledXPath, compileXPath, test, XPathError } from '../xml/xpath.ts';
import { type AreaRule, planAreas } from './areas.ts';
import {
  type BoundedPattern,
  boundedPattern,
  checkReplacement,
  longestText,
  PatternError,
  replaceFirst,
} from './bounded-pattern.ts';
import { planClamp } from './clamp.ts';
import { endToEndAmong, endToEndInSelection } from './end-to-end.ts';
import { type Fragment, readFragment } from './fragment.ts';
import type { Polygon } from './geometry.ts';
import { listServices, supportedServices } from './group-parts.ts';
import { planMembers } from './members.ts';
import { planPermissions } from './permissions.ts';
import type { PolicyContext } from './policy.ts';
import type { CompiledStylesheet } from './policy-resources.ts';
import {
  type AreasFile,
  kindsOf,
  type PseudonymFile,
  type RewriteFile,
  type RuleFile,
  type WhenFile,
} from './policy-schema.ts';
import { planPseudonym } from './pseudonym.ts';
import { pseudonymSeal } from './pseudonym-seal.ts';
import { endToEndTarget, planRename, targetName } from './rename.ts';
import { planRewrite } from './rewrite.ts';
import type { CompiledRule } from './run-rules.ts';
import { scansOf } from './scans.ts';
import { planInsert, planRemove, planSet, planValues } from './selection.ts';
import { planDrop } from './services.ts';
import { planStylesheet } from './stylesheet.ts';
import { planMap, valueMap } from './value-map.ts';

/** Something wrong inside a rule, at a path below it, or in a file that it names. */
export interface RuleProblem {
  readonly path: readonly string[];
  readonly text: string;
  readonly inFile?: { readonly file: string; readonly line: number } | undefined;
}

/** The files that rules name. Each throws Error that says what is wrong with one. */
export interface RuleFiles {
  polygons(file: string): readonly Polygon[];
  key(file: string): Uint8Array;
  stylesheet(file: string): CompiledStylesheet & { readonly name: string };
}

/** An expression that selects parts of a document, and where it stands in the rule. */
export interface Selection {
  readonly path: readonly string[];
  readonly xpath: CompiledXPath;
  /** The power of the number of elements that evaluating it may take. */
  readonly scans: number;
}

type Condition = (index: OffsetIndex, context: PolicyContext) => boolean;
type Plan = CompiledRule['plan'];

/** What one rule is made from and where its faults go. */
interface Workshop {
  readonly files: RuleFiles;
  readonly problems: RuleProblem[];
  readonly selections: Selection[];
  readonly expressions: CompiledXPath[];
  readonly weights: NonNullable<CompiledRule['weight']>[];
}

/**
 * Compiles one rule; `problems` receives everything that is wrong, the rule is then unusable. `selections` receives its expressions that
 * select parts of a document.
 */
export function compileRule(
  rule: RuleFile,
  files: RuleFiles,
  problems: RuleProblem[],
  selections: Selection[],
): CompiledRule {
  const kind = kindsOf(rule)[0] ?? 'require';
  const shop: Workshop = { files, problems, selections, expressions: [], weights: [] };
  const plan = planOf(rule, shop);
  const holds = rule.when === undefined ? () => true : conditionOf(rule.when, shop);
  return {
    name: rule.name,
    kind,
    plan: (index, paths, context) => (holds(index, context) ? plan(index, paths, context) : []),
    weight: (size) => shop.weights.reduce((sum, weight) => sum + weight(size), 0),
    dispose: () => {
      for (const expression of shop.expressions) expression.dispose();
    },
  };
}

function planOf(rule: RuleFile, shop: Workshop): Plan {
  const { clamp, members, services, permissions } = rule;
  if (clamp !== undefined) return (index, paths) => planClamp(index, paths, clamp);
  if (members !== undefined) return (index, paths, context) => planMembers(index, paths, members, context.isServed);
  if (services !== undefined) return (index, paths) => planDrop(index, paths, services.drop);
  if (permissions !== undefined) {
    // Each of many rules may have to name each of many members.
    shop.weights.push(({ elements }) => elements ** 2 / 20);
    return (index, paths, context) => planPermissions(index, paths, permissions, context);
  }
  if (rule.rewrite !== undefined) return rewriting(rule.rewrite, rule.endToEnd, shop);
  if (rule.pseudonym !== undefined) return pseudonymising(rule.pseudonym, rule.endToEnd, shop);
  if (rule.areas !== undefined) return areaPlan(rule.areas, rule.endToEnd, shop);
  if (rule.stylesheet !== undefined) return stylesheetPlan(rule.stylesheet, rule.endToEnd, shop);
  return selectingPlan(rule, shop);
}

function selectingPlan(rule: RuleFile, shop: Workshop): Plan {
  const { set, remove, insert, rename, map, endToEnd } = rule;
  if (set !== undefined) {
    const selection = selecting(set.select, ['set', 'select'], endToEnd, shop);
    return (index, paths) => planSet(index, paths, ready(selection), set.value, endToEnd);
  }
  if (remove !== undefined) {
    const selection = selecting(remove.select, ['remove', 'select'], endToEnd, shop);
    return (index, paths) => planRemove(index, paths, ready(selection), endToEnd);
  }
  if (insert !== undefined) {
    const selection = compiled(insert.into, ['insert', 'into'], 'nodes', shop);
    const fragment = fragmentOf(insert.element, endToEnd, shop.problems);
    return (index, paths) => planInsert(index, paths, ready(selection), ready(fragment), endToEnd);
  }
  if (rename !== undefined) {
    const selection = selecting(rename.select, ['rename', 'select'], endToEnd, shop);
    const target = attempt(() => targetName(rename.to), ['rename', 'to'], shop);
    const name = target === undefined ? undefined : endToEndTarget(target);
    refuseEndToEnd(name, ['rename', 'to'], endToEnd, shop.problems);
    return (index, paths) => planRename(index, paths, ready(selection), ready(target), endToEnd);
  }
  if (map !== undefined) {
    const selection = selecting(map.select, ['map', 'select'], endToEnd, shop);
    const values = attempt(() => valueMap(map), ['map', 'ranges'], shop);
    return (index, paths) => planMap(index, paths, ready(selection), ready(values), endToEnd);
  }
  return requirement(rule, shop);
}

function rewriting(rewrite: RewriteFile, endToEnd: boolean, shop: Workshop): Plan {
  const pattern = patternOf(rewrite.pattern, ['rewrite', 'pattern'], shop);
  if (pattern !== undefined) attempt(() => checkReplacement(rewrite.with, pattern.groups), ['rewrite', 'with'], shop);
  const replacement = rewrite.with;
  if (rewrite.select === undefined) {
    return (index, paths) => planRewrite(index, paths, { pattern: ready(pattern), replacement }, endToEnd);
  }
  const selection = selecting(rewrite.select, ['rewrite', 'select'], endToEnd, shop);
  return (index, paths) =>
    planValues(index, paths, ready(selection), endToEnd, (value, path) => {
      if (value.length > longestText) {
        throw new Refusal('constraint-failure', { phrase: `${path} is too long for a pattern` });
      }
      return replaceFirst(ready(pattern), value, replacement);
    });
}

function pseudonymising(pseudonym: PseudonymFile, endToEnd: boolean, shop: Workshop): Plan {
  const { domain, except = [] } = pseudonym.members;
  const into = pseudonym.into ?? `${domain}.pseudonym.invalid`;
  if (into === domain) {
    shop.problems.push({ path: ['pseudonym', 'into'], text: 'must be another domain than that of the members' });
  }
  const key = attempt(() => shop.files.key(pseudonym.key), ['pseudonym'], shop);
  const seal = key === undefined ? undefined : pseudonymSeal(key, into);
  return (index, paths) => planPseudonym(index, paths, { domain, except, into, seal: ready(seal) }, endToEnd);
}

function areaPlan(areas: AreasFile, endToEnd: boolean, shop: Workshop): Plan {
  const { keepWithin, drop, elements, ifNoneLeft } = areas;
  refuseEndToEnd(endToEndAmong(elements ?? []), ['areas', 'elements'], endToEnd, shop.problems);
  if (Array.isArray(drop)) refuseEndToEnd(endToEndAmong(drop), ['areas', 'drop'], endToEnd, shop.problems);
  const polygons = (file: string | undefined, key: string): readonly Polygon[] | undefined =>
    file === undefined ? undefined : attempt(() => shop.files.polygons(file), ['areas', key], shop);
  const inside = polygons(keepWithin, 'keepWithin');
  const outside = polygons(typeof drop === 'string' ? drop : undefined, 'drop');
  const rule: AreaRule = {
    keepWithin: inside,
    drop: drop === true ? 'all' : outside,
    dropElements: Array.isArray(drop) ? drop : [],
    elements,
    ifNoneLeft,
  };
  const corners = [...(inside ?? []), ...(outside ?? [])]
    .flatMap(({ outer, holes }) => [outer, ...holes])
    .reduce((sum, ring) => sum + ring.length, 0);
  // A corner compared with a corner takes about a twentieth of what an element takes.
  shop.weights.push(({ elements: count }) => (count * corners) / 20);
  return (index, paths) => planAreas(index, paths, rule, endToEnd);
}

function stylesheetPlan(file: string, endToEnd: boolean, shop: Workshop): Plan {
  shop.weights.push(() => Number.POSITIVE_INFINITY);
  const sheet = attempt(() => shop.files.stylesheet(file), ['stylesheet'], shop);
  if (sheet !== undefined && 'problems' in sheet) {
    const inFile = (line: number | undefined) => (line === undefined ? undefined : { file, line });
    shop.problems.push(
      ...sheet.problems.map(({ line, text }) => ({
        path: ['stylesheet'],
        text: `${file}: ${text}`,
        inFile: inFile(line),
      })),
    );
  }
  const program = sheet !== undefined && 'program' in sheet ? sheet.program : undefined;
  return (index, _paths, context) => planStylesheet(index, ready(program), context, endToEnd);
}

function requirement({ require }: RuleFile, shop: Workshop): Plan {
  const selection = compiled(require?.select ?? '', ['require', 'select'], 'truth', shop);
  const phrase = require?.otherwise;
  return (index) => {
    if (!test(ready(selection), index)) throw new Refusal('constraint-failure', { phrase });
    return [];
  };
}

function conditionOf(when: WhenFile, shop: Workshop): Condition {
  const { select, service, group, owner } = when;
  const conditions: Condition[] = [];
  if (group !== undefined) conditions.push((_, context) => matchesPattern(group, context.groupId));
  if (service !== undefined) {
    conditions.push((index) => listServices(index).some((one) => supportedServices(index, one).has(service)));
  }
  if (owner !== undefined) conditions.push((index) => hasOwner(index, owner.trim()));
  if (select !== undefined) {
    const selection = compiled(select, ['when', 'select'], 'truth', shop);
    conditions.push((index) => test(ready(selection), index));
  }
  return (index, context) => conditions.every((condition) => condition(index, context));
}

function hasOwner(index: OffsetIndex, owner: string): boolean {
  return listServices(index)
    .flatMap((listService) => index.childrenNamed(listService, namespaces.mcpttGroupInfo, 'owner'))
    .some((element) => index.text(element).trim() === owner);
}

/** Compiles the expression of a rule that acts on what it selects. */
function selecting(
  expression: string,
  path: readonly string[],
  endToEnd: boolean,
  shop: Workshop,
): CompiledXPath | undefined {
  refuseEndToEnd(endToEndInSelection(expression), path, endToEnd, shop.problems);
  return compiled(expression, path, 'nodes', shop);
}

function compiled(
  expression: string,
  path: readonly string[],
  wanted: 'nodes' | 'truth',
  shop: Workshop,
): CompiledXPath | undefined {
  try {
    const xpath = compileXPath(expression);
    shop.expressions.push(xpath);
    const scans = scansOf(expression);
    shop.weights.push(({ elements }) => elements ** scans);
    if (xpath.type === 'node-set') shop.selections.push({ path, xpath, scans });
    if (wanted === 'truth' || xpath.type === 'node-set') return xpath;
    shop.problems.push({ path, text: `must select elements or attributes, not yield a ${xpath.type}` });
  } catch (error) {
    if (!(error instanceof XPathError)) throw error;
    shop.problems.push({ path, text: `is no usable XPath: character ${error.position + 1}: ${error.message}` });
  }
  return undefined;
}

function patternOf(expression: string, path: readonly string[], shop: Workshop): BoundedPattern | undefined {
  try {
    const pattern = boundedPattern(expression);
    // An instruction at one byte takes about a hundredth of what an element takes.
    shop.weights.push(({ bytes }) => (bytes * pattern.length) / 100);
    return pattern;
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    const text = `is no usable regular expression: character ${error.position + 1}: ${error.message}`;
    shop.problems.push({ path, text });
    return undefined;
  }
}

/** What `make` makes; an Error becomes a problem at the path. */
function attempt<Made>(make: () => Made, path: readonly string[], shop: Workshop): Made | undefined {
  try {
    return make();
  } catch (error) {
    shop.problems.push({ path, text: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
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

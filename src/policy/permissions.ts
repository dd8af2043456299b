// The permissions rule: takes actions from, or gives them to, some users. RFC 4745 clause 10 only knows grants, so a rule that covers
// more users than the change is split: what stays granted to the others moves to a rule of its own.
import { Refusal } from '../refusals.ts';
import { namespaces } from '../xml/names.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { actionOf } from './action-names.ts';
import { copiedMarkup, ownDeclarations } from './copied-markup.ts';
import { type ElementPaths, insertion, insertionBehind, type PolicyEdit, prefixFor, removal } from './edits.ts';
import { authorisationRules, listServices } from './group-parts.ts';
import { conditionsOf } from './identity-positions.ts';
import type { PermissionsFile } from './policy-schema.ts';
import { type Served, type Share, UserGroup } from './user-group.ts';

/** Characters that splitting the rules of one list-service may add: each copy of a rule may name every member. */
const longestAddition = 8 * 1024 * 1024;

interface Scene {
  readonly index: OffsetIndex;
  readonly paths: ElementPaths;
  readonly users: UserGroup;
  /** True when something is granted to whoever no other rule names: new conditions must not name more users than the old ones did. */
  readonly othersCount: boolean;
  /** A rule ID that the document does not have yet. */
  readonly freshId: (like: string) => string;
}

/** Plans the edits of a permissions rule. Throws Refusal `constraint-failure` when no condition covers exactly the users left. */
export function planPermissions(
  index: OffsetIndex,
  paths: ElementPaths,
  { for: who, deny = [], allow = [] }: PermissionsFile,
  served: Served,
): readonly PolicyEdit[] {
  const freshId = idMaker(index);
  return listServices(index).flatMap((listService) => {
    const rules = authorisationRules(index, listService);
    const othersCount = rules.some((rule) => isGrantToOthers(index, rule));
    const sceneOf = (wanted: 'any' | 'every'): Scene => {
      const users = new UserGroup(index, listService, who, served, wanted);
      return { index, paths, users, othersCount, freshId };
    };
    const denying = deny.length === 0 ? undefined : sceneOf('any');
    let written = 0;
    const deniedIn = (scene: Scene, rule: ElementId): readonly PolicyEdit[] => {
      const edits = editsOfDenial(scene, rule, deny);
      for (const { replacement } of edits) written += replacement.length;
      if (written > longestAddition) {
        throw new Refusal('constraint-failure', {
          phrase: 'splitting the rules of the group would make it too large: too many rules name too many of the users',
        });
      }
      return edits;
    };
    const denied = denying === undefined ? [] : rules.flatMap((rule) => deniedIn(denying, rule));
    const allowed = allow.length === 0 ? [] : editsOfAllowing(sceneOf('every'), listService, allow);
    return [...denied, ...allowed];
  });
}

function editsOfDenial(scene: Scene, rule: ElementId, deny: readonly string[]): readonly PolicyEdit[] {
  const { index, paths } = scene;
  const actions = granted(index, rule).filter((action) => deny.some((name) => isNamed(index, action, name)));
  if (actions.length === 0) return [];
  const share = shareOfRule(scene, rule);
  if (share === 'none') return [];
  const taken = actions.map((action) => removal(index, paths, action));
  if (share === 'all') return taken;
  const markup = ruleForOthers(scene, rule, actions);
  return markup === '' ? taken : [...taken, insertionBehind(index, paths, rule, markup)];
}

/** How many of those whom a rule covers belong to the users. */
function shareOfRule({ index, users }: Scene, rule: ElementId): Share {
  if (hasCondition(index, rule, 'anonymous-request')) return 'none';
  const shares = identityConditions(index, rule).map((condition) =>
    union(index.children(condition).map((matcher) => users.shareOf(matcher))),
  );
  if (isForMembers(index, rule)) shares.push(users.shareOfMembers());
  if (shares.includes('none')) return 'none';
  return shares.includes('all') ? 'all' : 'some';
}

function union(shares: readonly Share[]): Share {
  if (shares.every((share) => share === 'none')) return 'none';
  return shares.every((share) => share === 'all') ? 'all' : 'some';
}

/** The rules that grant the actions to those of a rule who are not among the users; '' when there are none. */
function ruleForOthers(scene: Scene, rule: ElementId, actions: readonly ElementId[]): string {
  const { index, users, othersCount } = scene;
  const cp = prefixOf(index, rule);
  const [identity] = identityConditions(index, rule);
  const members = isForMembers(index, rule);
  // The rule and its copy would name each other's users, who are then no "others" any more.
  const isForOthers = hasCondition(index, rule, 'other-identity');
  if (isForOthers || (identity === undefined && !members && othersCount)) {
    throw new Refusal('constraint-failure', {
      phrase: `rule ${index.attribute(rule, 'id')} covers everybody or whoever no other rule names, and cannot be split`,
    });
  }
  const matchers =
    identity === undefined
      ? users.others(cp, members && othersCount, members)
      : index
          .children(identity)
          .map((matcher) => users.othersOf(matcher, rule, cp, members))
          .join('');
  const kept = conditionsOf(index, rule).filter((condition) => condition !== identity);
  const conditions = kept.map((condition) => copiedMarkup(index, condition, rule)).join('');
  const declarations = ownDeclarations(index, rule);
  const rules: string[] = [];
  const write = (inner: string): void => {
    const id = scene.freshId(index.attribute(rule, 'id') ?? 'rule');
    const content = actions.map((action) => copiedMarkup(index, action, rule)).join('');
    rules.push(
      `<${cp}rule${declarations} id="${id}"><${cp}conditions>${inner}</${cp}conditions><${cp}actions>${content}</${cp}actions></${cp}rule>`,
    );
  };
  if (matchers !== '') write(`${conditions}<${cp}identity>${matchers}</${cp}identity>`);
  // RFC 4745 7.1: a rule without identity conditions covers who is not authenticated, too.
  if (identity === undefined && !members) {
    write(`${conditions}<anonymous-request xmlns="${namespaces.omaCommonPolicy}"/>`);
  }
  return rules.join('');
}

function editsOfAllowing(scene: Scene, listService: ElementId, allow: readonly string[]): readonly PolicyEdit[] {
  const { index, paths, users, othersCount } = scene;
  const [ruleset] = index.childrenNamed(listService, namespaces.commonPolicy, 'ruleset');
  const place = ruleset ?? listService;
  const { prefix: cp, declaration } = prefixFor(index, place, namespaces.commonPolicy);
  const matchers = users.all(cp, othersCount);
  if (matchers === '') return [];
  // Whom a rule names is no "other" any more, and would lose what is granted to others.
  const rules = authorisationRules(index, listService);
  const named = rules
    .filter((rule) => isGrantToOthers(index, rule))
    .every((rule) => rules.some((other) => other !== rule && isForMembers(index, other)));
  if (!named) {
    throw new Refusal('constraint-failure', {
      phrase: 'members have rights as whoever no other rule names, and would lose them in a rule of their own',
    });
  }
  const member = element(index, place, declaration, namespaces.listService, 'is-list-member', '');
  const actions = allow.map((name) => {
    const { namespace, localName } = actionOf(name);
    return element(index, place, declaration, namespace, localName, 'true');
  });
  const id = scene.freshId('permissions');
  const outer = ruleset === undefined ? '' : declaration;
  const rule =
    `<${cp}rule${outer} id="${id}"><${cp}conditions>${member}<${cp}identity>${matchers}</${cp}identity></${cp}conditions>` +
    `<${cp}actions>${actions.join('')}</${cp}actions></${cp}rule>`;
  if (ruleset !== undefined) return [insertion(index, paths, ruleset, rule)];
  return [insertion(index, paths, listService, `<${cp}ruleset${declaration}>${rule}</${cp}ruleset>`)];
}

// Inside markup that had to declare a default namespace, unprefixed names of the document mean something else.
function element(
  index: OffsetIndex,
  place: ElementId,
  around: string,
  namespace: string,
  name: string,
  content: string,
): string {
  const { prefix, declaration } = prefixFor(index, place, namespace);
  const own = around !== '' && prefix === '' ? ` xmlns="${namespace}"` : declaration;
  const tag = `${prefix}${name}`;
  return content === '' ? `<${tag}${own}/>` : `<${tag}${own}>${content}</${tag}>`;
}

/** The actions of a rule that grant something: RFC 4745 10.2, a false permission grants nothing. */
function granted(index: OffsetIndex, rule: ElementId): readonly ElementId[] {
  return index
    .childrenNamed(rule, namespaces.commonPolicy, 'actions')
    .flatMap((actions) => withExtensions(index, actions))
    .filter((action) => index.firstChild(action) < 0 && !['false', '0'].includes(index.text(action).trim()));
}

// Later releases put their actions into anyExt.
function withExtensions(index: OffsetIndex, parent: ElementId): readonly ElementId[] {
  return index
    .children(parent)
    .flatMap((child) =>
      index.is(child, namespaces.mcpttGroupInfo, 'anyExt') ? withExtensions(index, child) : [child],
    );
}

function isNamed(index: OffsetIndex, action: ElementId, name: string): boolean {
  const { namespace, localName } = actionOf(name);
  return index.is(action, namespace, localName);
}

function identityConditions(index: OffsetIndex, rule: ElementId): readonly ElementId[] {
  return conditionsOf(index, rule).filter((condition) => index.is(condition, namespaces.commonPolicy, 'identity'));
}

function isForMembers(index: OffsetIndex, rule: ElementId): boolean {
  return conditionsOf(index, rule).some((condition) => index.is(condition, namespaces.listService, 'is-list-member'));
}

/** True for a rule that gives something to whoever no other rule names. */
function isGrantToOthers(index: OffsetIndex, rule: ElementId): boolean {
  return hasCondition(index, rule, 'other-identity') && granted(index, rule).length > 0;
}

function hasCondition(index: OffsetIndex, rule: ElementId, name: string): boolean {
  return conditionsOf(index, rule).some((condition) => index.is(condition, namespaces.omaCommonPolicy, name));
}

function prefixOf(index: OffsetIndex, element: ElementId): string {
  const prefix = index.prefix(element);
  return prefix === '' ? '' : `${prefix}:`;
}

/** Makes IDs of rules that stand nowhere in the document: `members-2` behind `members`. */
function idMaker(index: OffsetIndex): (like: string) => string {
  const taken = new Set<string>();
  for (let at = index.root; at < index.count; at++) {
    if (index.is(at, namespaces.commonPolicy, 'rule')) taken.add(index.attribute(at, 'id') ?? '');
  }
  return (like) => {
    let id = taken.has(like) ? '' : like;
    for (let number = 2; id === ''; number++) if (!taken.has(`${like}-${number}`)) id = `${like}-${number}`;
    taken.add(id);
    return id;
  };
}

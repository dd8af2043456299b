// The pseudonym rule: replaces every identity of a domain by a pseudonym, in every position, and takes the display names along.
// Participant types that are excepted keep theirs everywhere. Grants to the whole domain go to the domain of the pseudonyms.
import { uriDomain } from '../identity/uri.ts';
import { namespaces } from '../xml/names.ts';
import type { AttributeView, ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { escapeAttributeValue } from '../xml/splice.ts';
import { ownDeclarations } from './copied-markup.ts';
import { type ElementPaths, insertionBehind, type PolicyEdit, removal } from './edits.ts';
import { attributeEdit, readableIdentity } from './identity-edits.ts';
import { canonicalDomain, foldedText, participantType } from './identity-filter.ts';
import { type ExceptPosition, identityPositions, type ManyPosition } from './identity-positions.ts';
import type { PseudonymSeal } from './pseudonym-seal.ts';

export interface Pseudonymising {
  readonly domain: string;
  /** Participant types whose entries keep their identities. */
  readonly except: readonly string[];
  readonly into: string;
  readonly seal: PseudonymSeal;
}

/** Plans the edits of a pseudonym rule. Throws Refusal `constraint-failure` for identities that it cannot resolve or judge. */
export function planPseudonym(
  index: OffsetIndex,
  paths: ElementPaths,
  rule: Pseudonymising,
  endToEnd: boolean,
): readonly PolicyEdit[] {
  const { users, manys } = identityPositions(index, endToEnd);
  const excepted = new Set(rule.except.map(foldedText));
  const identityAt = (element: ElementId, attribute: AttributeView): string =>
    readableIdentity(paths, element, attribute.value);
  const isOfDomain = (identity: string): boolean => belongsTo(identity, rule.domain);
  const kept = new Set<string>();
  for (const { element, attribute, entry } of users) {
    if (entry === undefined || !excepted.has(participantType(index, entry))) continue;
    const identity = identityAt(element, attribute);
    if (isOfDomain(identity)) kept.add(identity);
  }
  const hidden = (element: ElementId, attribute: AttributeView): string | undefined => {
    const identity = identityAt(element, attribute);
    return isOfDomain(identity) && !kept.has(identity) ? rule.seal.seal(identity) : undefined;
  };

  const edits: PolicyEdit[] = [];
  const named = new Set<ElementId>();
  for (const { element, attribute, entry } of users) {
    const pseudonym = hidden(element, attribute);
    if (pseudonym === undefined) continue;
    edits.push(attributeEdit(index, paths, element, attribute, pseudonym));
    if (entry !== undefined) named.add(entry);
  }
  const names = new Set([...named].flatMap((entry) => displayNames(index, entry)));
  for (const name of names) edits.push(removal(index, paths, name));
  const scene: Scene = { index, paths, rule, hidden, someKept: kept.size > 0 };
  return [...edits, ...manys.flatMap((many) => editsOfMany(scene, many))];
}

/**
 * True for an identity (canonical URI) that tells of a user of the domain: a SIP URI, fully qualified or not, any other `scheme:user@domain`,
 * and a local number of the domain (RFC 3966 clause 5.1.5).
 */
function belongsTo(identity: string, domain: string): boolean {
  const other = /^tel:/.test(identity)
    ? /;phone-context=([^;+]+)/.exec(identity)?.[1]
    : /@([^@:;?/#]*)[^@]*$/.exec(identity)?.[1];
  return [uriDomain(identity), other].some((host) => host?.toLowerCase().replace(/\.$/, '') === domain);
}

interface Scene {
  readonly index: OffsetIndex;
  readonly paths: ElementPaths;
  readonly rule: Pseudonymising;
  /** The pseudonym that an identity becomes; undefined when it stays. */
  readonly hidden: (element: ElementId, attribute: AttributeView) => string | undefined;
  /** True when users of the domain keep their identities. */
  readonly someKept: boolean;
}

function editsOfMany(scene: Scene, many: ManyPosition): readonly PolicyEdit[] {
  const { index, paths, rule } = scene;
  if (many.domain === undefined || !isDomain(many.domain, rule.domain)) {
    return many.excepts.flatMap((except) => editsOfExcept(scene, except));
  }
  if (!scene.someKept) {
    return [
      attributeEdit(index, paths, many.element, many.domain, rule.into),
      ...many.excepts.flatMap((except) => editsOfExcept(scene, except)),
    ];
  }
  // Some users of the domain keep their identities: what is granted to it is granted to both.
  const prefix = prefixed(index, many.element);
  const excepts = many.excepts.map((except) => exceptCopy(scene, prefix, except));
  const name = `${prefix}many`;
  const content = excepts.join('');
  const markup = `<${name}${ownDeclarations(index, many.element)} domain="${rule.into}"${content === '' ? '/>' : `>${content}</${name}>`}`;
  const gone = many.excepts.filter(
    (except) => except.id !== undefined && scene.hidden(except.element, except.id) !== undefined,
  );
  return [
    ...gone.map(({ element }) => removal(index, paths, element)),
    insertionBehind(index, paths, many.element, markup),
  ];
}

function editsOfExcept(scene: Scene, { element, id, domain }: ExceptPosition): readonly PolicyEdit[] {
  const { index, paths, rule, someKept } = scene;
  const edits: PolicyEdit[] = [];
  const pseudonym = id === undefined ? undefined : scene.hidden(element, id);
  if (id !== undefined && pseudonym !== undefined) edits.push(attributeEdit(index, paths, element, id, pseudonym));
  if (domain !== undefined && isDomain(domain, rule.domain)) {
    if (someKept) {
      const name = `${prefixed(index, element)}except${ownDeclarations(index, element)}`;
      edits.push(insertionBehind(index, paths, element, `<${name} domain="${rule.into}"/>`));
    } else edits.push(attributeEdit(index, paths, element, domain, rule.into));
  }
  return edits;
}

/** An exception as the copy for pseudonyms has it; '' when it leaves out nobody there. */
function exceptCopy(scene: Scene, prefix: string, { element, id, domain }: ExceptPosition): string {
  const attributes: string[] = [];
  const pseudonym = id === undefined ? undefined : scene.hidden(element, id);
  if (pseudonym !== undefined) attributes.push(` id="${escapeAttributeValue(pseudonym)}"`);
  if (domain !== undefined && isDomain(domain, scene.rule.domain)) attributes.push(` domain="${scene.rule.into}"`);
  // RFC 4745 7.1.3: an except without id and domain leaves out everybody.
  if (id === undefined && domain === undefined) attributes.push('');
  return attributes.length === 0 ? '' : `<${prefix}except${attributes.join('')}/>`;
}

function isDomain(attribute: AttributeView, domain: string): boolean {
  return canonicalDomain(attribute.value)?.replace(/\.$/, '') === domain;
}

// Also inside extensions of the entry; what stands in one that goes needs no edit of its own.
function displayNames(index: OffsetIndex, entry: ElementId): readonly ElementId[] {
  const found = [...index.descendants(entry)].filter((element) =>
    [namespaces.resourceLists, namespaces.listService].some((namespace) =>
      index.is(element, namespace, 'display-name'),
    ),
  );
  let end = 0;
  return found.filter((element) => {
    if (index.outerStart(element) < end) return false;
    end = index.outerEnd(element);
    return true;
  });
}

function prefixed(index: OffsetIndex, element: ElementId): string {
  const prefix = index.prefix(element);
  return prefix === '' ? '' : `${prefix}:`;
}

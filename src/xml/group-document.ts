// Typed facts of a group document (TS 24.481 7.2): members, services, rules, markers and every place that names an identity.
// Pure over the offset index; what the facts mean is decided elsewhere.

import type { McService } from '../config/schema.ts';
import { canonicalUri } from '../identity/uri.ts';
import { CarriedEntries } from './carried-entries.ts';
import { type RuleFacts, readRules } from './common-policy.ts';
import { type MemberEntry, MemberList } from './member-list.ts';
import { namespaces } from './names.ts';
import type { ByteEdit } from './offset-edit.ts';
import type { ElementId, OffsetIndex } from './offset-index.ts';
import { atOnce } from './turns.ts';

export interface ListServiceFacts {
  readonly element: ElementId;
  /** Group ID as written. */
  readonly uri: string;
  readonly displayName?: string | undefined;
  readonly owner?: string | undefined;
  /** Services the group really has, in fixed order. */
  readonly services: readonly McService[];
  /** Enablers of all services that `supported-services` names, known or not; undefined without such an element. */
  readonly enablers?: readonly string[] | undefined;
  readonly members: MemberList;
  /** Anchors of lists kept elsewhere. */
  readonly externals: readonly string[];
  /** The group is part of a temporary group now: `on-network-regrouped`. */
  readonly regrouped: boolean;
  /** The group is a temporary one: `on-network-temporary`. */
  readonly temporary: boolean;
  readonly minimumNumberToStart?: number | undefined;
  readonly rules: readonly RuleFacts[];
  readonly listElement?: ElementId | undefined;
}

export interface GroupFacts {
  readonly listServices: readonly ListServiceFacts[];
}

/** One place of a group document that names an identity or a domain of identities. */
export interface IdentityPosition {
  readonly kind: 'entry' | 'mcvideo-id' | 'mcdata-id' | 'one' | 'except' | 'except-domain' | 'many-domain';
  readonly element: ElementId;
  /** Attribute in no namespace that holds the value. */
  readonly attribute: 'uri' | 'id' | 'domain';
  readonly value: string;
}

const enablers: readonly (readonly [McService, string])[] = [
  ['mcptt', 'urn:urn-7:3gpp-service.ims.icsi.mcptt'],
  ['mcvideo', 'urn:urn-7:3gpp-service.ims.icsi.mcvideo'],
  ['mcdata', 'urn:urn-7:3gpp-service.ims.icsi.mcdata'],
];

/** The MC service that an `oxe:service/@enabler` stands for (MCData also as `.sds` and `.fd`); undefined for others. */
export function serviceOfEnabler(enabler: string): McService | undefined {
  const name = enabler.trim().toLowerCase();
  return enablers.find(([, icsi]) => name === icsi || name.startsWith(`${icsi}.`))?.[0];
}

/** The same document before an edit, with its facts: what the edit did not touch need not be read again. */
export interface EarlierGroup {
  readonly index: OffsetIndex;
  readonly group: GroupFacts;
  readonly edit: ByteEdit;
}

/** Reads the facts of a group document that its schema has accepted. */
export function readGroup(index: OffsetIndex): GroupFacts {
  return atOnce(readingGroup(index));
}

/** The same in slices, for long lists. */
export function* readingGroup(index: OffsetIndex, earlier?: EarlierGroup): Generator<void, GroupFacts> {
  const services = index.is(index.root, namespaces.listService, 'group')
    ? index.childrenNamed(index.root, namespaces.listService, 'list-service')
    : [];
  const before = earlier?.group.listServices ?? [];
  const listServices: ListServiceFacts[] = [];
  for (const [number, element] of services.entries()) {
    // An edit changes one place: as many list-services as before are the same ones
    const counterpart = before.length === services.length ? before[number] : undefined;
    const carried =
      earlier && counterpart && new CarriedEntries(index, earlier.edit, earlier.index.count, counterpart.members);
    listServices.push(yield* readListService(index, element, carried));
  }
  return { listServices };
}

/** Entries between two places where reading can be interrupted. */
const entriesAtOnce = 256;

function* readListService(
  index: OffsetIndex,
  element: ElementId,
  carried: CarriedEntries | undefined,
): Generator<void, ListServiceFacts> {
  const lists = index.childrenNamed(element, namespaces.listService, 'list');
  const entries: MemberEntry[] = [];
  const externals: string[] = [];
  let items = 0;
  for (const list of lists) {
    for (let item = index.firstChild(list); item >= 0; item = index.nextSibling(item)) {
      const known = carried?.take(item);
      if (known !== undefined) entries.push(known);
      else if (isListItem(index, item, 'entry')) {
        const entry = readEntry(index, item);
        entries.push(entry);
        carried?.add(entry);
      } else if (isListItem(index, item, 'external')) externals.push(index.attribute(item, 'anchor') ?? '');
      if (++items % entriesAtOnce === 0) yield;
    }
  }
  const members = new MemberList(entries, carried?.change());
  if (entries.length > entriesAtOnce) yield* members.counting();
  const own = (localName: string): string | undefined =>
    childText(index, element, namespaces.mcpttGroupInfo, localName);
  return {
    element,
    uri: index.attribute(element, 'uri') ?? '',
    displayName: childText(index, element, namespaces.listService, 'display-name'),
    owner: own('owner'),
    services: servicesOf(index, element),
    enablers: enablersOf(index, element),
    members,
    externals,
    regrouped: index.firstNamed(element, namespaces.mcpttGroupInfo, 'on-network-regrouped') !== undefined,
    temporary: index.firstNamed(element, namespaces.mcpttGroupInfo, 'on-network-temporary') !== undefined,
    minimumNumberToStart: integer(own('on-network-minimum-number-to-start')),
    rules: index
      .childrenNamed(element, namespaces.commonPolicy, 'ruleset')
      .flatMap((ruleset) => readRules(index, ruleset)),
    listElement: lists[0],
  };
}

// Entries belong to the list-service namespace, but vendors borrow those of RFC 4826: both name members.
function isListItem(index: OffsetIndex, element: ElementId, localName: string): boolean {
  return index.is(element, namespaces.listService, localName) || index.is(element, namespaces.resourceLists, localName);
}

function readEntry(index: OffsetIndex, element: ElementId): MemberEntry {
  let displayName: string | undefined;
  let mcvideoId: string | undefined;
  let mcdataId: string | undefined;
  let participantType: string | undefined;
  let userPriority: number | undefined;
  let required = false;
  // One walk over the children: lists have thousands of entries.
  for (let child = index.firstChild(element); child >= 0; child = index.nextSibling(child)) {
    if (index.namespace(child) === namespaces.mcpttGroupInfo) {
      const name = index.localName(child);
      if (name === 'participant-type') participantType ??= index.text(child).trim();
      else if (name === 'user-priority') userPriority ??= integer(index.text(child));
      else if (name === 'mcvideo-mcvideo-id') mcvideoId ??= index.attribute(child, 'uri');
      else if (name === 'mcdata-mcdata-id') mcdataId ??= index.attribute(child, 'uri');
      else if (name === 'on-network-required') required = true;
    } else if (index.is(child, namespaces.resourceLists, 'display-name')) displayName ??= index.text(child);
  }
  const uri = index.attribute(element, 'uri') ?? '';
  const member = canonicalUri(uri);
  const identities = [member, canonicalOf(mcvideoId), canonicalOf(mcdataId)].filter((id) => id !== undefined);
  return {
    element,
    uri,
    displayName,
    mcvideoId,
    mcdataId,
    participantType,
    userPriority,
    required,
    member,
    identities,
  };
}

function canonicalOf(uri: string | undefined): string | undefined {
  return uri === undefined ? undefined : canonicalUri(uri);
}

function supportedServices(index: OffsetIndex, element: ElementId): readonly ElementId[] {
  return index
    .childrenNamed(element, namespaces.omaExtensions, 'supported-services')
    .flatMap((supported) => index.childrenNamed(supported, namespaces.omaExtensions, 'service'));
}

function enablersOf(index: OffsetIndex, element: ElementId): readonly string[] | undefined {
  if (index.firstNamed(element, namespaces.omaExtensions, 'supported-services') === undefined) return undefined;
  return supportedServices(index, element).map((service) => index.attribute(service, 'enabler') ?? '');
}

function servicesOf(index: OffsetIndex, element: ElementId): readonly McService[] {
  const found = new Set<McService>();
  for (const supported of supportedServices(index, element)) {
    const service = serviceOfEnabler(index.attribute(supported, 'enabler') ?? '');
    // TS 24.481 7.2.2: an MCPTT group document also has group-media with mcptt-speech.
    if (service !== undefined && (service !== 'mcptt' || hasSpeech(index, supported))) found.add(service);
  }
  return enablers.map(([service]) => service).filter((service) => found.has(service));
}

function hasSpeech(index: OffsetIndex, service: ElementId): boolean {
  return index
    .childrenNamed(service, namespaces.omaExtensions, 'group-media')
    .some((media) => index.firstNamed(media, namespaces.mcpttGroupInfo, 'mcptt-speech') !== undefined);
}

function childText(index: OffsetIndex, parent: ElementId, namespace: string, localName: string): string | undefined {
  const child = index.firstNamed(parent, namespace, localName);
  return child === undefined ? undefined : index.text(child).trim();
}

function integer(text: string | undefined): number | undefined {
  return text !== undefined && /^\s*[+-]?\d+\s*$/.test(text) ? Number(text) : undefined;
}

/** Every place of a document that names an identity or a domain, in document order, wherever it stands. */
export function* identityPositions(index: OffsetIndex): Iterable<IdentityPosition> {
  for (const element of index.descendants(index.root)) {
    const namespace = index.namespace(element);
    const localName = index.localName(element);
    if (namespace === namespaces.commonPolicy) yield* ruleIdentities(index, element, localName);
    else if (localName === 'entry' && isListItem(index, element, 'entry')) {
      yield* position(index, 'entry', element, 'uri');
    } else if (namespace === namespaces.mcpttGroupInfo) {
      if (localName === 'mcvideo-mcvideo-id') yield* position(index, 'mcvideo-id', element, 'uri');
      else if (localName === 'mcdata-mcdata-id') yield* position(index, 'mcdata-id', element, 'uri');
    }
  }
}

function* ruleIdentities(index: OffsetIndex, element: ElementId, localName: string): Iterable<IdentityPosition> {
  if (localName === 'one') yield* position(index, 'one', element, 'id');
  else if (localName === 'many') yield* position(index, 'many-domain', element, 'domain');
  else if (localName === 'except') {
    yield* position(index, 'except', element, 'id');
    yield* position(index, 'except-domain', element, 'domain');
  }
}

function* position(
  index: OffsetIndex,
  kind: IdentityPosition['kind'],
  element: ElementId,
  attribute: IdentityPosition['attribute'],
): Iterable<IdentityPosition> {
  const value = index.attribute(element, attribute);
  if (value !== undefined) yield { kind, element, attribute, value };
}

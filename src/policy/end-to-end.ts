// What binds both systems: parts of a group document that a policy changes only when its rule says `endToEnd: true`.
// Group ID, protection switches, encodings, invite-members and regroup markers (TS 24.481 clause 7.2).
import { namespaces } from '../xml/names.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';

const groupInfoNames: ReadonlySet<string> = new Set([
  'protect-media',
  'protect-floor-control-signalling',
  'mcvideo-protect-media',
  'mcvideo-protect-transmission-control',
  'mcdata-protect-media',
  'mcdata-protect-transmission-control',
  'preferred-voice-encodings',
  'mcvideo-preferred-audio-encodings',
  'mcvideo-preferred-video-encodings',
  'mcvideo-preferred-video-resolutions',
  'mcvideo-preferred-video-frame-rate',
  'on-network-invite-members',
  'mcvideo-on-network-invite-members',
  'on-network-temporary',
  'on-network-regrouped',
]);

/** The name of the end-to-end part that the element is or stands in; undefined when it is free to change. */
export function endToEndAround(index: OffsetIndex, element: ElementId): string | undefined {
  for (let at = element; at >= 0; at = index.parent(at)) {
    const name = ownEndToEndName(index, at);
    if (name !== undefined) return name;
  }
  return undefined;
}

/** The name of the first end-to-end part that the element contains, the `uri` of a `list-service` included. */
export function endToEndWithin(index: OffsetIndex, element: ElementId): string | undefined {
  if (isListService(index, element)) return 'list-service/@uri';
  for (const inner of index.descendants(element)) {
    if (isListService(index, inner)) return 'list-service/@uri';
    const name = ownEndToEndName(index, inner);
    if (name !== undefined) return name;
  }
  return undefined;
}

/** True for a regroup marker of a group. */
export function isRegroupMarker(index: OffsetIndex, element: ElementId): boolean {
  const name = index.localName(element);
  return (
    (name === 'on-network-temporary' || name === 'on-network-regrouped') &&
    index.namespace(element) === namespaces.mcpttGroupInfo
  );
}

/** The first of these local names that the usual elements of an end-to-end part have. */
export function endToEndAmong(localNames: readonly string[]): string | undefined {
  return localNames.find((name) => groupInfoNames.has(name) || name === 'invite-members');
}

/** True when the attribute is the group ID. */
export function isGroupIdAttribute(
  index: OffsetIndex,
  owner: ElementId,
  namespace: string,
  localName: string,
): boolean {
  return namespace === '' && localName === 'uri' && isListService(index, owner);
}

/** The end-to-end part that an XPath names in its last step, when it can be told without a document. */
export function endToEndInSelection(select: string): string | undefined {
  const last =
    /(?:^|[/:|\s])((?:list-service\s*\/\s*@\s*uri)|[A-Za-z][\w.-]*)\s*(?:\[[^\]]*\]\s*)*(?:\/\s*text\(\)\s*)?$/.exec(
      select.trim(),
    )?.[1];
  if (last === undefined) return undefined;
  if (/^list-service\s*\//.test(last)) return 'list-service/@uri';
  return groupInfoNames.has(last) || last === 'invite-members' ? last : undefined;
}

function ownEndToEndName(index: OffsetIndex, element: ElementId): string | undefined {
  return endToEndName(index.namespace(element), index.localName(element));
}

/** The name of the end-to-end part that elements of this name are; undefined when they are none. */
export function endToEndName(namespace: string, name: string): string | undefined {
  if (namespace === namespaces.mcpttGroupInfo && groupInfoNames.has(name)) return name;
  return namespace === namespaces.listService && name === 'invite-members' ? name : undefined;
}

function isListService(index: OffsetIndex, element: ElementId): boolean {
  return index.is(element, namespaces.listService, 'list-service');
}

/** All end-to-end parts of a document by name, each in a form that does not depend on how it is written. */
export function endToEndParts(index: OffsetIndex): ReadonlyMap<string, string> {
  const parts = new Map<string, string>();
  const add = (name: string, value: string): void => {
    parts.set(name, `${parts.get(name) ?? ''}\n${value}`);
  };
  for (let element = index.root; element < index.count; element++) {
    if (isListService(index, element)) add('list-service/@uri', index.attribute(element, 'uri') ?? '');
    const name = ownEndToEndName(index, element);
    const parent = index.parent(element);
    if (name !== undefined && (parent < 0 || endToEndAround(index, parent) === undefined))
      add(name, meaning(index, element));
  }
  return parts;
}

function meaning(index: OffsetIndex, element: ElementId): string {
  const attributes = index
    .attributes(element)
    .map(({ namespace, localName, value }) => JSON.stringify([namespace, localName, value]))
    .sort();
  const children = index.children(element).map((child) => meaning(index, child));
  const text = index.text(element).trim();
  return JSON.stringify([index.namespace(element), index.localName(element), attributes, text, children]);
}

// A NOTIFY of a partner's group management server, read: how the subscription stands and what it tells of groups
// (RFC 6665 clause 4.1.3, RFC 5875 clause 4.8).
import { groupsAuid } from '../documents/application-usage.ts';
import { Refusal } from '../refusals.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { readXcapDiff } from '../xml/received-diff.ts';
import { readXml } from '../xml/xml-document.ts';
import { bodyParts, isPlain, multipartTypes } from './body-parts.ts';
import { deltaSeconds, type HeaderFields, hdr, parseParameterised, tokenList } from './headers.ts';
import { eventPackage, notifyBodyType } from './refusal-answer.ts';
import { parseEntry } from './resource-entry.ts';

export interface PartnerNotify {
  readonly state: 'active' | 'terminated';
  /** Seconds left; absent = not told. */
  readonly expires?: number | undefined;
  /** RFC 6665 clause 4.1.3; '' = none. */
  readonly reason: string;
  /** Seconds. */
  readonly retryAfter?: number | undefined;
  /** Entity tags by canonical group ID; undefined = gone. Absent = the NOTIFY had no body. */
  readonly groups?: ReadonlyMap<string, string | undefined> | undefined;
}

/** Media types accepted in a NOTIFY, for the Accept field of 415. */
const acceptedTypes = [notifyBodyType, ...multipartTypes];

/** Throws Refusal `bad-event`, `bad-request`, `subscription-does-not-exist`, `unsupported-media-type`. */
export function readPartnerNotify(headers: HeaderFields, body: string): PartnerNotify {
  return { ...readNotifyState(headers), groups: body.trim() === '' ? undefined : readGroups(headers, body) };
}

/** What the header fields alone tell. Throws Refusal `bad-event`, `bad-request`, `subscription-does-not-exist`. */
export function readNotifyState(headers: HeaderFields): PartnerNotify {
  checkEvent(headers);
  const state = parseParameterised(hdr(headers, 'subscription-state') ?? '');
  if (state === undefined) throw new Refusal('bad-request', { phrase: 'Subscription-State is missing or broken' });
  const seconds = (name: string): number | undefined => deltaSeconds(state.parameters.get(name) ?? '');
  return {
    // RFC 6665 4.1.3: pending has no state to tell yet, but lives as active does
    state: state.value.toLowerCase() === 'terminated' ? 'terminated' : 'active',
    expires: seconds('expires'),
    reason: state.parameters.get('reason')?.toLowerCase() ?? '',
    retryAfter: seconds('retry-after'),
  };
}

/** Throws Refusal `bad-event`, `subscription-does-not-exist` unless Event is that of our SUBSCRIBEs. */
export function checkEvent(headers: HeaderFields): void {
  const event = parseParameterised(hdr(headers, 'event') ?? '');
  if (event?.value !== eventPackage) throw new Refusal('bad-event');
  // RFC 6665 8.2.1: one with an id never matches one without, and ours have none. No notifier is known to make ids up; some lose them.
  if (event.parameters.has('id')) throw new Refusal('subscription-does-not-exist');
}

/** The one xcap-diff in a body, which may stand in multiparts. */
function diffIn(headers: HeaderFields, body: string): string {
  const coded = tokenList(hdr(headers, 'content-encoding')).some((coding) => coding !== 'identity');
  const type = parseParameterised(hdr(headers, 'content-type') ?? '');
  if (type === undefined || coded) throw new Refusal('unsupported-media-type', { accept: acceptedTypes });
  const parts = bodyParts(type, body);
  if (parts === undefined) throw new Refusal('bad-request', { phrase: 'The multipart body is broken' });
  const [diff, ...more] = parts.filter((part) => part.type === notifyBodyType);
  if (more.length > 0) throw new Refusal('bad-request', { phrase: 'The body has two parts of one kind' });
  if (diff === undefined || !isPlain(diff)) {
    throw new Refusal('unsupported-media-type', { accept: acceptedTypes });
  }
  return diff.body;
}

function readGroups(headers: HeaderFields, body: string): ReadonlyMap<string, string | undefined> {
  const diff = diffIn(headers, body);
  const groups = new Map<string, string | undefined>();
  try {
    const { root, components } = readXcapDiff(readXml(Buffer.from(diff, 'utf8'), defaultXmlLimits));
    for (const component of components) {
      const entry = component.kind === 'document' ? parseEntry(component.sel, withSlash(root)) : undefined;
      if (component.kind !== 'document' || entry?.kind !== 'resource' || entry.resource.kind !== 'group') continue;
      // Document order is chronological (RFC 5875 4.3): of several the last one counts.
      groups.set(entry.resource.groupId, component.newTag);
    }
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal('bad-request', { phrase: 'The xcap-diff cannot be read' });
    throw error;
  }
  return groups;
}

/** The entry by which a group is subscribed to at its home, TS 24.481 clause 7.2.10.2. */
export function groupEntry(groupId: string): string {
  const segment = encodeURIComponent(groupId).replace(/%(3A|40|24|26|2B|2C|3B|3D)/g, decodeURIComponent);
  return `${groupsAuid}/global/byGroupID/${segment}`;
}

function withSlash(root: string): string {
  return root.endsWith('/') ? root : `${root}/`;
}

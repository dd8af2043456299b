// What the answers of partner systems over XCAP mean for provision, withdrawal, request and directory.
import { builtInUsages, directoryAuid, groupsAuid } from '../documents/application-usage.ts';
import { canonicalUri } from '../identity/uri.ts';
import type { DirectoryOutcome, FetchOutcome, ProvideOutcome } from '../interconnect/ports.ts';
import { Refusal } from '../refusals.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import type { OffsetIndex } from '../xml/offset-index.ts';
import { readingXcapDirectory } from '../xml/received-directory.ts';
import { inTurns } from '../xml/turns.ts';
import { readXml } from '../xml/xml-document.ts';
import { parseEntityTag } from './entity-tags.ts';
import { mediaType } from './media-type.ts';
import type { PartnerReply } from './partner-roots.ts';

/** Of group documents. */
export const groupMediaType = mediaTypeOf(groupsAuid);
/** Of directories of documents. */
export const directoryMediaType = mediaTypeOf(directoryAuid);

function mediaTypeOf(auid: string): string {
  return builtInUsages.find((usage) => usage.auid === auid)?.mimeType ?? '';
}

/** What a partner's answer to a PUT means. */
export function provideOutcome(reply: PartnerReply): ProvideOutcome {
  if (reply.reply === 'none') return { outcome: 'failed', reason: reply.reason, retryAfter: reply.retryAfter };
  const { status, reason } = reply;
  if (status === 200 || status === 201 || status === 204) {
    return { outcome: 'accepted', created: status === 201, tag: strongTag(reply) };
  }
  if (mayPass(status)) return { outcome: 'failed', reason, retryAfter: reply.retryAfter };
  return { outcome: 'refused', status, reason };
}

function failed({ reason, retryAfter }: PartnerReply): Extract<FetchOutcome, { outcome: 'failed' }> {
  return retryAfter === undefined ? { outcome: 'failed', reason } : { outcome: 'failed', reason, retryAfter };
}

/** What a partner's answer to a DELETE means: a group that is not there is withdrawn. */
export function withdrawOutcome(reply: PartnerReply): ProvideOutcome {
  return isGone(reply) ? { outcome: 'accepted', created: false } : provideOutcome(reply);
}

/** True when the partner says that there is no such document. */
export function isGone(reply: PartnerReply): boolean {
  return reply.reply === 'answer' && (reply.status === 404 || reply.status === 410);
}

/** True when a condition of the request did not hold, RFC 9110 clause 15.5.13. */
export function hasFailedCondition(reply: PartnerReply): boolean {
  return reply.reply === 'answer' && reply.status === 412;
}

/** What a partner's answer to a GET means; `conditional`: a tag was sent with it. */
export function fetchOutcome(
  reply: PartnerReply,
  conditional: boolean,
  what: 'group' | 'directory' = 'group',
): FetchOutcome {
  if (reply.reply === 'none') return failed(reply);
  const { status, reason } = reply;
  if (status === 200) {
    if (mediaType(reply.contentType) !== (what === 'group' ? groupMediaType : directoryMediaType)) {
      const told = reply.contentType?.slice(0, 100) ?? 'of no media type';
      return { outcome: 'failed', reason: `the answer is ${told}, not a ${what}` };
    }
    return { outcome: 'fetched', bytes: reply.body, tag: usableTag(reply) };
  }
  if (status === 304 && conditional) return { outcome: 'unchanged' };
  if (status === 404 || status === 410) return { outcome: 'absent' };
  if (status < 300 || status === 304 || mayPass(status)) return failed(reply);
  return { outcome: 'refused', status, reason };
}

/** The groups that a partner's directory lists; what it lists beside groups by their ID is none of our business. */
export async function directoryOutcome(reply: PartnerReply): Promise<DirectoryOutcome> {
  const outcome = fetchOutcome(reply, false, 'directory');
  if (outcome.outcome === 'unchanged') return { outcome: 'failed', reason: 'not modified, though nothing was known' };
  if (outcome.outcome !== 'fetched') return outcome;
  try {
    const limits = { ...defaultXmlLimits, documentBytes: outcome.bytes.byteLength };
    return { outcome: 'listed', groups: [...(await inTurns(listing(readXml(outcome.bytes, limits))))] };
  } catch (error) {
    if (error instanceof Refusal) return { outcome: 'failed', reason: `the directory cannot be read: ${error.phrase}` };
    throw error;
  }
}

function* listing(directory: OffsetIndex): Generator<void, ReadonlySet<string>> {
  const groups = new Set<string>();
  for (const entry of readingXcapDirectory(directory)) {
    const groupId = entry === undefined ? undefined : listedGroup(entry.uri);
    if (groupId !== undefined) groups.add(groupId);
    if (entry === undefined) yield;
  }
  return groups;
}

function listedGroup(uri: string): string | undefined {
  const segment = /\/global\/byGroupID\/([^/?#]+)$/.exec(uri)?.[1];
  if (segment === undefined) return undefined;
  try {
    return canonicalUri(decodeURIComponent(segment));
  } catch {
    return undefined;
  }
}

/** The tag of an answer that can stand in If-Match, without quotes; a weak one is of no use there (RFC 9110 clause 8.8.1). */
export function strongTag(reply: { readonly entityTag?: string | undefined }): string | undefined {
  return reply.entityTag?.startsWith('W/') ? undefined : usableTag(reply);
}

/** Longest entity tag of a partner that is kept and sent back, characters: one that fills a header would keep its group from being asked for. */
const longestTag = 512;

function usableTag({ entityTag }: { readonly entityTag?: string | undefined }): string | undefined {
  return entityTag !== undefined && entityTag.length > longestTag ? undefined : parseEntityTag(entityTag);
}

// RFC 9110 15.5.9, RFC 8470 5.2, RFC 6585 4: the same request may succeed later
function mayPass(status: number): boolean {
  return status < 300 || status === 408 || status === 425 || status === 429;
}

// The entity tag of what a subscriber was told (RFC 5839): equal for equal resources in equal state, whoever subscribed.
import { createHash } from 'node:crypto';
import type { ResourceEntry } from './resource-entry.ts';

/** A larger state has no tag: making it anew for each NOTIFY would cost more than it saves. */
export const mostTagged = 2_000;

/**
 * The tag; undefined when the state is too large to have one.
 * @param told entity tags and digests by watch key
 */
export function stateTag(entries: readonly ResourceEntry[], told: ReadonlyMap<string, string>): string | undefined {
  if (told.size > mostTagged || entries.length > mostTagged) return undefined;
  const hash = createHash('sha256');
  // RFC 5875 4.7: the order of the URIs does not matter
  for (const sel of entries.map((entry) => entry.sel).sort()) hash.update(`${sel}\n`);
  hash.update('\n');
  for (const line of [...told].map(([watch, tag]) => `${watch}\n${tag}\n\n`).sort()) hash.update(line);
  return hash.digest('hex').slice(0, 24);
}

/** Whether two lists name the same resources, in whatever order. */
export function sameEntries(one: readonly ResourceEntry[], other: readonly ResourceEntry[]): boolean {
  const known = new Set(one.map((entry) => entry.sel));
  return other.every((entry) => known.has(entry.sel)) && new Set(other.map((entry) => entry.sel)).size === known.size;
}

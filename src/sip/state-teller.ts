// What one NOTIFY tells: the difference between what a subscriber was told and what it may see now (RFC 5875 clause 4.7,
// mode no-patching), as much of it as fits.

import type { PatchOperation } from '../xml/xml-diff.ts';
import type { DocumentPatches, DocumentVersion } from './document-patches.ts';
import { patchOctets } from './notify-body.ts';
import { componentKey, isBelow, type ResourceEntry, resourceOfWatch, selBelow, watchKey } from './resource-entry.ts';
import type { VisibleNode } from './visible-node.ts';
import type { VisibleResources } from './visible-resources.ts';
import type { Target, WatchedSubscription } from './watched-subscription.ts';

/** One `document`, `element` or `attribute` of a diff, RFC 5874 clause 3. */
export interface ToldResource {
  readonly watch: string;
  readonly target: Target;
  /** Entity tag, of a component the digest of its content; undefined = was not there. */
  readonly previousTag: string | undefined;
  readonly newTag: string | undefined;
  /** A component that is there. */
  readonly node?: VisibleNode | undefined;
  /** What turns the document told before into this one; empty = its content is the same. */
  readonly patch?: readonly PatchOperation[] | undefined;
}

/** What fits one NOTIFY, and what is left for the next. */
export interface Telling {
  readonly changes: readonly ToldResource[];
  readonly rest: Map<string, Target> | undefined;
}

/** Documents of one NOTIFY that are kept for later patches: a whole collection would drive all others out. */
const mostKept = 100;

/** Everything there is and may be read, without previous tags. */
export async function tellEverything(
  subscription: WatchedSubscription,
  resources: VisibleResources,
  largestBody: number,
  patches: DocumentPatches,
): Promise<Telling> {
  const targets = await allTargets(subscription, resources);
  return tell(subscription, targets, () => undefined, resources, largestBody, patches);
}

/** Every resource that the entries name now, and every one that was told before: what a comparison after a restart looks at. */
export async function targetsToCompare(
  subscription: WatchedSubscription,
  resources: VisibleResources,
): Promise<Map<string, Target>> {
  const targets = await allTargets(subscription, resources);
  for (const watch of subscription.told.keys()) {
    if (targets.has(watch)) continue;
    const target = formerMember(watch, subscription.entries);
    if (target === undefined) subscription.told.delete(watch);
    else targets.set(watch, target);
  }
  return targets;
}

/** A resource that was below one of the collections when it was told. */
function formerMember(watch: string, entries: readonly ResourceEntry[]): Target | undefined {
  const resource = resourceOfWatch(watch);
  for (const entry of entries) {
    if (entry.kind === 'collection' && resource !== undefined && isBelow(entry, resource)) {
      return { sel: selBelow(entry, resource), resource };
    }
  }
  return undefined;
}

async function allTargets(
  subscription: WatchedSubscription,
  resources: VisibleResources,
): Promise<Map<string, Target>> {
  const targets = new Map<string, Target>();
  for (const entry of subscription.entries) {
    if (entry.kind === 'resource' && !targets.has(entry.watch)) targets.set(entry.watch, entry);
  }
  for (const entry of subscription.entries) {
    if (entry.kind === 'collection') await addMembers(targets, entry, subscription, resources);
  }
  for (const entry of subscription.entries) {
    if (entry.kind === 'component') targets.set(componentKey(entry), entry);
  }
  return targets;
}

async function addMembers(
  targets: Map<string, Target>,
  entry: Extract<ResourceEntry, { kind: 'collection' }>,
  subscription: WatchedSubscription,
  resources: VisibleResources,
): Promise<void> {
  for await (const resource of resources.below(subscription.facts.principal, entry)) {
    const watch = watchKey(resource);
    // RFC 5875 4.7: what overlaps is listed once
    if (!targets.has(watch)) targets.set(watch, { sel: selBelow(entry, resource), resource });
  }
}

/** What differs from what was told, among these targets. Takes them from the map as it goes. */
export function tellChanges(
  subscription: WatchedSubscription,
  targets: Map<string, Target>,
  resources: VisibleResources,
  largestBody: number,
  patches: DocumentPatches,
): Promise<Telling> {
  return tell(subscription, targets, (watch) => subscription.told.get(watch), resources, largestBody, patches);
}

async function tell(
  subscription: WatchedSubscription,
  targets: Map<string, Target>,
  toldTag: (watch: string) => string | undefined,
  resources: VisibleResources,
  largestBody: number,
  patches: DocumentPatches,
): Promise<Telling> {
  const changes: ToldResource[] = [];
  const { principal } = subscription.facts;
  const mode = subscription.diffProcessing;
  const newTagOf = async (
    { node: watched, resource }: Target,
    node: VisibleNode | undefined,
    version: DocumentVersion | undefined,
  ): Promise<string | undefined> => {
    if (watched !== undefined) return node?.digest;
    return mode === 'no-patching' ? resources.tag(principal, resource) : version?.tag;
  };
  let octets = 0;
  let read = 0;
  for (const [watch, target] of targets) {
    // Tags from a cache come without leaving the microtask queue: others get their turn.
    if (++read % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
    const node = target.node === undefined ? undefined : await resources.node(principal, target.resource, target.node);
    const version =
      target.node === undefined && mode !== 'no-patching'
        ? await resources.version(principal, target.resource)
        : undefined;
    const newTag = await newTagOf(target, node, version);
    const previousTag = toldTag(watch);
    if (newTag !== previousTag) {
      if (version !== undefined && changes.length < mostKept) patches.keep(watch, version);
      const patch =
        version === undefined || previousTag === undefined
          ? undefined
          : patches.between(watch, previousTag, version, mode);
      const change = fitting({ watch, target, previousTag, newTag, node, patch }, largestBody);
      octets += octetsOf(change);
      if (octets > largestBody && changes.length > 0) return { changes, rest: targets };
      changes.push(change);
    }
    targets.delete(watch);
  }
  return { changes, rest: undefined };
}

/** RFC 5875 4.7: an element or patch too large for a NOTIFY is left out, and the content fetched by who wants it. */
function fitting(change: ToldResource, largestBody: number): ToldResource {
  const { node } = change;
  if (octetsOf(change) <= largestBody) return change;
  if (change.patch !== undefined) return { ...change, patch: undefined };
  return node?.kind === 'element' ? { ...change, node: { ...node, shown: undefined } } : change;
}

/** Octets that a change takes in a body, or more: some characters are escaped. */
function octetsOf({ target, previousTag, newTag, node, patch }: ToldResource): number {
  const frame = 64 + 2 * Buffer.byteLength(target.sel);
  if (node === undefined) {
    return frame + (newTag?.length ?? 0) + (previousTag?.length ?? 0) + (patch === undefined ? 0 : patchOctets(patch));
  }
  if (node.kind === 'attribute') return frame + 6 * Buffer.byteLength(node.value);
  if (node.shown === undefined) return frame;
  let octets = frame + Buffer.byteLength(node.shown.markup);
  for (const [prefix, uri] of node.shown.borrowed) octets += 16 + prefix.length + 6 * Buffer.byteLength(uri);
  return octets;
}

// What one NOTIFY tells: the difference between what a subscriber was told and what it may see now (RFC 5875 clause 4.7), as much of it
// as fits.

import type { PatchOperation } from '../xml/xml-diff.ts';
import { changeChain, type DocumentStep } from './change-chain.ts';
import type { DocumentHistory } from './document-history.ts';
import { type DocumentPatches, type DocumentVersion, patchOctets } from './document-patches.ts';
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
  /** Each change by itself, in place of the tags and the patch. */
  readonly steps?: readonly DocumentStep[] | undefined;
}

/** What fits one NOTIFY, and what is left for the next. */
export interface Telling {
  readonly changes: readonly ToldResource[];
  readonly rest: Map<string, Target> | undefined;
}

/** What tellings are made from, beside the subscription. */
export interface TellingSources {
  readonly resources: VisibleResources;
  readonly patches: DocumentPatches;
  readonly history: DocumentHistory;
}

/** Documents of one NOTIFY that are kept for later patches: a whole collection would drive all others out. */
const mostKept = 100;

/** Everything there is and may be read, without previous tags. */
export async function tellEverything(
  subscription: WatchedSubscription,
  sources: TellingSources,
  largestBody: number,
): Promise<Telling> {
  const targets = await allTargets(subscription, sources.resources);
  return tell(subscription, targets, () => undefined, sources, largestBody);
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
    if (target === undefined) {
      subscription.told.delete(watch);
      subscription.digest = undefined;
    } else targets.set(watch, target);
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
  sources: TellingSources,
  largestBody: number,
): Promise<Telling> {
  return tell(subscription, targets, (watch) => subscription.told.get(watch), sources, largestBody);
}

async function tell(
  subscription: WatchedSubscription,
  targets: Map<string, Target>,
  toldTag: (watch: string) => string | undefined,
  sources: TellingSources,
  largestBody: number,
): Promise<Telling> {
  const changes: ToldResource[] = [];
  let octets = 0;
  let read = 0;
  for (const [watch, target] of targets) {
    // Tags from a cache come without leaving the microtask queue: others get their turn.
    if (++read % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
    const previousTag = toldTag(watch);
    const change =
      target.node === undefined
        ? await documentChange(subscription, watch, target, previousTag, sources, changes.length < mostKept)
        : await componentChange(subscription, watch, target, previousTag, sources);
    const fitted = change === undefined ? undefined : fitting(change, largestBody);
    if (fitted !== undefined) {
      octets += octetsOf(fitted);
      if (octets > largestBody && changes.length > 0) return { changes, rest: targets };
      changes.push(fitted);
    }
    targets.delete(watch);
  }
  return { changes, rest: undefined };
}

async function componentChange(
  subscription: WatchedSubscription,
  watch: string,
  target: Target,
  previousTag: string | undefined,
  { resources }: TellingSources,
): Promise<ToldResource | undefined> {
  const { principal } = subscription.facts;
  const node = target.node === undefined ? undefined : await resources.node(principal, target.resource, target.node);
  const newTag = node?.digest;
  return newTag === previousTag ? undefined : { watch, target, previousTag, newTag, node };
}

/** @param keep whether the version may be kept to show later what has changed since */
async function documentChange(
  subscription: WatchedSubscription,
  watch: string,
  target: Target,
  previousTag: string | undefined,
  { resources, patches, history }: TellingSources,
  keep: boolean,
): Promise<ToldResource | undefined> {
  const { principal } = subscription.facts;
  const { resource, since } = target;
  const mode = subscription.diffProcessing;
  if (mode === 'no-patching') {
    const newTag = await resources.tag(principal, resource);
    return newTag === previousTag ? undefined : { watch, target, previousTag, newTag };
  }
  // Before the document, so that what is read then is not older.
  const past = mode === 'xcap-patching' && since !== undefined ? history.since(watch, since) : undefined;
  const version = await resources.version(principal, resource);
  const newTag = version?.tag;
  const viewed = (document: Parameters<VisibleResources['versionOf']>[2]): Promise<DocumentVersion | undefined> =>
    resources.versionOf(principal, resource, document);
  const steps =
    past === undefined
      ? undefined
      : await changeChain({ watch, steps: past, toldTag: previousTag, current: version, viewed, patches });
  if (newTag === previousTag && (steps === undefined || steps.length === 0)) return undefined;
  if (version !== undefined && keep) patches.keep(watch, version);
  if (steps !== undefined) return { watch, target, previousTag, newTag, steps };
  // RFC 5875 4.7: an aggregated patch is never the answer to xcap-patching; what its history does not tell is told by tags.
  const patch =
    mode === 'aggregate' && version !== undefined && previousTag !== undefined
      ? patches.between(watch, previousTag, version)
      : undefined;
  return { watch, target, previousTag, newTag, patch };
}

/** RFC 5875 4.7: an element or patch too large for a NOTIFY is left out, and the content fetched by who wants it. */
function fitting(change: ToldResource, largestBody: number): ToldResource | undefined {
  const { node, patch, steps, previousTag, newTag } = change;
  if (octetsOf(change) <= largestBody) return change;
  if (patch !== undefined || steps !== undefined) {
    return newTag === previousTag ? undefined : { ...change, patch: undefined, steps: undefined };
  }
  return node?.kind === 'element' ? { ...change, node: { ...node, shown: undefined } } : change;
}

/** Octets that a change takes in a body, or more: some characters are escaped. */
function octetsOf({ target, previousTag, newTag, node, patch, steps }: ToldResource): number {
  const frame = 64 + 2 * Buffer.byteLength(target.sel);
  if (steps !== undefined) return steps.reduce((sum, step) => sum + frame + octetsOfStep(step), 0);
  if (node === undefined) return frame + octetsOfStep({ newTag, previousTag, patch });
  if (node.kind === 'attribute') return frame + 6 * Buffer.byteLength(node.value);
  if (node.shown === undefined) return frame;
  let octets = frame + Buffer.byteLength(node.shown.markup);
  for (const [prefix, uri] of node.shown.borrowed) octets += 16 + prefix.length + 6 * Buffer.byteLength(uri);
  return octets;
}

function octetsOfStep({ newTag, previousTag, patch }: Omit<DocumentStep, 'sequence'>): number {
  return (newTag?.length ?? 0) + (previousTag?.length ?? 0) + (patch === undefined ? 0 : patchOctets(patch));
}

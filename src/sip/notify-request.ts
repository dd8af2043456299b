// One NOTIFY beside its body: header fields, the tag of the state it brings about, and what is noted once it was sent and answered.
import { keptTimes, rateParameters } from './rate-control.ts';
import { eventPackage, notifyBodyType } from './refusal-answer.ts';
import { digestOf, StateDigest, stateLine, stateTag } from './state-tag.ts';
import type { ToldResource } from './state-teller.ts';
import type { EndReason, Owed } from './subscription.ts';
import type { WatchedSubscription } from './watched-subscription.ts';

/** Notes that the subscriber has acknowledged what a NOTIFY told. */
export function takeAsTold(subscription: WatchedSubscription, owed: Owed, changes: readonly ToldResource[]): void {
  const size = (owed === 'full' ? 0 : subscription.told.size) + changes.length;
  subscription.digest = size > mostDigestedAnew ? digestAfter(subscription, owed, changes) : undefined;
  if (owed === 'full') subscription.told = new Map();
  for (const { watch, newTag } of changes) {
    if (newTag === undefined) subscription.told.delete(watch);
    else subscription.told.set(watch, newTag);
  }
}

/** Of a smaller state the digest is made when it is needed: keeping it would take more memory than that saves. */
const mostDigestedAnew = 32;

/** RFC 6665 clause 8.2: the Event of a NOTIFY has the package and the `id` of the SUBSCRIBE, nothing else. */
export function notifyHeaders(
  { facts, rates }: WatchedSubscription,
  reason: EndReason | undefined,
  left: number,
  hasBody: boolean,
): Record<string, string> {
  return {
    Event: facts.eventId === '' ? eventPackage : `${eventPackage};id=${facts.eventId}`,
    'Subscription-State':
      reason === undefined
        ? `active;expires=${Math.ceil(left / 1000)}${rateParameters(rates)}`
        : `terminated;reason=${reason}`,
    Contact: facts.contact,
    ...(hasBody ? { 'Content-Type': notifyBodyType } : {}),
  };
}

/** The tag of the state that the subscriber has once it was told this. */
export function tagAfter(subscription: WatchedSubscription, owed: Owed, changes: readonly ToldResource[]): string {
  return stateTag(subscription.entries, digestAfter(subscription, owed, changes));
}

/** The tag of the state that the subscriber was told. */
export function toldTag({ entries, told, digest }: WatchedSubscription): string {
  return stateTag(entries, digest ?? digestOf(told));
}

function digestAfter({ told, digest }: WatchedSubscription, owed: Owed, changes: readonly ToldResource[]): StateDigest {
  const full = owed === 'full';
  const after = full ? new StateDigest() : digest === undefined ? digestOf(told) : new StateDigest(digest);
  for (const { watch, newTag } of changes) {
    const before = full ? undefined : told.get(watch);
    if (before !== undefined) after.remove(stateLine(watch, before));
    if (newTag !== undefined) after.add(stateLine(watch, newTag));
  }
  return after;
}

/** Notes when a NOTIFY goes out, where the adaptive rate needs it (RFC 6446 clause 7.4). `now` in milliseconds. */
export function noteSending({ rates, sentLately }: WatchedSubscription, now: number): void {
  if (rates?.adaptiveMinRate === undefined) return;
  sentLately.push(now);
  if (sentLately.length > keptTimes) sentLately.shift();
}

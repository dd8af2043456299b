// One NOTIFY beside its body: header fields, the tag of the state it brings about, and what is noted once it was sent and answered.
import { keptTimes, rateParameters } from './rate-control.ts';
import { eventPackage, notifyBodyType } from './refusal-answer.ts';
import { mostTagged, stateTag } from './state-tag.ts';
import type { ToldResource } from './state-teller.ts';
import type { EndReason, Owed } from './subscription.ts';
import type { WatchedSubscription } from './watched-subscription.ts';

/** Notes that the subscriber has acknowledged what a NOTIFY told. */
export function takeAsTold(subscription: WatchedSubscription, owed: Owed, changes: readonly ToldResource[]): void {
  if (owed === 'full') subscription.told = new Map();
  for (const { watch, newTag } of changes) {
    if (newTag === undefined) subscription.told.delete(watch);
    else subscription.told.set(watch, newTag);
  }
}

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

/** The tag of the state that the subscriber has once it was told this; undefined when it was told nothing, or too much. */
export function tagAfter(
  { entries, told }: WatchedSubscription,
  owed: Owed,
  changes: readonly ToldResource[],
): string | undefined {
  if (owed === 'nothing' || told.size + changes.length > mostTagged) return undefined;
  const after = new Map(owed === 'full' ? [] : told);
  for (const { watch, newTag } of changes) {
    if (newTag === undefined) after.delete(watch);
    else after.set(watch, newTag);
  }
  return stateTag(entries, after);
}

/** Notes when a NOTIFY goes out, where the adaptive rate needs it (RFC 6446 clause 7.4). `now` in milliseconds. */
export function noteSending({ rates, sentLately }: WatchedSubscription, now: number): void {
  if (rates?.adaptiveMinRate === undefined) return;
  sentLately.push(now);
  if (sentLately.length > keptTimes) sentLately.shift();
}

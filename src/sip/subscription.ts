// The life of one subscription as a pure state machine (RFC 6665 clause 4.2, RFC 5875 clause 4.7): what happened goes in,
// what to do next comes out. Sockets, documents and timers are elsewhere.

/** What a subscriber must still be told: nothing, what changed, or everything. */
export type Owed = 'nothing' | 'changes' | 'full';

/**
 * Why a subscription ends, RFC 6665 clause 4.1.3: `rejected` when nothing is left that may be read, `noresource` when nothing is left that
 * is served here at all.
 */
export type EndReason = 'timeout' | 'deactivated' | 'rejected' | 'noresource';

/** Times are milliseconds of the face's clock. */
export interface SubscriptionState {
  /** False until the 200 to the first SUBSCRIBE has left; nothing is told before. */
  accepted: boolean;
  /** When the subscription ends unless refreshed. */
  expires: number;
  owed: Owed;
  /** A NOTIFY is being composed or waits for its answer: RFC 5875 4.7 allows one at a time. */
  outstanding: boolean;
  /** What the outstanding NOTIFY tells. */
  telling: Owed;
  /** Set once the subscription is to end; the next NOTIFY says so. */
  ending: EndReason | undefined;
  /** The outstanding NOTIFY is the last one. */
  last: boolean;
  /** The next NOTIFY follows a SUBSCRIBE and does not wait for the interval. */
  immediate: boolean;
  /** `Suppress-If-Match: *` (RFC 5839 clause 5.2): nothing is told but the end, until another SUBSCRIBE. */
  quenched: boolean;
  /** The state is still the one that the last SUBSCRIBE named in Suppress-If-Match: it is not told without news (RFC 5839 clause 6.3). */
  unchanged: boolean;
  /** When the last NOTIFY went out. */
  sent: number;
  /** No NOTIFY before this, after a refused one. */
  notBefore: number;
  /** NOTIFYs refused in a row. */
  refused: number;
}

/** Final answer to a NOTIFY, 408 when none came. */
export interface NotifyAnswer {
  readonly status: number;
  /** Seconds. */
  readonly retryAfter?: number | undefined;
  /** The NOTIFY told only a part of what was owed, and did not end the subscription. */
  readonly more?: boolean;
}

/** Something that happened to a subscription. */
export type SubscriptionEvent =
  /** A SUBSCRIBE was accepted; `expires` is the new end. A fetch or an unsubscription has none. */
  | { readonly event: 'subscribed'; readonly expires: number | undefined }
  /** A SUBSCRIBE was accepted that no NOTIFY follows (RFC 5839 clause 6.3). */
  | { readonly event: 'extended'; readonly expires: number }
  | { readonly event: 'changed' }
  /** Taken up after a restart: what was told must be compared with what there is. */
  | { readonly event: 'resumed' }
  | { readonly event: 'timer' }
  /** The outstanding NOTIFY turned out to have nothing to tell and was not sent. */
  | { readonly event: 'unsent' }
  | ({ readonly event: 'answered' } & NotifyAnswer)
  | { readonly event: 'end'; readonly reason: EndReason };

/**
 * What to do now. `notify`: compose and send a NOTIFY that tells `owed`, with `terminated` when `reason` is set.
 * `wait`: nothing before `until` (a `timer` event is due then). `remove`: forget the subscription; `cause` is for the log.
 */
export type SubscriptionEffect =
  | { readonly effect: 'notify'; readonly owed: Owed; readonly reason: EndReason | undefined }
  | { readonly effect: 'wait'; readonly until: number }
  | { readonly effect: 'remove'; readonly cause: string };

/** A subscription before its first event. */
export function newSubscription(expires: number): SubscriptionState {
  return {
    accepted: false,
    expires,
    owed: 'nothing',
    outstanding: false,
    telling: 'nothing',
    ending: undefined,
    last: false,
    immediate: false,
    quenched: false,
    unchanged: false,
    sent: Number.NEGATIVE_INFINITY,
    notBefore: Number.NEGATIVE_INFINITY,
    refused: 0,
  };
}

// RFC 6665 4.2.2 with RFC 5875 4.7 (408 as the timeout) and RFC 5057 5.1 (502: the dialog is broken).
const fatal = new Set([404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 502, 604]);

/** Pause after a refused NOTIFY without Retry-After, doubled for each further one; milliseconds. */
const firstPause = 5_000;
const longestPause = 300_000;

/**
 * Advances the state by one event.
 * @param interval least time between two NOTIFYs, milliseconds
 * @param longest time after which one goes out although nothing changed, milliseconds
 */
export function advance(
  state: SubscriptionState,
  event: SubscriptionEvent,
  now: number,
  interval: number,
  longest = Number.POSITIVE_INFINITY,
): SubscriptionEffect {
  switch (event.event) {
    case 'subscribed':
      // RFC 6665 4.2.1.2: a NOTIFY follows every accepted SUBSCRIBE at once; RFC 5875 4.7: with full state
      state.accepted = true;
      state.owed = 'full';
      state.immediate = true;
      state.unchanged = false;
      if (event.expires === undefined) state.ending = 'timeout';
      else state.expires = event.expires;
      break;
    case 'extended':
      state.expires = event.expires;
      state.unchanged = true;
      break;
    case 'changed':
      if (state.owed === 'nothing') state.owed = 'changes';
      break;
    case 'resumed':
      state.accepted = true;
      if (state.owed === 'nothing') state.owed = 'changes';
      state.immediate = !state.quenched;
      break;
    case 'end':
      state.ending ??= event.reason;
      state.immediate = true;
      break;
    case 'unsent':
      state.outstanding = false;
      break;
    case 'answered': {
      const cause = answered(state, event, now);
      if (cause !== undefined) return { effect: 'remove', cause };
      break;
    }
    case 'timer':
      break;
  }
  return next(state, now, interval, longest);
}

/** Books the answer to the outstanding NOTIFY; answers why the subscription is over, if it is. */
function answered(state: SubscriptionState, answer: NotifyAnswer, now: number): string | undefined {
  state.outstanding = false;
  if (state.telling === 'changes') state.unchanged = false;
  if (state.last && answer.more !== true) return `terminated;reason=${state.ending ?? 'timeout'}`;
  if (answer.status >= 200 && answer.status < 300) {
    state.refused = 0;
    if (answer.more === true) {
      if (state.owed === 'nothing') state.owed = 'changes';
      state.immediate = true;
    }
    return undefined;
  }
  if (fatal.has(answer.status)) return `NOTIFY answered ${answer.status}`;
  // RFC 6665 4.2.2, RFC 5057: only the transaction failed. A SUBSCRIBE that came meanwhile has its NOTIFY at once.
  state.immediate = state.owed === 'full';
  if (state.telling === 'full' || state.owed === 'nothing') state.owed = state.telling;
  const pause = Math.min(longestPause, firstPause * 2 ** Math.min(state.refused, 10));
  state.refused += 1;
  state.notBefore = now + (answer.retryAfter === undefined ? pause : answer.retryAfter * 1000);
  return undefined;
}

/** Makes the NOTIFY that is being composed the last one. */
export function endWith(state: SubscriptionState, reason: EndReason): void {
  state.ending = reason;
  state.last = true;
}

function next(state: SubscriptionState, now: number, interval: number, longest: number): SubscriptionEffect {
  if (state.ending === undefined && now >= state.expires) state.ending = 'timeout';
  if (!state.accepted || state.outstanding) {
    return { effect: 'wait', until: state.ending === undefined ? state.expires : Number.POSITIVE_INFINITY };
  }
  if (state.ending !== undefined) return notify(state, now);
  if (state.quenched && !state.immediate && state.owed !== 'full') return { effect: 'wait', until: state.expires };
  if (state.owed === 'nothing') {
    if (state.unchanged) return { effect: 'wait', until: state.expires };
    // RFC 6446 6.3: with a minimum rate the current state is told although it is known
    const due = Math.max(state.sent + longest, state.notBefore);
    if (due > now) return { effect: 'wait', until: Math.min(due, state.expires) };
    state.owed = 'full';
  }
  const earliest = state.immediate ? now : Math.max(state.sent + interval, state.notBefore);
  return earliest > now ? { effect: 'wait', until: Math.min(earliest, state.expires) } : notify(state, now);
}

function notify(state: SubscriptionState, now: number): SubscriptionEffect {
  const { owed, ending } = state;
  state.outstanding = true;
  state.telling = owed;
  state.owed = 'nothing';
  state.immediate = false;
  state.last = ending !== undefined;
  state.sent = now;
  return { effect: 'notify', owed, reason: ending };
}

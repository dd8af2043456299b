import { describe, expect, test } from '@jest/globals';
import { advance, newSubscription, type SubscriptionEvent, type SubscriptionState } from './subscription.ts';

const interval = 5_000;

function subscribed(now = 0, expires = 3_600_000): SubscriptionState {
  const state = newSubscription(expires);
  expect(advance(state, { event: 'subscribed', expires }, now, interval)).toEqual({
    effect: 'notify',
    owed: 'full',
    reason: undefined,
  });
  return state;
}

const step = (state: SubscriptionState, event: SubscriptionEvent, now: number) => advance(state, event, now, interval);
const answer = (status: number, retryAfter?: number): SubscriptionEvent => ({ event: 'answered', status, retryAfter });
const wait = (until: number) => ({ effect: 'wait', until });
const notify = (owed: string, reason?: string) => ({ effect: 'notify', owed, reason });

describe('RFC 5875 4.7: one NOTIFY at a time', () => {
  test('changes while a NOTIFY is outstanding become one NOTIFY after its answer', () => {
    const state = subscribed();
    expect(step(state, { event: 'changed' }, 10)).toEqual(wait(3_600_000));
    expect(step(state, { event: 'changed' }, 20)).toEqual(wait(3_600_000));
    expect(advance(state, answer(200), 30, 0)).toEqual(notify('changes'));
    expect(advance(state, answer(200), 40, 0)).toEqual(wait(3_600_000));
  });

  test('RFC 5875 4.10: changes inside the minimum interval wait for its end', () => {
    const state = subscribed();
    step(state, answer(200), 100);
    expect(step(state, { event: 'changed' }, 200)).toEqual(wait(5_000));
    expect(step(state, { event: 'changed' }, 4_000)).toEqual(wait(5_000));
    expect(step(state, { event: 'timer' }, 5_000)).toEqual(notify('changes'));
  });

  test('a change after a quiet time goes out at once', () => {
    const state = subscribed();
    step(state, answer(200), 100);
    expect(step(state, { event: 'changed' }, 60_000)).toEqual(notify('changes'));
  });

  test('a part of the state is followed by the rest without waiting', () => {
    const state = subscribed();
    expect(step(state, { event: 'answered', status: 200, more: true }, 10)).toEqual(notify('changes'));
    expect(step(state, answer(200), 20)).toEqual(wait(3_600_000));
  });

  test('nothing to tell: no NOTIFY, the next change counts', () => {
    const state = subscribed();
    step(state, answer(200), 0);
    expect(step(state, { event: 'changed' }, 5_000)).toEqual(notify('changes'));
    expect(step(state, { event: 'unsent' }, 5_001)).toEqual(wait(3_600_000));
  });
});

describe('RFC 6665 4.2.1.2: a NOTIFY after every accepted SUBSCRIBE', () => {
  test('a refresh is answered with full state at once, even inside the interval', () => {
    const state = subscribed();
    step(state, answer(200), 100);
    expect(step(state, { event: 'subscribed', expires: 7_200_000 }, 200)).toEqual(notify('full'));
    expect(state.expires).toBe(7_200_000);
  });

  test('a refresh while a NOTIFY is outstanding waits for its answer, then tells everything', () => {
    const state = subscribed();
    expect(step(state, { event: 'subscribed', expires: 7_200_000 }, 10)).toEqual(wait(7_200_000));
    expect(step(state, answer(503, 60), 20)).toEqual(notify('full'));
  });

  test('fetch and unsubscription: one NOTIFY with everything and terminated;reason=timeout, then removed', () => {
    const state = newSubscription(0);
    expect(step(state, { event: 'subscribed', expires: undefined }, 0)).toEqual(notify('full', 'timeout'));
    expect(step(state, answer(200), 10)).toEqual({ effect: 'remove', cause: 'terminated;reason=timeout' });
  });

  test('a fetch whose state needs two NOTIFYs ends with the second', () => {
    const state = newSubscription(0);
    step(state, { event: 'subscribed', expires: undefined }, 0);
    expect(step(state, { event: 'answered', status: 200, more: true }, 10)).toEqual(notify('changes', 'timeout'));
    expect(step(state, answer(200), 20).effect).toBe('remove');
  });
});

describe('RFC 6665 4.2.1.4: expiry', () => {
  test('an expired subscription is told terminated;reason=timeout and removed whatever the answer', () => {
    const state = subscribed(0, 60_000);
    expect(step(state, answer(200), 10)).toEqual(wait(60_000));
    expect(step(state, { event: 'timer' }, 60_000)).toEqual(notify('nothing', 'timeout'));
    expect(step(state, answer(500), 60_010).effect).toBe('remove');
  });

  test('an expiry while a NOTIFY is outstanding waits for its answer', () => {
    const state = subscribed(0, 1_000);
    expect(step(state, { event: 'timer' }, 1_000)).toEqual(wait(Number.POSITIVE_INFINITY));
    expect(step(state, answer(200), 1_500)).toEqual(notify('nothing', 'timeout'));
  });

  test('deactivation ends it at once', () => {
    const state = subscribed();
    step(state, answer(200), 10);
    expect(step(state, { event: 'end', reason: 'deactivated' }, 20)).toEqual(notify('nothing', 'deactivated'));
  });
});

describe('RFC 6665 4.2.2: answers to NOTIFY', () => {
  test.each([404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 502, 604])(
    '%i removes the subscription, with or without Retry-After',
    (status) => {
      expect(step(subscribed(), answer(status), 10).effect).toBe('remove');
      expect(step(subscribed(), answer(status, 5), 10).effect).toBe('remove');
    },
  );

  test.each([401, 407, 413, 500, 503, 513, 600, 302])('%i fails the transaction only', (status) => {
    const state = subscribed();
    expect(step(state, answer(status), 10)).toEqual(wait(5_010));
    expect(step(state, { event: 'timer' }, 5_010)).toEqual(notify('full'));
  });

  test('Retry-After is waited for, and pauses grow', () => {
    const state = subscribed();
    expect(step(state, answer(503, 30), 0)).toEqual(wait(30_000));
    step(state, { event: 'timer' }, 30_000);
    expect(step(state, answer(500), 30_000)).toEqual(wait(40_000));
    step(state, { event: 'timer' }, 40_000);
    expect(step(state, answer(500), 40_000)).toEqual(wait(60_000));
  });

  test('a refused change NOTIFY is owed again', () => {
    const state = subscribed();
    step(state, answer(200), 10);
    step(state, { event: 'changed' }, 10_000);
    expect(step(state, answer(500), 10_000)).toEqual(wait(15_000));
    expect(step(state, { event: 'timer' }, 15_000)).toEqual(notify('changes'));
  });
});

describe('RFC 5839 6.3 and RFC 6446 6.3: a state that is known to be known', () => {
  test('after a refresh that was 204 the minimum rate tells nothing, until something has changed', () => {
    const state = newSubscription(600_000);
    const interval = 0;
    const longest = 10_000;
    const at = (event: SubscriptionEvent, now: number) => advance(state, event, now, interval, longest);
    at({ event: 'subscribed', expires: 600_000 }, 0);
    expect(at({ event: 'answered', status: 200 }, 10)).toEqual({ effect: 'wait', until: 10_000 });
    expect(at({ event: 'extended', expires: 700_000 }, 5_000)).toEqual({ effect: 'wait', until: 700_000 });
    expect(at({ event: 'timer' }, 10_000)).toEqual({ effect: 'wait', until: 700_000 });
    expect(at({ event: 'changed' }, 50_000)).toMatchObject({ effect: 'notify', owed: 'changes' });
    expect(at({ event: 'answered', status: 200 }, 50_010)).toEqual({ effect: 'wait', until: 60_000 });
  });

  test('RFC 5839 5.2: quenched, a change tells nothing; the end does, and a first NOTIFY that was refused comes again', () => {
    const state = newSubscription(600_000);
    state.quenched = true;
    const at = (event: SubscriptionEvent, now: number) => advance(state, event, now, 0);
    expect(at({ event: 'subscribed', expires: 600_000 }, 0)).toMatchObject({ effect: 'notify', owed: 'full' });
    expect(at({ event: 'answered', status: 503 }, 10)).toMatchObject({ effect: 'wait', until: 5_010 });
    expect(at({ event: 'timer' }, 5_010)).toMatchObject({ effect: 'notify', owed: 'full' });
    expect(at({ event: 'answered', status: 200 }, 5_020)).toEqual({ effect: 'wait', until: 600_000 });
    expect(at({ event: 'changed' }, 6_000)).toEqual({ effect: 'wait', until: 600_000 });
    expect(at({ event: 'timer' }, 600_000)).toMatchObject({ effect: 'notify', reason: 'timeout' });
  });
});

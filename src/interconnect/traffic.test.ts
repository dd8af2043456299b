// What a partner may cost: a measure of its own for each, with the wait that is asked for.
import { beforeEach, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { PartnerTraffic, type TrafficLimits } from './traffic.ts';

const limits: TrafficLimits = {
  requestsPerSecond: 10,
  concurrentRequests: 30,
  connections: 2,
  subscribesPerSecond: 1,
  subscriptions: 3,
};

let now: number;
let traffic: PartnerTraffic;
beforeEach(() => {
  now = 0;
  traffic = new PartnerTraffic({ limitsOf: (name) => (name === 'gone' ? undefined : limits), now: () => now });
});

function refusal(act: () => unknown): Refusal {
  try {
    act();
  } catch (error) {
    if (error instanceof Refusal) return error;
  }
  throw new Error('it was admitted');
}

test('twice the rate at once, then the rate; the wait for the next place is told', () => {
  for (let i = 0; i < 20; i++) traffic.beginRequest('red')();
  const refused = refusal(() => traffic.beginRequest('red'));
  expect(refused).toMatchObject({
    code: 'rate-exceeded',
    detail: { retryAfter: 1, cause: 'limit of the partner: requests a second' },
  });
  expect(refused.row.status).toBe(429);
  now += 100;
  traffic.beginRequest('red')();
  expect(refusal(() => traffic.beginRequest('red')).code).toBe('rate-exceeded');
});

test('one partner that asks too much takes nothing from another', () => {
  for (let i = 0; i < 20; i++) traffic.beginRequest('red')();
  expect(refusal(() => traffic.beginRequest('red')).code).toBe('rate-exceeded');
  for (let i = 0; i < 20; i++) traffic.beginRequest('green')();
});

test('requests under way are bounded, and a place is free again when one was answered, once', () => {
  const ends = Array.from({ length: 20 }, () => traffic.beginRequest('red'));
  now += 2000;
  ends.push(...Array.from({ length: 10 }, () => traffic.beginRequest('red')));
  expect(refusal(() => traffic.beginRequest('red'))).toMatchObject({ code: 'unavailable', detail: { retryAfter: 1 } });
  ends[0]?.();
  ends[0]?.();
  traffic.beginRequest('red');
  expect(refusal(() => traffic.beginRequest('red')).code).toBe('unavailable');
});

test('connections and subscriptions are bounded by number, SUBSCRIBEs by rate', () => {
  traffic.checkConnection('red', 1);
  expect(refusal(() => traffic.checkConnection('red', 2)).code).toBe('unavailable');
  traffic.checkSubscribe('red', 0);
  expect(refusal(() => traffic.checkSubscribe('red', 3)).detail).toMatchObject({
    cause: 'limit of the partner: subscriptions',
    retryAfter: 60,
  });
  expect(refusal(() => traffic.checkSubscribe('red', 0)).detail.cause).toBe(
    'limit of the partner: SUBSCRIBEs a second',
  );
  now += 1000;
  traffic.checkSubscribe('red', 0);
});

test('a partner that is configured no more is not measured, because it is refused anyway', () => {
  for (let i = 0; i < 100; i++) traffic.beginRequest('gone');
});

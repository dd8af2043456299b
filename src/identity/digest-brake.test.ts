// Guessing passwords over Digest: how many wrong responses are looked at, whom that holds up, and whom it does not.
import { describe, expect, test } from '@jest/globals';
import { digestBrake } from './digest-brake.ts';

function brakeWith(options: { readonly burst?: number; readonly capacity?: number } = {}) {
  const clock = { now: 1_800_000_000_000 };
  return { clock, brake: digestBrake({ burst: 3, recoverySeconds: 10, now: () => clock.now, ...options }) };
}

describe('RFC 7616 5.7: online dictionary attacks', () => {
  test('after a burst of wrong responses from an address the next is looked at only after a while', () => {
    const { brake, clock } = brakeWith();
    for (let guess = 0; guess < 3; guess++) {
      expect(brake.wait('alice', '192.0.2.1')).toBeUndefined();
      brake.wrong('alice', '192.0.2.1');
    }
    expect(brake.wait('alice', '192.0.2.1')).toBe(10);
    expect(brake.wait('bob', '192.0.2.1')).toBe(10);
    clock.now += 9_000;
    expect(brake.wait('alice', '192.0.2.1')).toBe(1);
    clock.now += 1_000;
    expect(brake.wait('alice', '192.0.2.1')).toBeUndefined();
    brake.wrong('alice', '192.0.2.1');
    expect(brake.wait('alice', '192.0.2.1')).toBe(10);
  });

  test('guesses at one user from many addresses are counted together', () => {
    const { brake } = brakeWith();
    for (let host = 1; host <= 3; host++) brake.wrong('alice', `192.0.2.${host}`);
    expect(brake.wait('alice', '192.0.2.99')).toBe(10);
    expect(brake.wait('bob', '192.0.2.99')).toBeUndefined();
  });

  test('names that nobody has count for their address alone', () => {
    const { brake } = brakeWith();
    for (let guess = 0; guess < 3; guess++) brake.wrong(undefined, '192.0.2.1');
    expect(brake.wait('alice', '192.0.2.1')).toBe(10);
    expect(brake.wait('alice', '192.0.2.2')).toBeUndefined();
  });

  test('a user who has proven himself from an address is not locked out by guesses from elsewhere or beside him', () => {
    const { brake } = brakeWith();
    brake.right('alice', '192.0.2.1');
    for (let guess = 0; guess < 9; guess++) brake.wrong('alice', `198.51.100.${guess}`);
    for (let guess = 0; guess < 9; guess++) brake.wrong('bob', '192.0.2.1');
    expect(brake.wait('alice', '192.0.2.1')).toBeUndefined();
    expect(brake.wait('alice', '192.0.2.2')).toBe(10);
  });

  test('guesses at him from his own address are counted nevertheless', () => {
    const { brake } = brakeWith();
    brake.right('alice', '192.0.2.1');
    for (let guess = 0; guess < 3; guess++) brake.wrong('alice', '192.0.2.1');
    expect(brake.wait('alice', '192.0.2.1')).toBe(10);
  });

  test('RFC 4291 2.5.4: the addresses of one IPv6 subnet are one address', () => {
    const { brake } = brakeWith();
    for (const host of ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', '2001:db8:0:1:0:0:0:3'])
      brake.wrong(undefined, host);
    expect(brake.wait('alice', '2001:db8:0:1:abcd::9')).toBe(10);
    expect(brake.wait('alice', '2001:db8:0:2::1')).toBeUndefined();
  });

  test('with more addresses than are remembered the count of a user still stands', () => {
    const { brake } = brakeWith({ capacity: 4 });
    for (let host = 0; host < 100; host++) brake.wrong('alice', `192.0.2.${host}`);
    expect(brake.wait('alice', '198.51.100.1')).toBe(10);
  });
});

// Address lists: ranges of both families, however a socket spells the address.
import { describe, expect, test } from '@jest/globals';
import { addressList, isAddressRange, isLoopbackAddress } from './address-list.ts';

describe('address lists', () => {
  const list = addressList(['127.0.0.1', '10.1.0.0/16', '[2001:db8::]/32', 'fe80::1', '::ffff:192.0.2.0/120']);

  test.each([
    ['127.0.0.1', true],
    ['::ffff:127.0.0.1', true],
    ['::ffff:7f00:1', true],
    ['127.0.0.2', false],
    ['10.1.255.255', true],
    ['::ffff:10.1.2.3', true],
    ['10.2.0.0', false],
    ['2001:db8:ffff::1', true],
    ['[2001:db8::1]', true],
    ['2001:db9::', false],
    ['fe80::1%eth0', true],
    ['192.0.2.255', true],
    ['192.0.3.0', false],
    ['red.example', false],
    ['', false],
  ])('%s: %s', (address, covered) => {
    expect(list.has(address)).toBe(covered);
  });

  test('an unknown address is covered by nothing, not even by everything', () => {
    expect(addressList(['0.0.0.0/0', '::/0']).has(undefined)).toBe(false);
  });

  test.each(['localhost', '10.0.0.0/33', '::/129', '10.0.0', '10.0.0.1/x', '', '10.0.0.1/8/8'])(
    '%j is no entry',
    (entry) => {
      expect(isAddressRange(entry)).toBe(false);
      expect(() => addressList(['10.0.0.1', entry])).toThrow(`"${entry}" is not an IP address`);
    },
  );
});

test.each([
  ['127.8.9.1', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['[::1]', true],
  ['localhost', false],
  ['128.0.0.1', false],
])('loopback: %s is %s', (address, loopback) => {
  expect(isLoopbackAddress(address)).toBe(loopback);
});

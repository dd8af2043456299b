import { describe, expect, test } from '@jest/globals';
import { watchRequest } from './watch-request.ts';

const parts = {
  gms: 'sip:gms@blue.example',
  partnerGms: 'sip:gms@red.example',
  nextHop: 'sip:192.0.2.1;transport=tcp',
  callId: 'call',
  localTag: 'tag',
  expires: 3600,
  groups: ['sip:a@red.example'],
} as const;

describe('RFC 3261 8.1.1.8: the Contact', () => {
  test.each([
    [{}, '<sip:gms@localhost;gr>'],
    [{ nextHop: undefined }, '<sip:gms@localhost;gr>'],
    [{ partnerGms: 'sips:gms@red.example' }, '<sips:gms@localhost;gr>'],
    [{ nextHop: 'sips:edge.blue.example' }, '<sips:gms@localhost;gr>'],
    [{ gms: 'sip:blue.example' }, '<sip:gms@localhost;gr>'],
  ])('%j: %s', (change, contact) => {
    expect(watchRequest({ ...parts, ...change }).headers.Contact).toBe(contact);
  });
});

test('RFC 6665 4.1.2.3: what ends a subscription needs no list', () => {
  const { headers, body } = watchRequest({ ...parts, expires: 0, groups: [] });
  expect([headers.Expires, headers['Content-Type'], body]).toEqual(['0', undefined, '']);
});

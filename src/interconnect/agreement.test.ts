import { describe, expect, test } from '@jest/globals';
import type { AgreementConfiguration } from '../config/schema.ts';
import { inactivity, isCovered, judgeAgreement, sharedServices } from './agreement.ts';

const nothing: AgreementConfiguration = {
  state: 'active',
  theyProvide: [],
  weRequest: [],
  weProvide: [],
  theyRequest: [],
  thirdSystemMembers: 'keep',
  atEnd: 'freeze',
  accept: 'automatic',
};
const now = Date.parse('2026-06-01T12:00:00Z');

describe('an agreement lets happen what it names and nothing else', () => {
  const agreement: AgreementConfiguration = {
    ...nothing,
    weProvide: [{ groups: 'sip:harbour-*@red.example', services: ['mcptt'] }, { groups: 'sip:joint@red.example' }],
    theyRequest: [{ groups: 'sip:harbour-1@red.example', services: ['mcdata'] }],
  };
  const cases = [
    [['weProvide'], 'sip:harbour-1@red.example', 'allowed'],
    [['weProvide', 'theyRequest'], 'sip:harbour-1@red.example', 'allowed'],
    [['theyRequest'], 'sip:joint@red.example', 'not-covered'],
    [['theyProvide', 'weRequest'], 'sip:harbour-1@red.example', 'not-covered'],
    [['weProvide'], 'sip:harbour-1@sub.red.example', 'not-covered'],
  ] as const;
  test.each(cases)('%j of %s: %s', (lists, groupId, verdict) => {
    expect(judgeAgreement(agreement, lists, groupId, now)).toEqual({ verdict });
  });

  test('services of all matching patterns of a direction are shared, by provision and request alike', () => {
    expect(sharedServices(agreement, 'outbound', 'sip:harbour-1@red.example')).toEqual(['mcptt', 'mcdata']);
    expect(sharedServices(agreement, 'outbound', 'sip:harbour-2@red.example')).toEqual(['mcptt']);
    expect(sharedServices(agreement, 'inbound', 'sip:harbour-1@red.example')).toEqual([]);
  });

  test('a pattern without services shares all of them, whatever others name', () => {
    const both = { ...agreement, weProvide: [...agreement.weProvide, { groups: 'sip:*@red.example' }] };
    expect(sharedServices(both, 'outbound', 'sip:harbour-1@red.example')).toBeUndefined();
  });

  test('a tel: group needs a pattern of its own', () => {
    const wide = { ...nothing, weRequest: [{ groups: '*' }] };
    expect(isCovered(wide, ['weRequest'], 'tel:+331')).toBe(false);
    expect(isCovered(wide, ['weRequest'], 'sip:a@red.example')).toBe(true);
    const explicit = { ...nothing, weRequest: [{ groups: 'tel:+33*' }] };
    expect(isCovered(explicit, ['weRequest'], 'tel:+331')).toBe(true);
  });
});

describe('an agreement is in force in its state and time only', () => {
  const cases: readonly (readonly [Partial<AgreementConfiguration>, string | undefined])[] = [
    [{}, undefined],
    [{ state: 'dormant' }, 'dormant'],
    [{ state: 'suspended' }, 'suspended'],
    [{ validFrom: '2026-06-01T14:00:01+02:00' }, 'not yet valid'],
    [{ validFrom: '2026-06-01T12:00:00Z' }, undefined],
    [{ validUntil: '2026-06-01T12:00:00Z' }, 'no longer valid'],
    [{ validUntil: '2026-06-01T12:00:01Z' }, undefined],
  ];
  test.each(cases)('%j: %s', (given, why) => {
    expect(inactivity({ ...nothing, ...given }, now)).toBe(why);
  });

  test('what is covered but not in force is told apart from what is not covered', () => {
    const agreement: AgreementConfiguration = {
      ...nothing,
      state: 'suspended',
      weProvide: [{ groups: 'sip:a@red.example' }],
    };
    expect(judgeAgreement(agreement, ['weProvide'], 'sip:a@red.example', now)).toEqual({
      verdict: 'not-active',
      why: 'suspended',
    });
    expect(judgeAgreement(agreement, ['weProvide'], 'sip:b@red.example', now)).toEqual({ verdict: 'not-covered' });
  });
});

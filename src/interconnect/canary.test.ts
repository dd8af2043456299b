// Which group an interconnection is tried with: one that was agreed, or one whose marked name fits the agreement.
import { expect, test } from '@jest/globals';
import { configurationSchema, type PartnerConfiguration } from '../config/schema.ts';
import { canaryFor, isCanary } from './canary.ts';

function partner(patterns: readonly string[], canaries: readonly string[] = []): PartnerConfiguration {
  const { partners } = configurationSchema.parse({
    system: { name: 'red', domains: ['red.example'], gms: 'sip:gms@red.example' },
    xcap: { listen: { port: 0 }, root: 'http://127.0.0.1/xcap-root' },
    storage: { sqlite: 'unused.db' },
    partners: [
      {
        name: 'blue',
        domains: ['blue.example'],
        gms: 'sip:gms@blue.example',
        certificates: [{ san: 'gms.blue.example' }],
        agreement: { weProvide: patterns.map((groups) => ({ groups })) },
        canaries,
      },
    ],
  });
  const [only] = partners;
  if (only === undefined) throw new Error('no partner');
  return only;
}

const isHome = (groupId: string): boolean => groupId.endsWith('@red.example');
const canary = (patterns: readonly string[], canaries?: readonly string[]): string | undefined =>
  canaryFor(partner(patterns, canaries), ['weProvide'], ['red.example'], isHome);

test.each([
  [['sip:*@red.example'], 'sip:mcgw-canary@red.example'],
  [['sip:border-*@red.example'], 'sip:border-mcgw-canary@red.example'],
  [['sip:*-border-*@red.example'], 'sip:mcgw-canary-border-@red.example'],
  [['sip:*'], 'sip:mcgw-canary@red.example'],
  [['sip:border-1@red.example'], undefined],
  [['sip:*@green.example'], undefined],
  [[], undefined],
])('the patterns %j leave room for %s', (patterns, expected) => {
  expect(canary(patterns)).toBe(expected);
});

test('one that was agreed comes first, unless the agreement does not cover it or it is not ours', () => {
  expect(canary(['sip:*@red.example'], ['sip:try@red.example'])).toBe('sip:try@red.example');
  expect(canary(['sip:border-*@red.example'], ['sip:try@red.example'])).toBe('sip:border-mcgw-canary@red.example');
  expect(canary(['sip:*'], ['sip:try@blue.example'])).toBe('sip:mcgw-canary@red.example');
});

test('what arrives is a canary when it was agreed or is marked', () => {
  const agreed = partner([], ['SIP:try@BLUE.example']);
  expect(isCanary(agreed, 'sip:try@blue.example')).toBe(true);
  expect(isCanary(agreed, 'sip:mcgw-canary@blue.example')).toBe(true);
  expect(isCanary(agreed, 'sip:fire@blue.example')).toBe(false);
});

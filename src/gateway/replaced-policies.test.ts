import { expect, test } from '@jest/globals';
import type { InterconnectionSettings } from '../interconnect/partners.ts';
import type { Policy } from '../policy/policy.ts';
import { passThroughPolicy } from '../policy/policy-file.ts';
import { closeUnused, policiesOf } from './replaced-policies.ts';

test('policies that settings do not use are closed, once each; the others stay', () => {
  const closed: string[] = [];
  const policy = (name: string): Policy => ({ ...passThroughPolicy, name, close: () => closed.push(name) });
  const settings = (...partners: readonly (readonly [Policy, Policy])[]): InterconnectionSettings =>
    ({
      partners: partners.map(([inbound, outbound]) => ({ inbound, outbound })),
    }) as unknown as InterconnectionSettings;
  const [kept, old, gone] = [policy('kept'), policy('old'), policy('gone')];
  closeUnused(policiesOf(settings([kept, old], [gone, kept], [old, gone])), settings([kept, policy('new')]));
  expect(closed).toEqual(['old', 'gone']);
});

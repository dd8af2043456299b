// Partner configurations for tests, complete with every default.
import { configurationSchema, type PartnerConfiguration } from '../config/schema.ts';

/** Partner `name` with the domain `<name>.example`; `override` replaces what a test is about. */
export function partnerConfiguration(name: string, override: Partial<PartnerConfiguration> = {}): PartnerConfiguration {
  const { partners } = configurationSchema.shape;
  const [partner] = partners.parse([
    {
      name,
      domains: [`${name}.example`],
      gms: `sip:gms@${name}.example`,
      certificates: [{ san: `gms.${name}.example` }],
      agreement: {},
    },
  ]);
  if (partner === undefined) throw new Error('no partner');
  return { ...partner, ...override };
}

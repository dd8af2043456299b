// The shape of a policy file: one source for types, checks and messages.
// Only rule kinds that are built are here; every other key is unknown and refused.
import { z } from 'zod';
import { canonicalUri } from '../identity/uri.ts';

const text = z.string().min(1);
const service = z.enum(['mcptt', 'mcvideo', 'mcdata']);
const services = z.array(service).min(1);
const xpath = text.describe('XPath 1.0');
const priority = z.int().min(0).max(255);
const domain = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'must be a domain name')
  .transform((name) => name.toLowerCase());
const pattern = z
  .string()
  .refine(isPattern, 'must be a URI, or a pattern with * that starts with a scheme or with *')
  .describe('pattern over canonical URIs; * stands for any run of characters');

const clamp = z
  .strictObject({
    priority: services.describe('services whose group priority is limited; higher is more urgent'),
    min: priority.optional().describe('an absent or lower priority becomes this'),
    max: priority.optional().describe('a higher priority becomes this; an absent one stays absent'),
  })
  .refine((clamp) => clamp.min !== undefined || clamp.max !== undefined, 'needs min or max')
  .refine((clamp) => (clamp.min ?? 0) <= (clamp.max ?? 255), 'min must not be above max');

const keepItem = z
  .strictObject({
    served: z.literal(true).optional().describe('users receiving service in this system'),
    domain: domain.optional().describe('identities of this domain, exactly'),
    participantType: text.optional().describe('entries of this functional category'),
    uri: pattern.optional(),
  })
  .refine((item) => Object.keys(item).length > 0, 'needs served, domain, participantType or uri');

const members = z.strictObject({
  keep: z.array(keepItem).min(1).describe('an entry stays when one item fits in all its keys'),
  limit: z.int().min(1).optional().describe('at most so many entries stay, the first in document order'),
});

const ruleKinds = {
  clamp,
  members,
  services: z.strictObject({ drop: services }),
  set: z.strictObject({
    select: xpath,
    value: z
      .union([z.string(), z.number(), z.boolean()], { error: 'must be a text, a number, true or false' })
      .transform((value) => String(value)),
  }),
  remove: z.strictObject({ select: xpath }),
  insert: z.strictObject({
    into: xpath,
    element: text.describe('one element; the prefixes of selections are bound in it'),
  }),
  require: z.strictObject({ select: xpath, otherwise: text.describe('phrase of the refusal') }),
} as const;

type RuleKind = keyof typeof ruleKinds;
const ruleKindNames = Object.keys(ruleKinds) as readonly RuleKind[];

const when = z
  .strictObject({
    select: xpath.optional(),
    service: service.optional(),
    group: pattern.optional(),
    owner: text.optional().describe('text of the mcpttgi:owner element'),
  })
  .refine((when) => Object.keys(when).length > 0, 'needs select, service, group or owner');

export const ruleSchema = z
  .strictObject({
    name: text.max(200).describe('shown wherever the rule acted'),
    when: when.optional(),
    endToEnd: z.boolean().default(false),
    clamp: clamp.optional(),
    members: members.optional(),
    services: ruleKinds.services.optional(),
    set: ruleKinds.set.optional(),
    remove: ruleKinds.remove.optional(),
    insert: ruleKinds.insert.optional(),
    require: ruleKinds.require.optional(),
  })
  .refine((rule) => kindsOf(rule).length === 1, `needs exactly one of ${ruleKindNames.join(', ')}`);

export const policySchema = z.strictObject({
  policy: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be letters, digits, dots, hyphens and underscores'),
  version: z.int().min(0),
  rules: z.array(ruleSchema),
});

export type RuleFile = z.infer<typeof ruleSchema>;
export type WhenFile = z.infer<typeof when>;
export type ClampFile = z.infer<typeof clamp>;
export type MembersFile = z.infer<typeof members>;
export type KeepItem = z.infer<typeof keepItem>;

/** The rule kinds that a rule of a file names. */
export function kindsOf(rule: Readonly<Record<string, unknown>>): readonly RuleKind[] {
  return ruleKindNames.filter((kind) => rule[kind] !== undefined);
}

function isPattern(value: string): boolean {
  if (/\s/.test(value)) return false;
  return value.includes('*') ? /^(\*|[A-Za-z][A-Za-z0-9+.-]*:)/.test(value) : canonicalUri(value) !== undefined;
}

// The shape of a policy file: one source for types, checks and messages.
// Rule kinds and their keys; every other key is unknown and refused.
import { z } from 'zod';
import { canonicalUri } from '../identity/uri.ts';
import { xpathPrefixes } from '../xml/xpath.ts';
import { isSameAction } from './action-names.ts';

const text = z.string().min(1);
const service = z.enum(['mcptt', 'mcvideo', 'mcdata']);
const services = z.array(service).min(1);
/** Characters; compiling longer ones would hold everybody up. */
const longestXPath = 10_000;
const longestElement = 20_000;

const xpath = text.max(longestXPath).describe('XPath 1.0');
const priority = z.int().min(0).max(255);
const domain = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'must be a domain name')
  .transform((name) => name.toLowerCase());
const pattern = z
  .string()
  .refine(isPattern, 'must be a URI, or a pattern with * that starts with a scheme or with *')
  .meta({ pattern: '^(\\*\\S*|[A-Za-z][A-Za-z0-9+.-]*:\\S+)$' })
  .describe('pattern over canonical URIs; * stands for any run of characters');

const clamp = withSome(
  z.strictObject({
    priority: services.describe('services whose group priority is limited; higher is more urgent'),
    min: priority.optional().describe('an absent or lower priority becomes this'),
    max: priority.optional().describe('a higher priority becomes this; an absent one stays absent'),
  }),
  ['min', 'max'],
).refine((clamp) => (clamp.min ?? 0) <= (clamp.max ?? 255), 'min must not be above max');

const whom = {
  served: z.literal(true).optional().describe('users receiving service in this system'),
  domain: domain.optional().describe('identities of this domain, exactly'),
  participantType: text.optional().describe('entries of this functional category'),
  uri: pattern.optional(),
} as const;
const whomKeys = ['served', 'domain', 'participantType', 'uri'] as const;

const keepItem = withSome(z.strictObject(whom), whomKeys);

const members = z.strictObject({
  keep: z.array(keepItem).min(1).describe('an entry stays when one item fits in all its keys'),
  limit: z.int().min(1).optional().describe('at most so many entries stay, the first in document order'),
});

const regularExpression = text.max(1000).describe('regular expression without back-references and look-around');
const file = text.describe('file below the folder of the policy file');
/** XML 1.0 production 2: control characters stand in no document, not even as references. */
const notInXml = String.raw`\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff`;
const writable = new RegExp(`^[^${notInXml}]*$`);
const notWritable = 'has a character that no XML document may have';
const value = z
  .union([z.string(), z.number(), z.boolean()], { error: 'must be a text, a number, true or false' })
  .refine((value) => writable.test(String(value)), notWritable)
  .meta({ pattern: writable.source })
  .transform((value) => String(value));

const rewrite = withOne(
  z.strictObject({
    identities: z.literal(true).optional().describe('every position that holds an identity'),
    select: xpath.optional().describe('XPath 1.0: elements and attributes whose text is rewritten'),
    pattern: regularExpression.describe('compared with canonical URIs, or with the selected text'),
    with: z
      .string()
      .regex(writable, notWritable)
      .describe('replaces the first match; $1 to $99 are groups, $& the match, $$ a dollar sign'),
  }),
  ['identities', 'select'],
);

const participantTypes = z.union([text.transform((one) => [one]), z.array(text).min(1)], {
  error: 'must be a participant type or a list of them',
});

const pseudonym = z.strictObject({
  members: z.strictObject({
    domain: domain.describe('identities of this domain, exactly, are replaced'),
    except: participantTypes.optional().describe('entries of these participant types keep theirs'),
  }),
  into: domain.optional().describe('domain of the pseudonyms; default: the domain with .pseudonym.invalid behind it'),
  key: text.default('pseudonym.key').describe('file with the key, from the folder of the policy file'),
});

const actionName = new RegExp(`^((${Object.keys(xpathPrefixes).join('|')}):)?[A-Za-z_][A-Za-z0-9._-]*$`);
const permission = z
  .string()
  .regex(actionName, 'must be the name of an action element, without a prefix or with one of those of selections')
  .describe('action element of a rule, e.g. allow-MCPTT-emergency-call');

const permissions = withSome(
  z.strictObject({
    for: withSome(
      z.strictObject({
        ...whom,
        except: participantTypes.optional().describe('entries of these participant types are left out'),
      }),
      whomKeys,
    ),
    deny: z.array(permission).min(1).optional(),
    allow: z.array(permission).min(1).optional(),
  }),
  ['deny', 'allow'],
).refine(
  (rule) => !rule.deny?.some((name) => rule.allow?.some((allowed) => isSameAction(name, allowed))),
  'denies what it allows',
);

const areas = withSome(
  z.strictObject({
    keepWithin: file.optional().describe('GeoJSON file; what does not lie wholly inside is removed'),
    drop: z
      .union([z.literal(true), file, z.array(text).min(1)], {
        error: 'must be true, a GeoJSON file, or a list of element names',
      })
      .optional()
      .describe('true: all areas; a GeoJSON file: those that touch it; element names: those elements'),
    elements: z
      .array(text.regex(/^[A-Za-z_][\w.-]*$/, 'must be a local name'))
      .min(1)

      .optional()
      .describe('local names of the elements that hold areas, as the release spells them'),
    ifNoneLeft: z.enum(['accept', 'refuse']).default('accept').describe('refuse a group whose last area would go'),
  }),
  ['keepWithin', 'drop'],
);

const range = z
  .string()
  .regex(/^-?\d{1,9}\s*(-|\.\.)\s*-?\d{1,9}$/, 'must be two whole numbers, e.g. 0-7')
  .describe('two whole numbers, e.g. 0-7');

const map = withSome(
  z.strictObject({
    select: xpath,
    table: z.record(z.string(), value).optional().describe('new value by present value'),
    ranges: z.record(range, range).optional().describe('numbers of one range become those of another, in proportion'),
    otherwise: z
      .enum(['keep', 'refuse'])
      .optional()
      .describe('values not named; default: keep with a table, refuse with ranges'),
  }),
  ['table', 'ranges'],
);

const ruleKinds = {
  clamp,
  members,
  services: z.strictObject({ drop: services }),
  areas,
  set: z.strictObject({ select: xpath, value }),
  insert: z.strictObject({
    into: xpath,
    element: text
      .max(longestElement)
      .describe('one element; the prefixes of selections are bound in it')
      .meta({ pattern: '^\\s*<[\\s\\S]*>\\s*$' }),
  }),
  remove: z.strictObject({ select: xpath }),
  rename: z.strictObject({
    select: xpath,
    to: text
      .regex(/^([A-Za-z]+:)?[A-Za-z_][\w.-]*$/, 'must be a name, e.g. mcpttgi:owner')
      .describe('new name; elements need one of the prefixes of selections')
      .meta({ pattern: `^((${Object.keys(xpathPrefixes).join('|')}):)?[A-Za-z_][\\w.-]*$` }),
  }),
  map,
  rewrite,
  pseudonym,
  permissions,
  require: z.strictObject({ select: xpath, otherwise: text.describe('phrase of the refusal') }),
  stylesheet: file.describe('XSLT file, run by the optional package saxon-js'),
} as const;

export type RuleKind = keyof typeof ruleKinds;
export const ruleKindNames = Object.keys(ruleKinds) as readonly RuleKind[];

const when = withSome(
  z.strictObject({
    select: xpath.optional(),
    service: service.optional(),
    group: pattern.optional(),
    owner: text.optional().describe('text of the mcpttgi:owner element'),
  }),
  ['select', 'service', 'group', 'owner'],
);

export const ruleSchema = withOne(
  z.strictObject({
    name: text.max(200).describe('shown wherever the rule acted'),
    when: when.optional().describe('the rule acts only when all of this holds'),
    endToEnd: z.boolean().default(false).describe('the rule may change what binds both systems'),
    clamp: clamp.optional(),
    members: members.optional(),
    services: ruleKinds.services.optional(),
    areas: areas.optional(),
    set: ruleKinds.set.optional(),
    insert: ruleKinds.insert.optional(),
    remove: ruleKinds.remove.optional(),
    rename: ruleKinds.rename.optional(),
    map: map.optional(),
    rewrite: rewrite.optional(),
    pseudonym: pseudonym.optional(),
    permissions: permissions.optional(),
    require: ruleKinds.require.optional(),
    stylesheet: ruleKinds.stylesheet.optional(),
  }),
  ruleKindNames,
);

export const includeSchema = z.strictObject({
  include: file.describe('policy file whose rules stand here'),
});

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be letters, digits, dots, hyphens and underscores');

export const policySchema = z.strictObject({
  policy: name.describe('name, shown with every derived group'),
  version: z.int().min(0).describe('give a new one to each change'),
  include: z.array(file).optional().describe('files whose rules come before those of this one'),
  rules: z
    .array(z.unknown())
    .describe('rules, in the order in which they run; { include: FILE } puts those of a file in'),
});

/** What a whole file looks like, rules included: for finding the keys that were meant. */
export const wholeSchema = policySchema.extend({ rules: z.array(ruleSchema) });

/** A file that others include: rules alone, or a whole policy. */
export const includedSchema = policySchema
  .partial({ policy: true, version: true })
  .refine((file) => (file.policy === undefined) === (file.version === undefined), {
    error: 'needs both policy and version, or rules alone',
  });

export type RuleFile = z.infer<typeof ruleSchema>;
export type WhenFile = z.infer<typeof when>;
export type ClampFile = z.infer<typeof clamp>;
export type MembersFile = z.infer<typeof members>;
export type KeepItem = z.infer<typeof keepItem>;
export type RewriteFile = z.infer<typeof rewrite>;
export type PseudonymFile = z.infer<typeof pseudonym>;
export type PermissionsFile = z.infer<typeof permissions>;
export type AreasFile = z.infer<typeof areas>;
export type MapFile = z.infer<typeof map>;
export type RenameFile = z.infer<typeof ruleKinds.rename>;

/** The rule kinds that a rule of a file names. */
export function kindsOf(rule: Readonly<Record<string, unknown>>): readonly RuleKind[] {
  return ruleKindNames.filter((kind) => rule[kind] !== undefined);
}

/** The schema of an object that has at least one of these keys; the JSON Schema says so, too. */
function withSome<Schema extends z.ZodObject>(schema: Schema, keys: readonly string[]): Schema {
  return schema
    .refine((value) => given(value, keys) > 0, `needs ${inWords(keys)}`)
    .meta({ anyOf: keys.map((key) => ({ required: [key] })) });
}

/** The same of an object that has exactly one of them. */
function withOne<Schema extends z.ZodObject>(schema: Schema, keys: readonly string[]): Schema {
  const needs = keys.length > 2 ? `needs exactly one of ${keys.join(', ')}` : `needs ${inWords(keys)}`;
  return schema
    .refine((value) => given(value, keys) === 1, needs)
    .meta({ oneOf: keys.map((key) => ({ required: [key] })) });
}

function given(value: object, keys: readonly string[]): number {
  return keys.filter((key) => (value as Readonly<Record<string, unknown>>)[key] !== undefined).length;
}

function inWords(keys: readonly string[]): string {
  return `${keys.slice(0, -1).join(', ')} or ${keys.at(-1)}`;
}

function isPattern(value: string): boolean {
  if (/\s/.test(value)) return false;
  return value.includes('*') ? /^(\*|[A-Za-z][A-Za-z0-9+.-]*:)/.test(value) : canonicalUri(value) !== undefined;
}

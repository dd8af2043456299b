// The JSON Schema of policy files, for editors that complete and check while one types; made from the schema that loading uses.
import { z } from 'zod';
import { includeSchema, ruleKindNames, ruleSchema, wholeSchema } from './policy-schema.ts';

/** The schema as text, ends with a line end. */
export function policyJsonSchema(): string {
  const options = { io: 'input', unrepresentable: 'any', target: 'draft-2020-12' } as const;
  const { $schema: _rule, ...rule } = z.toJSONSchema(ruleSchema, options);
  const { $schema: _include, ...include } = z.toJSONSchema(includeSchema, options);
  const { properties, ...whole } = z.toJSONSchema(wholeSchema, options);
  const oneKind = { oneOf: ruleKindNames.map((kind) => ({ required: [kind] })) };
  const schema = {
    ...whole,
    $id: 'https://mc-group-gateway.invalid/schemas/policy.schema.json',
    title: 'Policy of MC Group Gateway',
    // A file that others include has rules alone.
    required: ['rules'],
    properties: {
      ...properties,
      rules: {
        type: 'array',
        description: 'rules, in the order in which they run',
        items: { anyOf: [{ ...rule, ...oneKind }, include] },
      },
    },
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

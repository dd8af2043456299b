// The JSON Schema of policy files, for editors that complete and check while one types; made from the schema that loading uses.
import { z } from 'zod';
import { includeSchema, ruleSchema, wholeSchema } from './policy-schema.ts';

/** The schema as text, ends with a line end. It is as strict as loading, but for what JSON Schema cannot say: docs/POLICY.md. */
export function policyJsonSchema(): string {
  const options = { io: 'input', unrepresentable: 'any', target: 'draft-2020-12' } as const;
  const { $schema: _rule, ...rule } = z.toJSONSchema(ruleSchema, options);
  const { $schema: _include, ...include } = z.toJSONSchema(includeSchema, options);
  const { properties, ...whole } = z.toJSONSchema(wholeSchema, options);
  const schema = {
    ...whole,
    $id: 'https://mc-group-gateway.invalid/schemas/policy.schema.json',
    title: 'Policy of MC Group Gateway',
    // A file that others include has rules alone.
    required: ['rules'],
    dependentRequired: { policy: ['version'], version: ['policy'] },
    properties: {
      ...properties,
      rules: {
        type: 'array',
        description: 'rules, in the order in which they run',
        items: { anyOf: [rule, include] },
      },
    },
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

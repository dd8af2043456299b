// Holds values against a JSON Schema (draft 2020-12) as an editor would. Knows the keywords that ours has and refuses every other one:
// a keyword that nobody looks at would make each test that rests on it one that cannot fail.

type Schema = Readonly<Record<string, unknown>>;
type Check = (value: unknown, given: never, schema: Schema) => boolean;

const annotations = new Set(['$schema', '$id', 'title', 'description', 'default', 'properties']);

const checks: Readonly<Record<string, Check>> = {
  type: (value, given: string | readonly string[]) => [given].flat().some((type) => isOfType(value, type)),
  const: (value, given: unknown) => value === given,
  enum: (value, given: readonly unknown[]) => given.includes(value),
  minimum: (value, given: number) => typeof value !== 'number' || value >= given,
  maximum: (value, given: number) => typeof value !== 'number' || value <= given,
  minLength: (value, given: number) => typeof value !== 'string' || [...value].length >= given,
  maxLength: (value, given: number) => typeof value !== 'string' || [...value].length <= given,
  pattern: (value, given: string) => typeof value !== 'string' || new RegExp(given, 'u').test(value),
  minItems: (value, given: number) => !Array.isArray(value) || value.length >= given,
  items: (value, given: Schema) => !Array.isArray(value) || value.every((item) => fitsSchema(item, given)),
  required: (value, given: readonly string[]) => !isObject(value) || given.every((key) => Object.hasOwn(value, key)),
  dependentRequired: (value, given: Readonly<Record<string, readonly string[]>>) =>
    !isObject(value) ||
    Object.entries(given).every(([key, others]) => !Object.hasOwn(value, key) || others.every((one) => one in value)),
  propertyNames: (value, given: Schema) =>
    !isObject(value) || Object.keys(value).every((key) => fitsSchema(key, given)),
  additionalProperties: (value, given: Schema | false, { properties = {} }) =>
    !isObject(value) ||
    Object.entries(value).every(([key, one]) => {
      if (Object.hasOwn(Object(properties), key)) return true;
      return given !== false && fitsSchema(one, given);
    }),
  anyOf: (value, given: readonly Schema[]) => given.some((one) => fitsSchema(value, one)),
  oneOf: (value, given: readonly Schema[]) => given.filter((one) => fitsSchema(value, one)).length === 1,
};

/** True when the value fits the schema. Throws Error for a schema with a keyword that is not known here. */
export function fitsSchema(value: unknown, schema: Schema): boolean {
  const properties = (schema.properties ?? {}) as Readonly<Record<string, Schema>>;
  const isFitting = Object.entries(schema).every(([keyword, given]) => {
    if (annotations.has(keyword)) return true;
    const check = checks[keyword];
    if (check === undefined) throw new Error(`the keyword ${keyword} is not known`);
    return check(value, given as never, schema);
  });
  if (!isFitting || !isObject(value)) return isFitting;
  return Object.entries(properties).every(([key, one]) => !Object.hasOwn(value, key) || fitsSchema(value[key], one));
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'object') return isObject(value);
  if (type === 'array') return Array.isArray(value);
  return typeof value === type;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

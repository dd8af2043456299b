// Reads the structure back out of a zod schema: which keys an object has, what a value may be, its default and meaning.
// The configuration document and the hints for misspelt keys are made from it.
import type { z } from 'zod';

type AnySchema = z.core.$ZodType;

/** A schema without its wrappers (optional, default, transform). */
export interface Unwrapped {
  readonly schema: AnySchema;
  /** The outermost description. */
  readonly meaning?: string | undefined;
  /** False when the key may be left out. */
  readonly required: boolean;
  /** Value used when the key is left out. */
  readonly fallback?: unknown;
}

/** Takes off the wrappers of a schema and says what they told. */
export function unwrap(schema: AnySchema): Unwrapped {
  let current = schema;
  let meaning: string | undefined;
  let required = true;
  let fallback: unknown;
  for (;;) {
    meaning ??= (current as z.ZodType).description;
    const def = (current as z.core.$ZodTypes)._zod.def;
    switch (def.type) {
      case 'optional':
        required = false;
        current = def.innerType;
        break;
      case 'default':
      case 'prefault':
        required = false;
        fallback ??= def.defaultValue;
        current = def.innerType;
        break;
      case 'pipe':
        current = def.in;
        break;
      default:
        return { schema: current, meaning, required, fallback };
    }
  }
}

/** The keys of an object schema with their schemas; undefined for anything else. */
export function objectShape(schema: AnySchema): Readonly<Record<string, AnySchema>> | undefined {
  const def = (unwrap(schema).schema as z.core.$ZodTypes)._zod.def;
  return def.type === 'object' ? def.shape : undefined;
}

/** The schema of an array's items; undefined for anything else. */
export function arrayItem(schema: AnySchema): AnySchema | undefined {
  const def = (unwrap(schema).schema as z.core.$ZodTypes)._zod.def;
  return def.type === 'array' ? def.element : undefined;
}

/** The alternatives of a union; a single one for anything else. */
export function alternatives(schema: AnySchema): readonly AnySchema[] {
  const def = (unwrap(schema).schema as z.core.$ZodTypes)._zod.def;
  return def.type === 'union' ? def.options : [schema];
}

/** All keys an object at `path` below `schema` may have; empty when there can be no object. */
export function keysAt(schema: AnySchema, path: readonly PropertyKey[]): readonly string[] {
  const [step, ...rest] = path;
  const below = alternatives(schema);
  if (step === undefined) return below.flatMap((one) => Object.keys(objectShape(one) ?? {}));
  return below.flatMap((one) => {
    const next = typeof step === 'number' ? arrayItem(one) : objectShape(one)?.[String(step)];
    return next === undefined ? [] : keysAt(next, rest);
  });
}

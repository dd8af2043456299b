// Writes the reference of all configuration keys from the schema, so that it cannot disagree with what is accepted.
// The page is made of one table per section: key, type, default, meaning.
import type { z } from 'zod';
import { configurationSchema } from './schema.ts';
import { alternatives, arrayItem, objectShape, unwrap } from './schema-walk.ts';

type AnySchema = z.core.$ZodType;

interface Row {
  readonly key: string;
  readonly type: string;
  readonly fallback: string;
  readonly meaning: string;
}

const introduction = `# Configuration

<!-- Made from src/config/schema.ts by \`npm run document\`; do not edit. -->

One YAML file (YAML 1.2) holds the configuration of one gateway. \`mcgw check --config FILE\` prints everything that is wrong
with it, each problem as \`file:line: key: text\`; the same check stops \`mcgw serve\` from starting. Unknown keys are errors.
File names are relative to the folder of the configuration file. \`config/red.yaml\` and \`config/blue.yaml\` are complete,
commented examples of two systems that are interconnected with each other.

Group patterns match canonical group IDs (scheme and host in lower case); \`*\` stands for any run of characters. \`tel:\` group IDs
have no domain and need explicit patterns. An XCAP root is written without a slash at its end.
`;

/** The text of docs/CONFIGURATION.md. */
export function configurationDocument(): string {
  const sections = Object.entries(objectShape(configurationSchema) ?? {}).map(([key, schema]) => {
    const { meaning, required } = unwrap(schema);
    const list = arrayItem(schema);
    const rows = list === undefined ? rowsBelow(key, schema) : rowsBelow(`${key}[]`, list);
    const presence = required ? 'Required.' : 'May be left out.';
    return [`## ${key}`, '', [sentence(meaning), presence].filter(Boolean).join(' '), '', ...table(rows), ''].join(
      '\n',
    );
  });
  return [introduction, ...sections].join('\n');
}

function rowsBelow(prefix: string, schema: AnySchema): readonly Row[] {
  return Object.entries(objectShape(schema) ?? {}).flatMap(([name, below]) => {
    const key = `${prefix}.${name}`;
    const { meaning, required, fallback } = unwrap(below);
    const row: Row = {
      key,
      type: typeText(below),
      fallback: required ? 'required' : fallbackText(fallback),
      meaning: meaning ?? '',
    };
    return [row, ...nestedRows(key, below)];
  });
}

function nestedRows(key: string, schema: AnySchema): readonly Row[] {
  const item = arrayItem(schema);
  if (item !== undefined) return nestedRows(`${key}[]`, item);
  return alternatives(schema).flatMap((one) => rowsBelow(key, one));
}

function typeText(schema: AnySchema): string {
  const { schema: bare } = unwrap(schema);
  const def = (bare as z.core.$ZodTypes)._zod.def;
  switch (def.type) {
    case 'array':
      return `list of ${typeText(def.element)}`;
    case 'object':
      return 'keys below';
    case 'union':
      return [...new Set(def.options.map(typeText))].join(' or ');
    case 'literal':
      return def.values.map((value) => code(String(value))).join(', ');
    case 'enum':
      return Object.values(def.entries)
        .map((value) => code(String(value)))
        .join(', ');
    case 'number':
      return numberText(bare as z.ZodNumber);
    case 'string':
      return 'text';
    default:
      return def.type;
  }
}

function numberText(schema: z.ZodNumber): string {
  const bounds = (schema._zod.def.checks ?? []).map((check) => check._zod.def as z.core.$ZodCheckGreaterThanDef);
  const low = bounds.find(({ check }) => check === 'greater_than');
  const high = (bounds as unknown as readonly z.core.$ZodCheckLessThanDef[]).find(({ check }) => check === 'less_than');
  const kind = schema.isInt ? 'whole number' : 'number';
  if (low === undefined) return kind;
  if (!low.inclusive) return `${kind} above ${low.value}`;
  return high === undefined ? `${kind}, ${low.value} or more` : `${kind}, ${low.value} to ${high.value}`;
}

function fallbackText(fallback: unknown): string {
  if (fallback === undefined) return 'none';
  return typeof fallback === 'object' &&
    fallback !== null &&
    Object.keys(fallback).length === 0 &&
    !Array.isArray(fallback)
    ? ''
    : code(typeof fallback === 'string' ? fallback : JSON.stringify(fallback));
}

function table(rows: readonly Row[]): readonly string[] {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  return [
    '| key | type | default | meaning |',
    '| --- | --- | --- | --- |',
    ...rows.map(({ key, type, fallback, meaning }) => `| ${code(key)} | ${type} | ${fallback} | ${cell(meaning)} |`),
  ];
}

function sentence(text: string | undefined): string {
  return text === undefined ? '' : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function code(text: string): string {
  return `\`${text}\``;
}

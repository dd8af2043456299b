import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { configurationDocument } from './document.ts';
import { configurationSchema } from './schema.ts';
import { alternatives, arrayItem, objectShape, unwrap } from './schema-walk.ts';

test('docs/CONFIGURATION.md is what the schema says; `npm run document` writes it', () => {
  expect(readFileSync(new URL('../../docs/CONFIGURATION.md', import.meta.url), 'utf8')).toBe(configurationDocument());
});

test('every key with a value of its own has a meaning', () => {
  const silent: string[] = [];
  const visit = (key: string, schema: Parameters<typeof unwrap>[0]): void => {
    for (const one of alternatives(schema)) {
      const item = arrayItem(one);
      if (item !== undefined) visit(`${key}[]`, item);
      for (const [name, below] of Object.entries(objectShape(one) ?? {})) {
        if (objectShape(below) === undefined && unwrap(below).meaning === undefined) silent.push(`${key}.${name}`);
        visit(`${key}.${name}`, below);
      }
    }
  };
  visit('', configurationSchema);
  expect(silent).toEqual([]);
});

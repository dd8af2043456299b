// The files of this folder follow the table of contents of RFC 4825; here it is held that they leave no case out.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { cases, chapterOf, chapters } from './vectors.ts';

const folder = new URL('./', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.test.ts'));
const declared = files.flatMap((name) =>
  [...readFileSync(new URL(name, folder), 'utf8').matchAll(/^vectorsOf\('([^']+)'/gm)].map(([, chapter]) => chapter),
);

test('every chapter that has vectors is declared by one file', () => {
  expect([...declared].sort()).toEqual([...chapters].sort());
});

test('all 175 vectors lie in one of these chapters', () => {
  expect(cases).toHaveLength(175);
  expect(new Set(cases.map(({ id }) => id)).size).toBe(175);
  expect(new Set(cases.map(chapterOf))).toEqual(new Set(chapters));
});

import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { folderProblem, makeFolders } from './folders.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'mcgw-folders-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test('every missing level is created with the mode, and a second time nothing happens', () => {
  const folder = join(home, 'a', 'b', 'c');
  expect(folderProblem(folder)).toBeUndefined();
  expect(existsSync(join(home, 'a'))).toBe(false);
  makeFolders(folder, 0o700);
  makeFolders(folder, 0o700);
  for (const level of ['a', 'a/b', 'a/b/c']) expect(statSync(join(home, level)).mode & 0o777).toBe(0o700);
});

test.each(['/proc/x', '/proc/x/y', '/proc/self/x', '/sys/x'])('%s fails at once instead of never', (folder) => {
  expect(() => makeFolders(folder)).toThrow(/^E/);
  expect(folderProblem(folder)).toMatch(/^E/);
});

test('a file in the way is named', () => {
  const file = join(home, 'file');
  writeFileSync(file, '');
  expect(() => makeFolders(join(file, 'x'))).toThrow(`ENOTDIR: not a directory: '${file}'`);
  expect(folderProblem(file)).toBe(`ENOTDIR: not a directory: '${file}'`);
});

test('a link to nowhere in the way is an error', () => {
  const link = join(home, 'link');
  symlinkSync(join(home, 'nowhere'), link);
  expect(() => makeFolders(link)).toThrow(/EEXIST/);
});

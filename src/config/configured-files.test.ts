import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { readOnce } from './configured-files.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcgw-files-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('a file stays as it was when it was asked for first; another look sees it anew', async () => {
  const file = join(folder, 'a');
  await writeFile(file, 'one', { mode: 0o600 });
  const files = readOnce();
  expect([files.text(file), files.isOpenToOthers(file)]).toEqual(['one', false]);
  await writeFile(file, 'two');
  await chmod(file, 0o644);
  expect([files.text(file), files.isOpenToOthers(file)]).toEqual(['one', false]);
  const later = readOnce();
  expect([later.text(file), later.isOpenToOthers(file)]).toEqual(['two', true]);
});

test('a file that was missing stays missing', async () => {
  const file = join(folder, 'a');
  const files = readOnce();
  expect(() => files.text(file)).toThrow('ENOENT');
  await writeFile(file, 'one');
  expect(() => files.text(file)).toThrow('ENOENT');
});

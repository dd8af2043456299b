// The scripts behind `npm test`: what their last line says, and how a missing program is told.
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findTool } from './tools.ts';

const project = fileURLToPath(new URL('..', import.meta.url));
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mcgw-scripts-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number;
  readonly lines: readonly string[];
}

function npmTest(suite: string, env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const file = join(folder, 'sample.test.ts');
  writeFileSync(file, suite);
  const rest = [`--rootDir=${folder}`, `--config=${JSON.stringify({ ...jestConfiguration, rootDir: folder })}`];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(project, 'scripts/test.ts'), ...rest],
      { env: { ...process.env, CI: 'false', ...env } },
      (error, out) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, lines: out.trimEnd().split('\n') });
      },
    );
  });
}

const jestConfiguration = {
  testMatch: ['<rootDir>/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      join(project, 'node_modules/@swc/jest/index.js'),
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, module: { type: 'es6' } },
    ],
  },
};

describe('the last line counts', () => {
  test('what passed', async () => {
    expect(await npmTest("test('one', () => undefined); test('two', () => undefined);")).toMatchObject({
      code: 0,
      lines: ['2 passed, 0 failed, 0 skipped'],
    });
  });

  test('what failed', async () => {
    const { code, lines } = await npmTest(
      "test('one', () => undefined); test('two', () => { throw new Error('no'); });",
    );
    expect([code, lines.at(-1)]).toEqual([1, '1 passed, 1 failed, 0 skipped']);
  });

  test('a suite that cannot be loaded as a failure', async () => {
    const { code, lines } = await npmTest("import './nowhere.ts'; test('one', () => undefined);");
    expect([code, lines.at(-1)]).toEqual([1, '0 passed, 1 failed, 0 skipped']);
  });

  test('no test at all as a failure', async () => {
    const { code, lines } = await npmTest('export {};');
    expect([code, lines.at(-1)]).toEqual([1, '0 passed, 1 failed, 0 skipped']);
  });
});

describe('a suite that needs a program which is missing', () => {
  const suite = `
    import { describeWith } from '${join(project, 'test/describe-with.ts')}';
    test('another', () => undefined);
    describeWith('sipp', 'SIPp subscribes', () => test('one', () => undefined));`;
  // the sbin folders are looked at as well, so the search path alone does not hide a program
  const present = findTool('sipp', '') !== undefined;

  test('is named with its Debian package and counted as skipped', async () => {
    const { code, lines } = await npmTest(suite, { PATH: folder });
    expect(code).toBe(0);
    expect(lines.slice(-2)).toEqual(
      present
        ? ['2 passed, 0 failed, 0 skipped']
        : ['skipped: SIPp subscribes (needs sipp, Debian package sip-tester)', '1 passed, 0 failed, 1 skipped'],
    );
  });

  test('fails under CI=true', async () => {
    const { lines } = await npmTest(suite, { PATH: folder, CI: 'true' });
    expect(lines.at(-1)).toBe(present ? '2 passed, 0 failed, 0 skipped' : '1 passed, 1 failed, 0 skipped');
  });

  test('runs where the program is found', async () => {
    const program = join(folder, 'sipp');
    writeFileSync(program, '#!/bin/sh\n');
    chmodSync(program, 0o755);
    expect(findTool('sipp', folder)).toBe(program);
    const { lines } = await npmTest(suite, { PATH: folder });
    expect(lines).toEqual(['2 passed, 0 failed, 0 skipped']);
  });
});

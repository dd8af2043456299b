// The package as it is published: what is in it, and that it runs without the sources.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const run = promisify(execFile);
const project = fileURLToPath(new URL('..', import.meta.url));
let installed: string;

beforeAll(async () => {
  installed = await mkdtemp(join(tmpdir(), 'mcgw-package-'));
  const compiler = join(project, 'node_modules/typescript/bin/tsc');
  const arguments_ = [compiler, '-p', join(project, 'tsconfig.build.json'), '--outDir', join(installed, 'dist')];
  await run(process.execPath, arguments_, { cwd: project });
  for (const part of ['bin', 'config', 'schemas', 'package.json']) {
    await cp(join(project, part), join(installed, part), { recursive: true });
  }
  await symlink(join(project, 'node_modules'), join(installed, 'node_modules'));
}, 180_000);
afterAll(() => rm(installed, { recursive: true, force: true }));

test('it holds what runs, and no key, certificate, database or test', async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: installed });
  const report = JSON.parse(stdout) as unknown;
  const entry = (Array.isArray(report) ? report[0] : Object.values(report as object)[0]) as {
    files: { path: string }[];
  };
  const files = entry.files.map(({ path }) => path);
  expect(files).toEqual(
    expect.arrayContaining(['bin/mcgw.js', 'dist/main.js', 'config/red.yaml', 'schemas/groups.xsd']),
  );
  expect(files.filter((file) => /\.(key|crt|pem|db)$|\.(test|testkit)\.js$/.test(file))).toEqual([]);
});

test('both flows run from the compiled program, workers included', async () => {
  const program = join(installed, 'bin/mcgw.js');
  const { stdout } = await run(process.execPath, [program, 'demo', '--once'], { cwd: installed });
  expect(stdout).toContain('Every step was verified');
}, 120_000);

import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const program = fileURLToPath(new URL('../bin/mcgw.js', import.meta.url));
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mcgw-main-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function mcgw(...args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err });
    });
  });
}

describe('wrong usage exits 2 and says how it is used', () => {
  test.each([
    ['no command', [], 'Usage: mcgw'],
    ['an unknown command', ['srve'], "unknown command 'srve'"],
    ['an unknown option', ['serve', '--configuration', 'x'], 'unknown option'],
    ['a missing option', ['serve'], '--config'],
    ['a missing argument', ['group', 'get'], 'id'],
    ['an argument too many', ['check', '--config', 'x', 'y'], 'too many arguments'],
    ['no gateway named', ['group', 'list'], '--config FILE, or --url URL and --token TOKEN'],
    ['a value out of range', ['certificates', '--dir', 'x', '--days', '0'], 'whole number above 0'],
    ['a configuration that does not exist', ['check', '--config', '/nowhere/x.yaml'], 'does not exist'],
  ])('%s', async (_what, args, expected) => {
    const { code, out, err } = await mcgw(...args);
    expect(code).toBe(2);
    expect(out + err).toContain(expected);
  });
});

describe('every command explains itself with an example', () => {
  test.each([
    ['demo'],
    ['serve'],
    ['check'],
    ['certificates'],
    ['policy try'],
    ['group list'],
    ['group get'],
    ['group put'],
    ['group delete'],
    ['partner list'],
    ['partner pull'],
    ['partner push'],
    ['delivery list'],
    ['delivery retry'],
    ['delivery drop'],
    ['subscription list'],
  ])('%s', async (command) => {
    const { code, out } = await mcgw(...command.split(' '), '--help');
    expect(code).toBe(0);
    expect(out).toContain(`Usage: mcgw ${command}`);
    expect(out).toMatch(new RegExp(`Example:\n  \\$ mcgw ${command}`));
  });
});

test('a gateway that cannot be reached exits 1 and names it', async () => {
  const { code, err } = await mcgw('partner', 'list', '--url', 'http://127.0.0.1:9', '--token', 'whatever');
  expect(code).toBe(1);
  expect(err).toContain('cannot reach the gateway at http://127.0.0.1:9');
});

test('certificates are written once, and again only by force', async () => {
  const dir = join(folder, 'certificates');
  const first = await mcgw('certificates', '--dir', dir);
  expect(first).toMatchObject({ code: 0, err: '' });
  expect(
    first.out
      .trim()
      .split('\n')
      .every((file) => existsSync(file)),
  ).toBe(true);
  expect(await mcgw('certificates', '--dir', dir)).toMatchObject({ code: 1, out: '' });
  expect(await mcgw('certificates', '--dir', dir, '--force')).toMatchObject({ code: 0 });
});

test('check prints each problem as file:line: key: text and exits 2', async () => {
  const file = join(folder, 'wrong.yaml');
  writeFileSync(file, 'system:\n  nam: x\nstorage: { sqlite: x.db }\n');
  const { code, out } = await mcgw('check', '--config', file);
  expect(code).toBe(2);
  expect(out.split('\n')).toContain(`${file}:2: system.nam: unknown key, did you mean name?`);
  expect(out.split('\n')).toContain(`${file}:1: xcap: is required`);
});

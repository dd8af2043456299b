import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { commandLine, main } from './main.ts';

const program = fileURLToPath(new URL('../bin/mcgw.js', import.meta.url));
const project = fileURLToPath(new URL('..', import.meta.url));
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

/** The same without a process of its own, for what ends before anything is opened. */
async function here(...args: readonly string[]): Promise<Outcome> {
  const written = { out: '', err: '' };
  const { stdout, stderr } = process;
  const [out, err] = [stdout.write, stderr.write];
  const into = (side: 'out' | 'err') => (text: string | Uint8Array) => {
    written[side] += String(text);
    return true;
  };
  try {
    stdout.write = into('out');
    stderr.write = into('err');
    const code = await main(args);
    return { code, ...written };
  } finally {
    stdout.write = out;
    stderr.write = err;
  }
}

describe('wrong usage exits 2 and says how it is used', () => {
  test.each([
    ['no command', [], 'Usage: mcgw'],
    ['an unknown command', ['srve'], "unknown command 'srve'"],
    ['an unknown option', ['check', '--config', 'x', '--colour'], "unknown option '--colour'"],
    ['a missing option', ['serve'], '--config'],
    ['a missing argument', ['group', 'get'], 'id'],
    ['an argument too many', ['check', '--config', 'x', 'y'], 'too many arguments'],
    [
      'a bad URL',
      ['group', 'list', '--url', 'nonsense', '--token', 'operator-token'],
      '--url must be an http: or https: URL',
    ],
    ['no gateway named', ['group', 'list'], '--config FILE, or --url URL and --token TOKEN'],
    [
      'a URL without scheme',
      ['group', 'list', '--url', '127.0.0.1:9', '--token', 'x'],
      '--url must be an http: or https: URL',
    ],
    [
      'a group document that does not exist',
      ['group', 'put', 'sip:x@red.example', '/nowhere/x.xml', '--url', 'http://127.0.0.1:9', '--token', 'x'],
      '/nowhere/x.xml: does not exist',
    ],
    ['a value out of range', ['certificates', '--dir', 'x', '--days', '0'], 'whole number above 0'],
    ['a configuration that does not exist', ['check', '--config', '/nowhere/x.yaml'], 'does not exist'],
  ])('%s', async (_what, args, expected) => {
    const { code, out, err } = await here(...args);
    expect(code).toBe(2);
    expect(out + err).toContain(expected);
  });
});

describe('what is wrong is one line on standard error, and a hint that can be typed as it stands', () => {
  test.each([
    [['srve'], "error: unknown command 'srve' (Did you mean serve?)", 'mcgw'],
    [['audit', 'lits'], "error: unknown command 'lits' (Did you mean list?)", 'mcgw audit'],
    [['nope', '--help'], "error: unknown command 'nope'", 'mcgw'],
    [['help', 'group', 'putt'], "error: unknown command 'putt' (Did you mean put?)", 'mcgw group'],
    [['serve', '--confg', 'x'], "error: unknown option '--confg' (Did you mean --config?)", 'mcgw serve'],
    [['serve'], "error: required option '--config <file>' not specified", 'mcgw serve'],
    [['group', 'put'], "error: missing required argument 'id'", 'mcgw group put'],
    [
      ['audit', 'list', '--limit', 'ten'],
      "error: option '--limit <count>' argument 'ten' is invalid. must be a whole number",
      'mcgw audit list',
    ],
  ])('%j', async (args, line, command) => {
    const { code, out, err } = await here(...args);
    expect([code, out, err]).toEqual([2, '', `${line}\n(${command} --help tells more)\n`]);
  });

  test.each([
    [
      ['audit', 'list', '--since', 'yesterday'],
      '--since must be an instant such as 2026-01-31T12:00:00Z, a date such as 2026-01-31, or a span before now such as 30m, 2h, 3d or 1w, not "yesterday"',
    ],
    [['group', 'list', '--token', 'two words'], 'the token must be printable ASCII without spaces'],
    [
      ['group', 'list', '--url', 'http://u:p@127.0.0.1:9'],
      '--url must have neither query nor fragment nor user: the token has an option of its own',
    ],
  ])('%j', async (args, line) => {
    const address = ['--url', 'http://127.0.0.1:9', '--token', 'operator-token'];
    const given = [...args, ...address.slice(args.includes('--url') ? 2 : 0, args.includes('--token') ? 2 : 4)];
    const { code, out, err } = await here(...given);
    expect([code, out, err]).toEqual([2, '', `${line}\n`]);
  });

  test('a result that cannot be written is no stack trace', async () => {
    const [policy, group] = ['config/policies/from-red.yaml', 'config/groups/joint-flood-2026.xml'];
    const target = join(folder, 'nowhere', 'x.xml');
    const { code, out, err } = await mcgw(
      'policy',
      'try',
      join(project, policy),
      join(project, group),
      '--output',
      target,
    );
    expect([code, out, err]).toEqual([2, '', `${target}: cannot be written (ENOENT)\n`]);
  });

  test('what answers and is no gateway is told', async () => {
    const server = createServer((_request, response) => response.end('<html>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { code, out, err } = await mcgw('partner', 'list', '--url', url, '--token', 'operator-token');
    server.close();
    expect([code, out, err]).toEqual([1, '', `what answers at ${url} is not the management API of a gateway\n`]);
  });
});

describe('every command explains itself with an example', () => {
  const described: [string, Command][] = [];
  const collect = (command: Command, name: string): void => {
    described.push([name, command]);
    for (const below of command.commands) collect(below, `${name} ${below.name()}`);
  };
  collect(
    commandLine(() => undefined),
    'mcgw',
  );

  test.each(described)('%s', (name, command) => {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) });
    expect(() => command.outputHelp()).not.toThrow();
    expect(help).toContain(`Usage: ${name} `);
    expect(help).toMatch(new RegExp(`Example:\n  \\$ ${name} `));
    expect(help).not.toContain('COMMAND');
  });

  test('the program itself tells the exit codes', async () => {
    const { code, out } = await mcgw('--help');
    expect([code, out]).toEqual([
      0,
      expect.stringContaining('Exit codes: 0 done, 1 refused or failed, 2 wrong usage or configuration\n'),
    ]);
  });
});

test('a gateway that cannot be reached exits 1 and names it', async () => {
  const { code, err } = await mcgw('partner', 'list', '--url', 'http://127.0.0.1:9', '--token', 'whatever');
  expect(code).toBe(1);
  expect(err).toContain('cannot reach the gateway at http://127.0.0.1:9');
  expect(err).toContain('is it running (mcgw serve)?');
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

describe('mcgw policy try', () => {
  const policy = join(project, 'config/policies/from-red.yaml');
  const group = join(project, 'config/groups/joint-flood-2026.xml');

  test('prints the derived document on standard output and the rule behind each change on standard error', async () => {
    const { code, out, err } = await mcgw('policy', 'try', policy, group);
    expect(code).toBe(0);
    expect(out).toMatch(/^<\?xml[\s\S]*<\/(\w+:)?group>\n$/);
    expect(err).toMatch(/^\d+ -> \d+ bytes\nrule "our ceiling" \(clamp\)/);
    expect(err).toMatch(
      /\n {2}- <mcpttgi:on-network-group-priority>190<.*\n {2}\+ <mcpttgi:on-network-group-priority>100</,
    );
  });

  test('a reader that has seen enough, such as head, is no fault', async () => {
    const child = spawn(process.execPath, [program, 'policy', 'try', policy, group], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    const err = child.stderr.setEncoding('utf8').toArray();
    const [code] = (await once(child, 'close')) as [number | null];
    expect([code, (await err).join('')]).toEqual([0, expect.stringMatching(/^\d+ -> \d+ bytes\nrule "our ceiling"/)]);
  });

  test('prints both as one JSON object', async () => {
    const { code, out } = await mcgw('policy', 'try', policy, group, '--json');
    const { groupId, applied, document } = JSON.parse(out) as {
      groupId: string;
      applied: { rule: string }[];
      document: string;
    };
    expect([code, groupId, applied.map(({ rule }) => rule)]).toEqual([
      0,
      'sip:joint-flood-2026@red.example',
      ['our ceiling', 'no video here'],
    ]);
    expect(document).not.toMatch(/mcvideo/i);
  });

  test('exits 1 with the phrase of the rule that refuses', async () => {
    const file = join(folder, 'strict.yaml');
    writeFileSync(
      file,
      'policy: strict\nversion: 1\nrules:\n  - { name: never, require: { select: //g:nothing, otherwise: nothing is there } }\n',
    );
    const { code, err } = await mcgw('policy', 'try', file, group);
    expect([code, err]).toEqual([1, expect.stringContaining('constraint-failure: ')]);
    expect(err).toContain('nothing is there');
  });

  test('exits 2 with every problem of a policy file', async () => {
    const file = join(folder, 'wrong-policy.yaml');
    writeFileSync(file, 'policy: wrong\nversion: 1\nrules:\n  - { name: x, clmp: { priority: [mcptt], max: 1 } }\n');
    const { code, err } = await mcgw('policy', 'try', file, group);
    expect([code, err]).toEqual([
      2,
      expect.stringContaining(`${file}:4: rules[0].clmp: rule "x": unknown key, did you mean clamp?`),
    ]);
  });
});

// docs/INTERCONNECTION.md tried literally: the commands of the page run one after the other in an empty folder, and what it says that is
// seen is seen. Only the ports are replaced by free ones.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from '@jest/globals';
import { portChooser } from '../../src/demo/free-ports.ts';
import { until } from '../until.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
const portsOfThePage = [18080, 18081, 18090, 15060, 28080, 28081, 28090, 25060];

interface Block {
  readonly kind: 'sh' | 'sh terminal' | 'text';
  readonly text: string;
}

const closing: (() => unknown)[] = [];
let environment: NodeJS.ProcessEnv = {};
let folder = '';

afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** The fenced blocks of the part of the page that is to be typed, with these ports in place of the page's own. */
async function blocks(ports: ReadonlyMap<number, number>): Promise<readonly Block[]> {
  const page = await readFile(join(project, 'docs/INTERCONNECTION.md'), 'utf8');
  const part = page.slice(page.indexOf('\n## Setting it up'));
  return [...part.matchAll(/^```(sh terminal|sh|text)\n([\s\S]*?)^```$/gm)].map(([, kind = '', text = '']) => ({
    kind: kind as Block['kind'],
    text: text.replaceAll(/\b\d{5}\b/g, (port) => String(ports.get(Number(port)) ?? port)),
  }));
}

/** Runs one block to its end, stopping at the first command that fails; resolves to what it printed. */
function typed(block: string): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    execFile('bash', ['-euc', block], { cwd: folder, env: environment }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, output: code === 0 ? stdout : stdout + stderr });
    });
  });
}

/** Starts the one command of a block and resolves when it says that it is ready. */
async function started(block: string): Promise<void> {
  const child: ChildProcess = spawn('bash', ['-euc', `exec ${block}`], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  closing.push(async () => {
    if (child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  });
  if (child.stdout === null) throw new Error('no standard output');
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${block} ended with ${code}`);
  });
  ended.catch(() => undefined);
  const [line] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended]);
  expect(line).toMatch(/^ready xcap=/);
}

/** Whether a line of output is what the page shows, in which … stands for anything. */
function shows(line: string, shown: string): boolean {
  const pattern = shown.split('…').map((text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${pattern.join('.*')}$`).test(line);
}

test('the page that two operators follow does what it says', async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcgw-page-'));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  const program = join(folder, 'mcgw');
  await writeFile(program, `#!/bin/sh\nexec "${process.execPath}" "${join(project, 'bin/mcgw.js')}" "$@"\n`);
  await chmod(program, 0o755);
  environment = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}`, MCGW: project };
  const port = portChooser();
  const ports = new Map<number, number>();
  for (const taken of portsOfThePage) ports.set(taken, await port());

  let last = '';
  let ran = 0;
  for (const { kind, text } of await blocks(ports)) {
    if (kind === 'sh terminal') await started(text);
    else if (kind === 'sh') {
      last = text;
      expect({ typed: text, ...(await typed(text)) }).toEqual({ typed: text, code: 0, output: expect.any(String) });
    } else {
      const shown = text.trimEnd().split('\n');
      // What takes a moment is looked at again, as a reader would
      await until(
        () => typed(last),
        ({ code, output }) => code === 0 && shown.every((one) => output.split('\n').some((line) => shows(line, one))),
        `${last}showing\n${text}`,
        15_000,
      );
    }
    ran += 1;
  }
  expect(ran).toBeGreaterThan(15);
}, 120_000);

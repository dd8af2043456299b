// `mcgw serve` on a PostgreSQL database: killed and started again, refused twice, and left alone by its server for a while.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { request } from 'undici';
import { stringify } from 'yaml';
import { harbour } from '../../src/demo/example-groups.ts';
import { xcap } from '../../src/demo/faces.ts';
import { auditVerifyStore } from '../../src/manage/commands/audit.ts';
import { check } from '../../src/manage/commands/check.ts';
import type { Terminal } from '../../src/manage/commands/terminal.ts';
import { openPostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { describeWith } from '../describe-with.ts';
import { PostgresServer } from '../postgres-server.ts';
import { until } from '../until.ts';

const program = fileURLToPath(new URL('../../bin/mcgw.js', import.meta.url));
const password = 'gate way:p@ss';
const passwordForms = /p@ss|p%40ss/;

interface Run {
  readonly child: ChildProcess;
  /** Lines of standard output and of standard error. */
  readonly lines: string[];
  readonly ended: Promise<number | null>;
}

describeWith('postgres', 'a gateway on PostgreSQL', (postgres) => {
  let server: PostgresServer;
  let folder: string;
  let database: string;
  let runs: Run[];

  beforeAll(async () => {
    server = await PostgresServer.start(postgres, { durable: true });
    await server.run('postgres', `CREATE ROLE gateway LOGIN PASSWORD '${password}'`);
  }, 60_000);
  afterAll(() => server.close());

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mcgw-postgres-'));
    database = await server.database('OWNER gateway');
    runs = [];
  });
  afterEach(async () => {
    const told = runs.flatMap(({ lines }) => lines).join('\n');
    for (const { child, ended } of runs) {
      child.kill('SIGKILL');
      await ended;
    }
    rmSync(folder, { recursive: true, force: true });
    expect(told).not.toMatch(passwordForms);
  });

  const url = (name = database): string => server.url(name, { user: 'gateway', password });
  const configuration = (storage: object = { postgres: url() }): string => {
    const file = join(folder, 'gateway.yaml');
    const content = {
      system: {
        name: 'red',
        domains: ['red.example'],
        gms: 'sip:gms@red.example',
        groupCreationXui: 'sip:groups@red.example',
        administrators: ['sip:admin@red.example'],
      },
      xcap: { listen: { port: 0 }, root: 'http://127.0.0.1:0/xcap-root' },
      manage: { listen: { port: 0 }, token: 'operator-token' },
      identity: { trustedProxies: ['127.0.0.1'] },
      storage,
    };
    writeFileSync(file, stringify(content));
    return file;
  };

  function mcgw(...words: readonly string[]): Run {
    const child = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => lines.push(line));
    }
    const ended = once(child, 'close').then(([code]) => code as number | null);
    const run = { child, lines, ended };
    runs.push(run);
    return run;
  }

  async function serve(): Promise<Run & { readonly root: string; readonly manage: string }> {
    const run = mcgw('serve', '--config', configuration());
    const line = await until(
      async () => {
        if (run.child.exitCode !== null) throw new Error(run.lines.join('\n'));
        return run.lines.find((one) => one.startsWith('ready '));
      },
      (found) => found !== undefined,
      'ready',
    );
    const face = (name: string): string => new RegExp(`${name}=(\\S+)`).exec(line ?? '')?.[1] ?? '';
    return { ...run, root: face('xcap'), manage: face('manage') };
  }

  /** What a command prints, and its exit code. */
  const asked = async (
    command: (terminal: Terminal) => Promise<number>,
  ): Promise<{ readonly code: number; readonly text: string }> => {
    const lines: string[] = [];
    const code = await command({ out: (line) => lines.push(line), err: (line) => lines.push(line) });
    expect(lines.join('\n')).not.toMatch(passwordForms);
    return { code, text: lines.join('\n').replaceAll(folder, '') };
  };

  const path = (name: string): string => `org.openmobilealliance.groups/users/sip:groups@red.example/${name}.xml`;
  const put = async (root: string, name: string): Promise<{ readonly status: number; readonly tag: string }> => {
    const body = (await harbour()).document.replaceAll('sip:harbour-tg1@', `sip:${name}@`);
    return xcap(root, { method: 'PUT', path: path(name), identity: 'sip:admin@red.example', body });
  };
  const get = (root: string, name: string) =>
    xcap(root, { method: 'GET', path: path(name), identity: 'sip:admin@red.example' });

  test('a group that was put is there after SIGKILL, as it was put; its journal is verified in place', async () => {
    const first = await serve();
    const written = await put(first.root, 'harbour');
    expect(written.status).toBe(201);
    const before = await get(first.root, 'harbour');

    const second = mcgw('serve', '--config', configuration());
    expect(await second.ended).toBe(1);
    expect(second.lines.join()).toContain('the gateway cannot start: storage.postgres: postgres://gateway@');
    expect(second.lines.join()).toContain('the store is in use by another process');
    const offline = (terminal: Terminal) => auditVerifyStore({ config: configuration(), json: false }, terminal);
    expect(await asked(offline)).toMatchObject({ code: 1, text: expect.stringContaining('in use') });

    first.child.kill('SIGKILL');
    await first.ended;
    const again = await serve();
    expect(await get(again.root, 'harbour')).toMatchObject({ status: 200, tag: written.tag, body: before.body });
    again.child.kill('SIGTERM');
    expect(await again.ended).toBe(0);
    expect(await asked(offline)).toMatchObject({ code: 0, text: expect.stringMatching(/^intact: \d+ entr/) });
    await server.run(database, "UPDATE journal SET actor = 'x'");
    expect(await asked(offline)).toMatchObject({ code: 1, text: expect.stringMatching(/^broken at entry 1: /) });
  });

  test('it goes on by itself when its connections are ended and its server is restarted; no answered PUT is lost', async () => {
    const gateway = await serve();
    const answered = new Map<string, string>();
    let stopped = false;
    const refused: number[] = [];
    const lane = async (number: number): Promise<void> => {
      for (let count = 0; !stopped; count++) {
        const { status, tag } = await put(gateway.root, `g${number}-${count}`);
        if (status === 201) answered.set(`g${number}-${count}`, tag);
        else refused.push(status);
      }
    };
    const lanes = Promise.all([0, 1, 2, 3].map(lane));
    const more = (): Promise<unknown> => {
      const enough = answered.size + 20;
      return until(
        async () => answered.size,
        (size) => size >= enough,
        'more PUTs',
      );
    };
    await more();
    await server.run(
      'postgres',
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mcgw'",
    );
    await more();
    await server.stop('SIGQUIT');
    const ready = async (): Promise<number> => {
      const { statusCode, body } = await request(`${gateway.manage}/readyz`);
      await body.dump();
      return statusCode;
    };
    await until(ready, (status) => status === 503, 'not ready');
    await server.startAgain();
    await until(ready, (status) => status === 200, 'ready again');
    await more();
    stopped = true;
    await lanes;
    expect(refused).toEqual([]);
    expect(gateway.lines.some((line) => line.includes('the store is reachable again'))).toBe(true);
    gateway.child.kill('SIGKILL');
    await gateway.ended;

    const store = await openPostgresStore(url());
    const stored = new Map((await store.documents({})).map(({ key, tag }) => [key.name.replace('.xml', ''), tag]));
    await store.close();
    expect([...answered].filter(([name, tag]) => stored.get(name) !== tag)).toEqual([]);
  });

  test('it ends, to be started anew, when the database is not as it left it', async () => {
    const gateway = await serve();
    await put(gateway.root, 'harbour');
    await server.run(database, "UPDATE gateway_store SET stamp = 'of a copy'");
    await server.run(
      'postgres',
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mcgw'",
    );
    expect(await gateway.ended).toBe(1);
    expect(gateway.lines.join('\n')).toContain('the store is not as this gateway left it');
  });

  test('mcgw check connects when it is told to, and says what a start would', async () => {
    const checked = (connect: boolean) => asked((terminal) => check(configuration(storage), terminal, { connect }));
    let storage: object = { postgres: url() };
    expect(await checked(false)).toEqual({ code: 0, text: '/gateway.yaml: no errors, no warnings' });
    expect(await checked(true)).toMatchObject({ code: 0 });
    storage = { postgres: url('absent') };
    expect(await checked(false)).toMatchObject({ code: 0 });
    expect(await checked(true)).toEqual({
      code: 2,
      text: expect.stringMatching(
        /^\/gateway\.yaml:\d+: storage\.postgres: postgres:.*: the database absent does not exist; /,
      ),
    });
  });
});

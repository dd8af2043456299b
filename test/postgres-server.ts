// A PostgreSQL server of a test's own: a cluster in a temporary folder, run as an unprivileged user, with passwords, on a Unix socket and a free port
// of loopback. It can be stopped, killed and started again.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from 'pg';

/** The superuser of the cluster, whose password needs percent-encoding in a URL. */
export const superuser = { name: 'admin', password: 'p@ss/w:rd %' } as const;

export interface ServerOptions {
  /** Writes reach the disk; slower. */
  readonly durable?: boolean;
  /** Further settings of the server, such as `ssl=on`. */
  readonly settings?: readonly string[];
  /** Files put into the folder of the cluster before it starts. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Whom a URL is for, and how it goes to the server. */
export interface UrlOptions {
  readonly user?: string;
  readonly password?: string;
  /** Over TCP; otherwise the Unix socket. */
  readonly tcp?: boolean;
  /** Further parameters. */
  readonly query?: string;
}

export class PostgresServer {
  readonly folder: string;
  readonly port: number;
  readonly #program: string;
  readonly #options: ServerOptions;
  #process: ChildProcess | undefined;
  #databases = 0;

  private constructor(program: string, folder: string, port: number, options: ServerOptions) {
    this.#program = program;
    this.folder = folder;
    this.port = port;
    this.#options = options;
  }

  /** Creates a cluster with the server program at `program` and starts it. */
  static async start(program: string, options: ServerOptions = {}): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'mcgw-pg-'));
    const { uid, gid } = unprivileged();
    const data = join(folder, 'data');
    mkdirSync(data, { mode: 0o700 });
    writeFileSync(join(folder, 'password'), superuser.password);
    for (const path of [folder, data, join(folder, 'password')]) chownSync(path, uid, gid);
    const initdb = join(dirname(realpathSync(program)), 'initdb');
    const how = [`--pgdata=${data}`, `--username=${superuser.name}`, `--pwfile=${join(folder, 'password')}`];
    const rest = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync'];
    execFileSync(initdb, [...how, ...rest], { uid, gid, stdio: 'pipe', cwd: folder, env: { PATH: '/usr/bin:/bin' } });
    for (const [name, text] of Object.entries(options.files ?? {})) {
      writeFileSync(join(data, name), text, { mode: 0o600 });
      chownSync(join(data, name), uid, gid);
    }
    const server = new PostgresServer(program, folder, await freePort(), options);
    await server.startAgain();
    return server;
  }

  /** Starts a server that was stopped; resolves when it takes connections. */
  async startAgain(): Promise<void> {
    const { durable = false, settings = [] } = this.#options;
    const all = [
      'listen_addresses=127.0.0.1',
      `port=${this.port}`,
      `unix_socket_directories=${this.folder}`,
      `fsync=${durable ? 'on' : 'off'}`,
      'shared_buffers=16MB',
      'autovacuum=off',
      ...settings,
    ];
    const child = spawn(this.#program, ['-D', join(this.folder, 'data'), ...all.flatMap((one) => ['-c', one])], {
      ...unprivileged(),
      cwd: this.folder,
      env: { PATH: '/usr/bin:/bin' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    const lines: string[] = [];
    const ended = once(child, 'exit').then(() => {
      throw new Error(`the server did not start:\n${lines.join('\n')}`);
    });
    const ready = new Promise<void>((resolve) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        lines.push(line);
        if (line.includes('ready to accept connections')) resolve();
      });
    });
    await Promise.race([ready, ended]);
    ended.catch(() => undefined);
  }

  /** Ends the server: `SIGINT` disconnects everybody, `SIGQUIT` is a crash. Resolves when it has ended. */
  async stop(signal: 'SIGINT' | 'SIGQUIT' = 'SIGINT'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** Stops the server and removes its folder. */
  async close(): Promise<void> {
    await this.stop('SIGQUIT');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Creates an empty database; answers its name. `how` follows CREATE DATABASE. */
  async database(how = ''): Promise<string> {
    this.#databases += 1;
    const name = `store${this.#databases}`;
    await this.run('postgres', `CREATE DATABASE ${name} ${how}`);
    return name;
  }

  /** The URL of a database. */
  url(
    database: string,
    { user = superuser.name, password = superuser.password, tcp = false, query }: UrlOptions = {},
  ): string {
    const host = tcp ? '127.0.0.1' : encodeURIComponent(this.folder);
    const rest = query === undefined ? '' : `?${query}`;
    return `postgres://${user}:${encodeURIComponent(password)}@${host}:${this.port}/${database}${rest}`;
  }

  /** Runs SQL as the superuser; the rows of its last statement. */
  async run(database: string, sql: string): Promise<readonly Record<string, unknown>[]> {
    const client = new Client({
      host: this.folder,
      port: this.port,
      database,
      user: superuser.name,
      password: superuser.password,
    });
    await client.connect();
    try {
      const answered = await client.query(sql);
      return (Array.isArray(answered) ? answered.at(-1) : answered).rows;
    } finally {
      await client.end();
    }
  }
}

// The server refuses root.
function unprivileged(): { readonly uid: number; readonly gid: number } {
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  if (own.uid !== 0) return own;
  const id = (what: string): number => Number(execFileSync('id', [what, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

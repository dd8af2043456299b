// Where a measurement lives: a temporary folder and the processes started in it. Everything ends and goes with `close`, also after a
// failure or Ctrl-C; nothing of the system is touched.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Running, type Start } from './running.ts';

export class Site {
  readonly folder: string;
  readonly #running: Running[] = [];
  #closed: Promise<void> | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Starts a process that lives until the site closes. */
  start(start: Start): Running {
    if (this.#closed !== undefined) throw new Error('interrupted');
    const running = new Running(start);
    this.#running.push(running);
    return running;
  }

  /** Runs a program to its end. Throws with its last output unless it ends with 0. */
  async run(start: Start): Promise<readonly string[]> {
    const running = this.start(start);
    const code = await running.ended;
    this.#running.splice(this.#running.indexOf(running), 1);
    if (code !== 0) throw new Error(`${running.name} ended with ${code}:\n${running.output.join('\n')}`);
    return running.output;
  }

  /** Ends all processes, the youngest first, and removes the folder. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    try {
      for (const running of this.#running.toReversed()) await running.stop();
    } finally {
      await rm(this.folder, { recursive: true, force: true });
    }
  }
}

/** Calls `work` with a new site and closes it afterwards, whatever happens. */
export async function withSite<T>(name: string, work: (site: Site) => Promise<T>): Promise<T> {
  const site = new Site(await mkdtemp(join(tmpdir(), `mcgw-bench-${name}-`)));
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const interrupted = (signal: NodeJS.Signals): void => {
    site.close().finally(() => process.exit(128 + constants.signals[signal]));
  };
  for (const signal of signals) process.on(signal, interrupted);
  try {
    return await work(site);
  } finally {
    await site.close();
    for (const signal of signals) process.off(signal, interrupted);
  }
}

/** A port of loopback that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

// GET load on one URL: wrk when it is installed, otherwise an undici client in a process of its own.
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { Pool } from 'undici';

export interface Load {
  readonly requests: number;
  readonly perSecond: number;
  /** Answers that were not 2xx, and broken connections. */
  readonly failures: number;
}

const connections = 32;

/** Which generator this machine has. */
export async function loadGenerator(): Promise<'wrk' | 'undici'> {
  try {
    // wrk has no command that succeeds without a load, so its usage is looked for
    await promisify(execFile)('wrk', ['--version']);
    return 'wrk';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'undici' : 'wrk';
  }
}

/** Loads `url` for so many seconds over 32 connections. `header`: `Name: value`. */
export async function load(generator: 'wrk' | 'undici', url: string, header: string, seconds: number): Promise<Load> {
  return generator === 'wrk' ? withWrk(url, header, seconds) : withUndici(url, header, seconds);
}

async function withWrk(url: string, header: string, seconds: number): Promise<Load> {
  const wanted = Math.max(1, Math.round(seconds));
  const { stdout } = await promisify(execFile)('wrk', ['-t1', `-c${connections}`, `-d${wanted}s`, '-H', header, url]);
  const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1] ?? 0);
  const socketErrors =
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)?.slice(1) ?? [];
  return {
    requests: number(/(\d+) requests in/),
    perSecond: number(/Requests\/sec:\s+([\d.]+)/),
    failures: number(/Non-2xx or 3xx responses: (\d+)/) + socketErrors.reduce((sum, count) => sum + Number(count), 0),
  };
}

async function withUndici(url: string, header: string, seconds: number): Promise<Load> {
  const child = fork(new URL(import.meta.url), ['load', url, header, String(seconds)], { execArgv: [] });
  const [message] = await once(child, 'message');
  return message as Load;
}

async function generate(url: string, header: string, seconds: number): Promise<Load> {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections, pipelining: 1 });
  const colon = header.indexOf(':');
  const headers = { [header.slice(0, colon)]: header.slice(colon + 1).trim() };
  const started = performance.now();
  const end = started + seconds * 1000;
  let requests = 0;
  let failures = 0;
  const one = async (): Promise<void> => {
    while (performance.now() < end) {
      try {
        const { statusCode, body } = await pool.request({ path: pathname, method: 'GET', headers });
        await body.dump();
        requests++;
        if (statusCode !== 200) failures++;
      } catch {
        failures++;
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
  const perSecond = requests / ((performance.now() - started) / 1000);
  await pool.close();
  return { requests, perSecond, failures };
}

const [, , command, url, header, seconds] = process.argv;
if (command === 'load' && process.send !== undefined && url !== undefined && header !== undefined) {
  process.send(await generate(url, header, Number(seconds)));
  process.disconnect();
}

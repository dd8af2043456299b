// One process that a measurement started: its output, when it is ready, and its end.
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const patience = 15_000;
const keptLines = 40;

export interface Start {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Written to standard input; without it there is none. */
  readonly input?: string;
  /** Opens a channel for messages of Node.js. */
  readonly messages?: boolean;
}

/** A started process, leader of a group of its own. */
export class Running {
  readonly child: ChildProcess;
  readonly name: string;
  readonly output: string[] = [];
  readonly ended: Promise<number>;
  readonly #waiting = new Set<(line: string) => void>();

  constructor({ program, args, env = {}, cwd, input, messages = false }: Start) {
    this.name = program.slice(program.lastIndexOf('/') + 1);
    const stdio: StdioOptions = [
      input === undefined ? 'ignore' : 'pipe',
      'pipe',
      'pipe',
      ...(messages ? ['ipc' as const] : []),
    ];
    // a group of its own: Ctrl-C of a terminal reaches it through `close` only, and its children end with it
    this.child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio,
      detached: true,
      ...(cwd === undefined ? {} : { cwd }),
    });
    this.ended = new Promise((resolve) => {
      this.child.once('error', () => resolve(127));
      this.child.once('close', (code) => resolve(code ?? 1));
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => this.#keep(line));
    }
    this.child.stdin?.on('error', () => undefined);
    this.child.stdin?.end(input);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The first line that matches, now or later. Throws when the process ends before, or takes too long. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    for (const line of this.output) {
      const found = pattern.exec(line);
      if (found !== null) return found;
    }
    let see: ((line: string) => void) | undefined;
    const seen = new Promise<RegExpExecArray>((resolve) => {
      see = (line) => {
        const found = pattern.exec(line);
        if (found !== null) resolve(found);
      };
      this.#waiting.add(see);
    });
    try {
      return await this.unlessEnded(seen);
    } finally {
      if (see !== undefined) this.#waiting.delete(see);
    }
  }

  /** Resolves when something accepts on the port of loopback. Throws when the process ends before, or takes too long. */
  async accepts(port: number): Promise<void> {
    const given = new AbortController();
    try {
      await this.unlessEnded(untilAccepted(port, given.signal));
    } finally {
      given.abort();
    }
  }

  /** `wanted`, or an error with the last output when the process ends first or too much time passes. */
  async unlessEnded<T>(wanted: Promise<T>): Promise<T> {
    const given = new AbortController();
    const late = pause(patience, 'late' as const, { signal: given.signal });
    late.catch(() => undefined);
    try {
      const first = await Promise.race([
        wanted.then((value) => ({ value })),
        this.ended.then((code) => `ended with ${code}` as const),
        late,
      ]);
      if (typeof first === 'object') return first.value;
      const what = first === 'late' ? `was not ready after ${patience / 1000} s` : first;
      throw new Error(`${this.name} ${what}:\n${this.output.join('\n')}`);
    } finally {
      given.abort();
    }
  }

  /** Ends it and its group: gently, then hard. */
  async stop(): Promise<void> {
    this.#signal('SIGTERM');
    const given = new AbortController();
    const late = pause(patience, undefined, { signal: given.signal }).catch(() => undefined);
    await Promise.race([this.ended, late]);
    given.abort();
    this.#signal('SIGKILL');
    await this.ended;
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.child.pid === undefined) return;
    try {
      process.kill(-this.child.pid, signal);
    } catch {
      // the whole group has ended
    }
  }

  #keep(line: string): void {
    this.output.push(line);
    if (this.output.length > keptLines) this.output.shift();
    for (const see of this.#waiting) see(line);
  }
}

async function untilAccepted(port: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const socket = connect(port, '127.0.0.1');
    const accepted = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (accepted) return;
    await pause(50);
  }
}

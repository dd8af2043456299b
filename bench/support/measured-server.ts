// A server under measurement in a child process, which reports its own CPU time.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

export interface MeasuredServer {
  readonly url: string;
  /** Header field that requests must carry, `Name: value`. */
  readonly header: string;
  /** CPU time used so far by user and system together, microseconds. */
  cpu(): Promise<number>;
  close(): Promise<void>;
}

/** Starts `script` with one argument and waits until it says where it listens. Throws when it ends instead. */
export async function startMeasuredServer(script: URL, argument: string): Promise<MeasuredServer> {
  const child = fork(script, [argument], { execArgv: [] });
  const { url, header } = (await answerOf(child)) as { url: string; header: string };
  return {
    url,
    header,
    async cpu() {
      child.send('cpu');
      const { cpu } = (await answerOf(child)) as { cpu: NodeJS.CpuUsage };
      return cpu.user + cpu.system;
    },
    async close() {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

async function answerOf(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController();
  try {
    return await Promise.race([
      once(child, 'message', { signal: ended.signal }).then(([message]) => message as unknown),
      once(child, 'exit', { signal: ended.signal }).then(([code]) => {
        throw new Error(`a server under measurement ended with ${code}`);
      }),
    ]);
  } finally {
    ended.abort();
  }
}

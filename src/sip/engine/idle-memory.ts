// Memory after a burst: V8 leaves the garbage of the last busy minute where it is for as long as nothing more is allocated,
// which an engine with many quiet dialogs may do for hours. When it has become quiet its thread collects once.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const LOOK_TIME = 10_000;
/** Messages in one look that still count as quiet, and those since the last collection that make one worth its pause. */
const QUIET = 200;
const WORTH = 5_000;

/** What tells how busy this thread is. */
export interface Activity {
  /** Messages handled since the start. */
  readonly messages: number;
  /** Transactions that still hold memory of their own accord. */
  readonly serverTransactions: number;
  readonly clientTransactions: number;
}

/** Collects this thread's garbage each time it has turned quiet after much work. */
export function releaseMemoryWhenQuiet(activity: () => Promise<Activity>): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'major'; flavor: 'last-resort' }) => void;
  let seen = 0;
  let collected = 0;
  const look = async () => {
    const { messages, serverTransactions, clientTransactions } = await activity();
    const quiet = messages - seen < QUIET && serverTransactions + clientTransactions < QUIET;
    seen = messages;
    if (!quiet || messages - collected < WORTH) return;
    collected = messages;
    collect({ type: 'major', flavor: 'last-resort' });
  };
  setInterval(() => void look(), LOOK_TIME).unref();
}

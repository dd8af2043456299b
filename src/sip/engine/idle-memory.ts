// Memory after a burst: V8 leaves the garbage of the last busy minute where it is for as long as nothing more is allocated,
// which a thread with many quiet subscriptions may do for hours. When it has become quiet the thread collects once.
import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const LOOK_TIME = 10_000;
/** Share of its time in which a thread works that still counts as quiet. */
const QUIET = 0.03;
/** Milliseconds of work since the last collection that make one worth its pause. */
const WORTH = 1_000;

/**
 * Collects this thread's garbage each time it has turned quiet after much work.
 * @param holds true while there is memory that will be free only later
 * @returns how to stop
 */
export function releaseMemoryWhenQuiet(holds: () => Promise<boolean> = async () => false): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'major'; flavor: 'last-resort' }) => void;
  let before = performance.eventLoopUtilization();
  let worked = 0;
  const look = async () => {
    const now = performance.eventLoopUtilization();
    const { active, utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    worked += active;
    if (utilization > QUIET || worked < WORTH || (await holds())) return;
    collect({ type: 'major', flavor: 'last-resort' });
    // The pause itself is no work to be cleaned up after.
    before = performance.eventLoopUtilization();
    worked = 0;
  };
  const timer = setInterval(() => void look(), LOOK_TIME).unref();
  return () => clearInterval(timer);
}

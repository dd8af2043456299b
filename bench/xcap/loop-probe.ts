// Loaded into the measured server before its own program: on 'start' watches the event loop, on 'stop' tells the longest block.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

/** Milliseconds between two looks; what lies above is delay. */
const resolution = 1;

if (isMainThread && process.send !== undefined) {
  const histogram = monitorEventLoopDelay({ resolution });
  process.on('message', (message) => {
    if (message === 'start') {
      histogram.reset();
      histogram.enable();
    } else if (message === 'stop') {
      histogram.disable();
      process.send?.(Math.max(0, histogram.max / 1e6 - resolution));
    }
  });
  // the channel alone shall not keep the server alive
  process.channel?.unref();
}

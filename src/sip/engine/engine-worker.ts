// Entry file of the engine's worker thread: starts an engine with the options it was given and reports to the parent.
import { parentPort, workerData } from 'node:worker_threads';
import { type EngineOptions, startEngine } from './engine.ts';
import { releaseMemoryWhenQuiet } from './idle-memory.ts';
import type { WorkerOrder, WorkerReport } from './worker-engine.ts';

const report = (message: WorkerReport) => parentPort?.postMessage(message);

try {
  const engine = await startEngine(workerData as EngineOptions);
  parentPort?.on('message', (order: WorkerOrder) => {
    if (order === 'counts') void engine.counts().then((counts) => report({ kind: 'counts', counts }));
    else if (order === 'close') void engine.close().then(() => parentPort?.close());
    else {
      engine.replaceTls(order.tls).then(
        () => report({ kind: 'tls', message: undefined }),
        (error: unknown) => report({ kind: 'tls', message: error instanceof Error ? error.message : String(error) }),
      );
    }
  });
  // Transactions hold what they sent until their timers have fired.
  releaseMemoryWhenQuiet(async () => {
    const { serverTransactions, clientTransactions } = await engine.counts();
    return serverTransactions + clientTransactions > 200;
  });
  const { control, listening, largestFrame } = engine;
  report({ kind: 'ready', control, listening, largestFrame });
} catch (error) {
  report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
}

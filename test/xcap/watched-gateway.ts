// A gateway in a process of its own that tells how long its event loop was held: started with a configuration file, spoken to over
// the channel of its parent.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { pino } from 'pino';
import { problemLine } from '../../src/config/load.ts';
import { startGateway } from '../../src/gateway.ts';
import { prepare } from '../../src/manage/prepare.ts';

const { prepared, problems } = await prepare(process.argv[2] ?? '', Date.now());
if (prepared === undefined) throw new Error(problems.map(problemLine).join('\n'));
const gateway = await startGateway(prepared, pino({ level: 'silent' }));
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();

process.on('message', (message: 'watch' | 'tell' | 'end') => {
  if (message === 'watch') delay.reset();
  // nanoseconds; the resolution itself is no delay
  if (message === 'tell') process.send?.({ longest: Math.max(0, delay.max / 1e6 - 1) });
  if (message === 'end') void gateway.close().then(() => process.exit(0));
});
process.send?.({ root: gateway.urls.xcap });

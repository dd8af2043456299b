// A gateway in a process of its own that tells how busy the turns of its event loop were: started with a configuration file, spoken to
// over the channel of its parent.
import { pino } from 'pino';
import { problemLine } from '../../src/config/load.ts';
import { startGateway } from '../../src/gateway.ts';
import { prepare } from '../../src/manage/prepare.ts';

const { prepared, problems } = await prepare(process.argv[2] ?? '', Date.now());
if (prepared === undefined) throw new Error(problems.map(problemLine).join('\n'));
const gateway = await startGateway(prepared, pino({ level: 'silent' }));

/** Processor time of the busiest turn of the event loop, microseconds: what others do on the machine does not count. */
let busiest = 0;
let used = 0;
let counting = false;

function count(): void {
  const { user, system } = process.threadCpuUsage();
  busiest = Math.max(busiest, user + system - used);
  used = user + system;
  if (counting) setImmediate(count);
}

process.on('message', (message: 'count' | 'work' | 'tell' | 'end') => {
  if (message === 'count') {
    counting = true;
    count();
    busiest = 0;
  }
  if (message === 'tell') {
    counting = false;
    process.send?.({ busiest: busiest / 1000 });
  }
  if (message === 'work') {
    const until = used + 100_000;
    for (let spent = used; spent < until; ) {
      const { user, system } = process.threadCpuUsage();
      spent = user + system;
    }
    process.send?.({});
  }
  if (message === 'end') void gateway.close().then(() => process.exit(0));
});
process.send?.({ root: gateway.urls.xcap });

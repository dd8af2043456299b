// `npm run endure -- kills` and `npm run endure -- faults [SCHEDULES [SEED]]`: the long forms of the end-to-end tests of two gateways.
// `kills` ends either side by SIGKILL at every step of both flows, `faults` plays bad networks with seeds from SEED on, which is printed.
import { join } from 'node:path';
import { projectFolder, run, say } from './run.ts';

const usage = 'usage: npm run endure -- kills | faults [SCHEDULES [SEED]]';

process.exitCode = await endure(process.argv.slice(2));

async function endure([
  what,
  schedules = '10',
  seed = String(Date.now() % 2 ** 31),
]: readonly string[]): Promise<number> {
  switch (what) {
    case 'kills':
      return test('kills', { ENDURE_KILLS: 'all' });
    case 'faults':
      if (!(Number(schedules) >= 1) || !(Number(seed) >= 0)) break;
      say(`${schedules} schedules, seeds from ${seed} on`);
      return test('faults', { ENDURE_SCHEDULES: schedules, ENDURE_SEED: seed });
  }
  say(usage);
  return 2;
}

function test(name: string, env: Readonly<Record<string, string>>): Promise<number> {
  const jest = join(projectFolder, 'node_modules/jest/bin/jest.js');
  return run(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      jest,
      '--runInBand',
      `--testPathPatterns=test/e2e/${name}\\.test\\.ts$`,
    ],
    { env },
  );
}

// `npm run fuzz [-- RUNS [SEED]]`: the fuzz tests with a seed of the moment and many more runs than `npm test` makes. The seed is
// printed, so that what was found can be repeated.
import { join } from 'node:path';
import { projectFolder, run, say } from './run.ts';

const [runs = '20000', seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2);
say(`${runs} runs of each property; seed ${seed}`);
const jest = join(projectFolder, 'node_modules/jest/bin/jest.js');
process.exitCode = await run(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    jest,
    '--testTimeout=3600000',
    '--testPathPatterns=\\.fuzz\\.test\\.ts$',
  ],
  { env: { FUZZ_RUNS: runs, FUZZ_SEED: seed } },
);

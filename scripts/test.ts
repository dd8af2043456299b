// `npm test`: runs every suite that this machine can run, names those that it cannot, and counts: the last line printed is
// `N passed, N failed, N skipped`. Arguments go to jest, for instance a path.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Lack, lacksVariable, tools } from '../test/tools.ts';
import { projectFolder, run, say } from './run.ts';

/** What is read of jest's own report. */
interface JestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

const folder = mkdtempSync(join(tmpdir(), 'mcgw-test-'));
try {
  process.exitCode = await testAll(process.argv.slice(2));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function testAll(args: readonly string[]): Promise<number> {
  const report = join(folder, 'report.json');
  const lacks = join(folder, 'lacks.jsonl');
  const jest = join(projectFolder, 'node_modules/jest/bin/jest.js');
  const code = await run(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      jest,
      '--json',
      `--outputFile=${report}`,
      // A failed test may leave a server behind; nobody is there to end a run that waits for it
      ...(process.env.CI === 'true' ? ['--forceExit'] : []),
      ...args,
    ],
    { env: { [lacksVariable]: lacks } },
  );
  for (const { suite, tool } of readLacks(lacks)) {
    say(`skipped: ${suite} (needs ${tool}, Debian package ${tools[tool]})`);
  }
  const counts = readReport(report);
  const passed = counts?.numPassedTests ?? 0;
  // a suite that cannot even be loaded has no tests to count
  const failed = (counts?.numFailedTests ?? 0) + (counts?.numRuntimeErrorTestSuites ?? 0);
  const nothing = passed + failed === 0;
  if (nothing) say('no test ran, which counts as a failure');
  say(
    `${passed} passed, ${nothing || (failed === 0 && code !== 0) ? failed + 1 : failed} failed, ${counts?.numPendingTests ?? 0} skipped`,
  );
  return code === 0 && nothing ? 1 : code;
}

function readReport(file: string): JestReport | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as JestReport;
  } catch {
    return undefined;
  }
}

function readLacks(file: string): readonly Lack[] {
  try {
    return readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Lack);
  } catch {
    return [];
  }
}

// `npm run verify`: brings the programs that the tests need where it may, then lints, type-checks, builds and tests everything.
// Stops at the first step that fails and names it.
import { findTool, type Tool, tools } from '../test/tools.ts';
import { installPackages } from './debian-packages.ts';
import { run, say } from './run.ts';

process.exitCode = await verify();

async function verify(): Promise<number> {
  const missing = (Object.keys(tools) as Tool[]).filter((tool) => findTool(tool) === undefined);
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((tool) => tools[tool]))];
    progress(`installing ${packages.join(', ')} for ${missing.join(', ')}`);
    const reason = await installPackages(packages);
    if (reason !== undefined) {
      say(`verify: cannot install ${packages.join(', ')}: ${reason}`);
      if (process.env.CI === 'true') return failed('install');
    }
  }
  for (const step of ['lint', 'types', 'build', 'test']) {
    progress(step);
    const code = await run('npm', ['run', '--silent', step]);
    // the test step ends with its own counts, which stay the last line
    if (code !== 0) return step === 'test' ? code : failed(step);
  }
  return 0;
}

function progress(step: string): void {
  say(`verify: ${step} (${(process.uptime()).toFixed(0)} s)`);
}

function failed(step: string): number {
  say(`verify: FAILED at ${step}`);
  return 1;
}

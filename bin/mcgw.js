#!/usr/bin/env node
// Starts the program after a look at the Node.js version: older ones would fail on a later import without saying why.
// Plain JavaScript that any Node.js of the last years can read.
import { existsSync } from 'node:fs';

const needed = 24;
const major = Number(process.versions.node.split('.')[0]);
if (major < needed) {
  process.stderr.write(
    `mcgw needs Node.js ${needed} or newer, this is ${process.versions.node}. ` +
      'In a checkout, "npm run mcgw -- ARGUMENTS" uses the one that "npm ci" installed.\n',
  );
  process.exit(2);
}

// A reader that has seen enough, such as `| head`, is no fault.
process.stdout.on('error', (error) => {
  if (error.code === 'EPIPE') return;
  process.stderr.write(`mcgw: standard output cannot be written: ${error.message}\n`);
  process.exit(1);
});
process.stderr.on('error', () => undefined);

const source = new URL('../src/main.ts', import.meta.url);
const { main } = await import((existsSync(source) ? source : new URL('../dist/main.js', import.meta.url)).href);
process.exitCode = await main(process.argv.slice(2));

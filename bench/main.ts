// `npm run bench -- NAME`: runs one measurement of this folder; `--help` lists them.
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Bench, BenchOptions } from './support/bench.ts';

// What is shared between measurements lies in folders below this one.
const names = readdirSync(new URL('.', import.meta.url))
  .filter((file) => file.endsWith('.ts') && file !== 'main.ts')
  .map((file) => file.slice(0, -'.ts'.length))
  .sort();

/** What runs when no name is given: needs nothing but Debian's sip-tester and wrk. */
const quick = ['xcap-get', 'sip-subscribe'];

const usage = `usage: npm run bench [-- NAME] [--rounds N] [--seconds N] [--json FILE] [--check] [--rows ROW,…]
  NAME: ${names.join(', ')}; without it ${quick.join(' and ')}`;

process.exitCode = await bench(process.argv.slice(2));

async function bench(argv: readonly string[]): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(argv);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}\n`);
    return 2;
  }
  const { values, positionals } = parsed;
  if (values.help === true) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const [name, ...rest] = positionals;
  const rounds = Number(values.rounds);
  const seconds = Number(values.seconds);
  if ((name !== undefined && !names.includes(name)) || rest.length > 0 || !(rounds >= 1) || !(seconds > 0)) {
    process.stderr.write(`${usage}\n`);
    return 2;
  }
  const { json, check } = values;
  const rows = values.rows?.split(',');
  let worst = 0;
  for (const each of name === undefined ? quick : [name]) {
    const code = await measure(each, {
      rounds,
      seconds,
      json,
      check,
      rows,
      write: (line) => process.stdout.write(`${line}\n`),
    });
    worst = Math.max(worst, code);
  }
  return worst;
}

async function measure(name: string, options: BenchOptions): Promise<number> {
  const module = (await import(`./${name}.ts`)) as Bench;
  try {
    return await module.run(options);
  } catch (error) {
    process.stderr.write(`bench ${name}: ${(error as Error).message}\n`);
    return 1;
  }
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '10' },
      json: { type: 'string' },
      check: { type: 'boolean', default: false },
      rows: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}

// The demo as a user runs it: one command, exit code 0, every step of both flows printed with the line that carried it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const program = fileURLToPath(new URL('../../bin/mcgw.js', import.meta.url));

async function demo(): Promise<{ readonly code: number; readonly output: string; readonly seconds: number }> {
  const started = performance.now();
  const child = spawn(process.execPath, [program, 'demo', '--once'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += String(chunk);
  });
  const [code] = await once(child, 'exit');
  return { code: Number(code), output, seconds: (performance.now() - started) / 1000 };
}

const steps = [1, 2, 3, 4, 5]
  .map((step) => `provide ${step} `)
  .concat([1, 2, 3, 4, 5, 6].map((step) => `request ${step} `));

test('TS 23.280 10.2.7: mcgw demo --once plays and verifies every step of both flows within 20 s', async () => {
  const { code, output, seconds } = await demo();
  expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' });
  expect(steps.filter((step) => !output.includes(step))).toEqual([]);
  expect(output).toContain('PUT /xcap-root/org.openmobilealliance.groups/global/byGroupID/');
  expect(output).toContain('GET /xcap-root/org.openmobilealliance.groups/global/byGroupID/');
  expect(output).toContain('Every step was verified from outside both systems.');
  expect(seconds).toBeLessThan(20);
}, 60_000);

test('the demo takes free ports when its own are taken', async () => {
  const taken = createServer();
  taken.listen(18080, '127.0.0.1');
  // Another process may hold the port already, which serves as well.
  await once(taken, 'listening').catch(() => undefined);
  try {
    const { code, output } = await demo();
    expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' });
    expect(output).not.toContain('xcap=http://127.0.0.1:18080/');
  } finally {
    taken.close();
  }
}, 60_000);

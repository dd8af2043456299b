// A gateway with many live subscriptions is killed in the middle of telling a change, and stopped in the end: what it promised goes on.
// A few hundred in `npm test`; the long form has as many as MCGW_SUBSCRIPTIONS says:
//   MCGW_SUBSCRIPTIONS=10000 npm test -- test/e2e/notifier-killed.test.ts
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { harbour } from '../../src/demo/example-groups.ts';
import { byGroupId, xcap } from '../../src/demo/faces.ts';
import { choosePorts, type SystemPorts } from '../../src/demo/systems.ts';
import { ManySubscribers } from './support/many-subscribers.ts';

const count = Number(process.env.MCGW_SUBSCRIPTIONS ?? 300);
/** Milliseconds that all of them may take for one step. */
const patience = 20_000 + count * 4;
const program = fileURLToPath(new URL('../../bin/mcgw.js', import.meta.url));
const closing: (() => unknown)[] = [];

afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function serve(folder: string, { xcap: port, sip }: SystemPorts): Promise<ChildProcess> {
  const file = join(folder, 'gateway.yaml');
  const configuration = {
    system: {
      name: 'red',
      domains: ['red.example'],
      gms: 'sip:gms@red.example',
      groupCreationXui: 'sip:groups@red.example',
      servers: ['sip:mcptt@red.example'],
      administrators: ['sip:admin@red.example'],
    },
    xcap: { listen: { port }, root: `http://127.0.0.1:${port}/xcap-root` },
    sip: { listen: [`udp:127.0.0.1:${sip}`] },
    identity: { trustedProxies: ['127.0.0.1'] },
    storage: { sqlite: 'red.db' },
    logging: { level: 'warn' },
  };
  await writeFile(file, stringify(configuration));
  const child = spawn(process.execPath, [program, 'serve', '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  closing.push(() => child.kill('SIGKILL'));
  const line = once(createInterface({ input: child.stdout }), 'line');
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`mcgw serve ended with ${code}`)));
  await Promise.race([line, ended]);
  ended.catch(() => undefined);
  return child;
}

test(
  `RFC 3261 12.2.1.1, RFC 6665 4.2: ${count} subscriptions survive SIGKILL in the middle of a change, and are deactivated by SIGTERM`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mcgw-killed-'));
    closing.push(() => rm(folder, { recursive: true, force: true }));
    const { red: ports } = await choosePorts('any');
    const root = `http://127.0.0.1:${ports.xcap}/xcap-root`;
    const { document } = await harbour();
    const put = async (name: string): Promise<string> => {
      const answer = await xcap(root, {
        method: 'PUT',
        path: 'org.openmobilealliance.groups/users/sip:groups@red.example/harbour.xml',
        identity: 'sip:admin@red.example',
        body: document.replace('Harbour patrol', name),
      });
      expect(answer.status).toBeLessThan(300);
      return answer.tag;
    };
    let gateway = await serve(folder, ports);
    const first = await put('one');
    const many = await ManySubscribers.open(ports.sip, byGroupId('sip:harbour-tg1@red.example'), count);
    closing.push(() => many.close());
    await many.subscribe();
    await many.all('the first NOTIFY', patience, ({ answers, told }) => answers[0] === 200 && told === first);

    // Killed when a part of them has been told; the commit has been answered.
    const second = await put('two');
    const told = (tag: string): number => many.dialogs.filter((dialog) => dialog.told === tag).length;
    while (told(second) < Math.min(50, count / 4)) await new Promise((resolve) => setImmediate(resolve));
    gateway.kill('SIGKILL');
    await once(gateway, 'exit');
    expect(told(second)).toBeLessThan(count);
    const before = many.dialogs.map(({ notified }) => notified.at(-1) ?? 0);

    gateway = await serve(folder, ports);
    await many.all('the change made before the kill', patience, (dialog) => dialog.told === second);
    const third = await put('three');
    await many.all('a change after the restart', patience, (dialog) => dialog.told === third);
    for (const [place, { notified }] of many.dialogs.entries()) {
      expect(notified.at(-1)).toBeGreaterThan(before[place] ?? 0);
      // RFC 3261 12.2.1.1: never back
      expect([...notified].sort((one, other) => one - other)).toEqual(notified);
    }

    // Refreshes are recognised, and told everything.
    const some = many.dialogs.slice(0, Math.min(count, 1_000));
    for (const dialog of some) dialog.told = undefined;
    await many.subscribe(some);
    await many.all('the NOTIFY of a refresh', patience, (dialog) => dialog.told === third);
    expect(new Set(many.dialogs.flatMap(({ answers }) => answers))).toEqual(new Set([200]));

    gateway.kill('SIGTERM');
    await once(gateway, 'exit');
    const ended = many.dialogs.filter(({ state }) => state === 'terminated;reason=deactivated').length;
    if (count <= 1_000) expect(ended).toBe(count);
    // What a stop has no time for goes on after the next start.
    gateway = await serve(folder, ports);
    const last = await put('four');
    await many.all('an end, or a change after it', patience, ({ state, told: tag }) =>
      state.startsWith('terminated') ? tag === third : tag === last,
    );
  },
  120_000 + count * 30,
);

// What two gateways log of both flows at level info, refusals and failures included: no identity of a user or a group.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { byGroupId, xcap } from '../../src/demo/faces.ts';
import { McServiceServer } from '../../src/demo/mc-service-server.ts';
import { keyPair, labCa } from '../../src/demo/systems.ts';
import { until } from '../until.ts';
import { partnerConnector } from './partner-connector.ts';
import { Pair } from './support/pair.ts';

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.start({ change: (_name, configuration) => ({ ...configuration, logging: { level: 'info' } }) });
}, 60_000);
afterAll(() => pair?.close());

/** Subscribes at blue; resolves with the status line. */
async function subscribe(identity: string, resource: string, gms = 'sip:gms@blue.example'): Promise<string> {
  const server = { host: '127.0.0.1', port: pair.ports.blue.sip };
  const subscriber = new McServiceServer({ identity, gms, server, resources: [resource], onNotification: () => {} });
  try {
    return await subscriber.subscribe(600);
  } finally {
    subscriber.close();
  }
}

test('structured logs hold no identity of a user or group by default: both flows, their refusals and failures', async () => {
  const delivered = (name: string, state: string) =>
    until(
      () => pair.delivery(name),
      (delivery) => delivery?.state === state,
      `${name} ${state}`,
    );
  // Flow A: delivered, parked by a refusal, refused to others, deleted.
  await pair.put('harbour-1', pair.document('harbour-1', 'First'));
  await delivered('harbour-1', 'delivered');
  await pair.put('harbour-2', 'no document');
  await pair.put('harbour-3', pair.document('harbour-1', 'Of another'));
  await pair.delete('harbour-1');
  await delivered('harbour-1', 'delivered');
  // Flow B: brought, refused, unreachable, by GET and by SUBSCRIBE.
  await pair.put('border-1', pair.document('border-1', 'First'));
  for (const name of ['border-1', 'border-none', 'secret-1']) await pair.get('blue', name);
  await pair.get('blue', 'border-1', 'sip:stranger@blue.example');
  await pair.get('blue', 'border-1', 'no identity');
  pair.towards.red.traffic = () => Promise.reject(new Error('cut'));
  await pair.get('blue', 'border-2');
  expect(await subscribe('sip:mcptt@blue.example', byGroupId('sip:border-3@red.example'))).toContain(' 200 ');
  expect(await subscribe('sip:stranger@green.example', byGroupId('sip:border-1@red.example'))).toMatch(/^SIP/);
  expect(
    await subscribe('sip:omar@blue.example', byGroupId('sip:border-1@red.example'), 'sip:omar@blue.example'),
  ).toContain(' 404 ');
  expect(
    await subscribe('sip:mcptt@blue.example', 'org.openmobilealliance.groups/users/sip:omar@blue.example/x'),
  ).toMatch(/^SIP/);
  // A partner that asks for what is none of its business, and one that is not who it says it is.
  const asBlue = partnerConnector({
    root: `https://127.0.0.1:${pair.ports.red.interconnect}/xcap-root`,
    ca: await labCa(pair.folder),
    ...(await keyPair(pair.folder, 'blue')),
  });
  for (const identity of ['sip:gms@blue.example', 'sip:omar@blue.example', '']) {
    await asBlue('GET', byGroupId('sip:secret-1@red.example'), identity);
    await asBlue('PUT', byGroupId('sip:secret-2@red.example'), identity, '<group/>');
    await asBlue('DELETE', 'org.openmobilealliance.groups/users/sip:ines@red.example/x.xml', identity);
  }
  await asBlue.close();
  await xcap(pair.system('red').xcapRoot, {
    method: 'PUT',
    path: 'resource-lists/users/sip:ines@red.example/index',
    identity: 'sip:omar@red.example',
    body: '<x/>',
  });
  const logged = ['red', 'blue'] as const;
  const lines = logged.flatMap((name) => [...pair.system(name).log]);
  expect(lines.length).toBeGreaterThan(5);
  const personal = /(omar|ines|stranger|admin|harbour|border|secret)/i;
  expect(lines.filter((line) => personal.test(line))).toEqual([]);
}, 60_000);

test('request targets are logged at level debug alone, also when a reload changes the level', async () => {
  const red = pair.system('red');
  const file = join(pair.folder, 'red', 'gateway.yaml');
  const refusedAt = async (from: string, to: string): Promise<readonly string[]> => {
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(`level: ${from}`, `level: ${to}`));
    const before = red.log.length;
    process.kill(red.pid, 'SIGHUP');
    const lines = async () => red.log.slice(before);
    const has = (text: string) => (seen: readonly string[]) => seen.some((line) => line.includes(text));
    await until(lines, has('"reloaded"'), 'the reload');
    await pair.get('red', 'border-1', 'no identity');
    return until(lines, has('a request was refused'), 'the refusal');
  };
  expect((await refusedAt('info', 'debug')).join('\n')).toContain('border-1');
  expect((await refusedAt('debug', 'info')).join('\n')).not.toContain('border-1');
}, 30_000);

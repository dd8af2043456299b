import { Worker } from 'node:worker_threads';
import { expect, test } from '@jest/globals';
import { connectSrf, portOf, subscribe, UdpPeer } from './engine.testkit.ts';
import { engineOf, startEngineInWorker } from './worker-engine.ts';

test('an engine in a worker serves, counts, and ends when it is closed', async () => {
  const engine = await startEngineInWorker({ listen: ['udp:127.0.0.1:0', 'tcp:[::1]:0'] });
  expect(engine.listening).toEqual([
    expect.stringMatching(/^udp:127\.0\.0\.1:\d+$/),
    expect.stringMatching(/^tcp:\[::1\]:\d+$/),
  ]);
  expect(engine.largestFrame).toBe(1_048_576);
  const srf = await connectSrf(engine, {
    subscribe: (_request, response) => response.send(200, { headers: { Expires: '60' } }),
  });
  const peer = await UdpPeer.open();
  peer.send(subscribe({ port: peer.port }), portOf(engine, 'udp'));
  expect(await peer.next()).toMatch(/^SIP\/2.0 200/);
  expect((await engine.counts()).dialogs).toBe(1);
  srf.disconnect();
  peer.close();
  await engine.close();
  expect(await engine.exited).toBeUndefined();
});

test('a worker that cannot listen is a named error', async () => {
  const peer = await UdpPeer.open();
  await expect(startEngineInWorker({ listen: [`udp:127.0.0.1:${peer.port}`] })).rejects.toThrow('EADDRINUSE');
  peer.close();
});

test.each([
  ['an exception', "setImmediate(() => { throw new Error('broken'); })", 'broken'],
  ['an exit', 'process.exit(3)', 'SIP engine exited (3)'],
])('%s in the worker is told by `exited`', async (_what, end, message) => {
  const ready = { kind: 'ready', control: { host: '127.0.0.1', port: 1, secret: 's' }, listening: [], largestFrame: 1 };
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     parentPort.postMessage(${JSON.stringify(ready)});
     parentPort.on('message', () => { ${end}; });`,
    { eval: true },
  );
  const engine = await engineOf(worker);
  await expect(engine.counts()).rejects.toThrow('SIP engine exited');
  expect((await engine.exited)?.message).toBe(message);
});

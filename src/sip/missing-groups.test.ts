import { expect, test } from '@jest/globals';
import type { Principal } from '../identity/principal.ts';
import { Refusal } from '../refusals.ts';
import { MissingGroups } from './missing-groups.ts';

const server: Principal = { role: 'server', identity: 'sip:mcptt@red.example' };

test('TS 23.280 10.2.7: missing groups are asked of their home four at a time, each once, and failures are only logged', async () => {
  const asked: string[] = [];
  const fail: (() => void)[] = [];
  const logged: object[] = [];
  const missing = new MissingGroups(
    {
      group: (_principal, groupId) => {
        asked.push(groupId);
        return new Promise((_resolve, reject) => fail.push(() => reject(new Refusal('partner-unreachable'))));
      },
    },
    { info: (fields) => logged.push(fields) },
  );
  for (let number = 0; number < 6; number++) {
    missing.ask(server, `sip:g${number}@blue.example`);
    missing.ask(server, `sip:g${number}@blue.example`);
  }
  expect(asked.length).toBeLessThanOrEqual(4);
  for (let turn = 0; turn < 12; turn++) {
    fail[turn]?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect([...new Set(asked)].sort()).toEqual([0, 1, 2, 3, 4, 5].map((number) => `sip:g${number}@blue.example`));
  expect(logged[0]).toEqual({ reason: 'partner-unreachable' });
});

// Until when certificates are good, as monitors and logs are told.
import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { request } from 'undici';
import { redConfiguration, runGateway } from './gateway.testkit.ts';
import { warnOfExpiry } from './validity.ts';

const day = 24 * 60 * 60 * 1000;

test('mcgw_valid_until_seconds tells the end of each file by its key', async () => {
  const red = await runGateway(redConfiguration());
  try {
    const response = await request(`${red.urls.manage}/metrics`);
    const lines = (await response.body.text())
      .split('\n')
      .filter((line) => line.startsWith('mcgw_valid_until_seconds{'));
    expect(lines.map((line) => /key="([^"]+)"/.exec(line)?.[1])).toEqual([
      'interconnect.listen.tls.cert',
      'interconnect.listen.tls.clientCa',
    ]);
    for (const line of lines) {
      const left = Number(line.split(' ')[1]) * 1000 - Date.now();
      expect([line, left > 59 * day, left <= 60 * day]).toEqual([line, true, true]);
    }
  } finally {
    await red.close();
  }
});

test('what runs out soon is a warning, what has run out an error, the rest is silence', () => {
  const lines: { level: number; key: string; until: string }[] = [];
  const log = pino({ base: null }, { write: (line) => void lines.push(JSON.parse(line)) });
  const now = Date.UTC(2026, 10, 22);
  const at = (key: string, left: number, warnBefore = 30 * day) => ({ key, until: now + left, warnBefore });
  const stop = warnOfExpiry(
    () => [at('a', 31 * day), at('b', 29 * day), at('c', -1), at('d', 2 * day, day)],
    () => now,
    log,
  );
  stop();
  expect(lines.map(({ level, key, until }) => [level, key, until])).toEqual([
    [40, 'b', '2026-12-21T00:00:00.000Z'],
    [50, 'c', '2026-11-21T23:59:59.999Z'],
  ]);
});

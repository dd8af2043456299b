// What the XCAP measurement concludes from its samples, and what it sends.
import { describe, expect, test } from '@jest/globals';
import { parseStat } from '../../bench/support/process-time.ts';
import { findAll } from '../../bench/support/programs.ts';
import { quotients, spread } from '../../bench/support/statistics.ts';
import { loadScript } from '../../bench/support/wrk.ts';
import type { Sample } from '../../bench/xcap/measure.ts';
import { othersLine, verdictLines } from '../../bench/xcap/report.ts';
import { type Cell, type Result, verdicts } from '../../bench/xcap/results.ts';
import { chosenRows, workloads } from '../../bench/xcap/workloads.ts';

const sample = (figures: Partial<Sample>): Sample => ({
  rate: 1,
  processorTime: 1,
  p50: 1,
  p99: 1,
  others: 0,
  ...figures,
});

const result = (workload: Result['workload'], candidate: Result['candidate'], cell: Cell): Result => ({
  workload,
  title: workload,
  candidate,
  cell,
});

const measured = (...samples: readonly Partial<Sample>[]): Cell => ({
  state: 'measured',
  samples: samples.map(sample),
});

const outcomes = (results: readonly Result[]): Record<string, string> =>
  Object.fromEntries(verdicts(results).map(({ what, outcome }) => [what, outcome]));

describe('statistics', () => {
  test('the median of an even number of samples lies between the two in the middle', () => {
    expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, least: 1, most: 4 });
    expect(spread([7])).toEqual({ median: 7, least: 7, most: 7 });
    expect(spread([])).toBeUndefined();
  });

  test('quotients pair the samples of one round and leave out rounds that lack one', () => {
    expect(quotients([10, undefined, 30, 40], [5, 5, 0])).toEqual([2]);
  });
});

describe('proc(5) stat', () => {
  test('user and system time are fields 14 and 15, whatever the command is called', () => {
    const line = '42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 150 25 9 9 20 0 1 0 100 0 0';
    expect(parseStat(line)).toEqual({ parent: 7, seconds: 1.75, endedChildren: 0.18 });
  });
});

describe('a shared machine', () => {
  test('the report says when somebody else used more than a twentieth of it', () => {
    const used = (...shares: readonly number[]) =>
      othersLine([result('get', 'mcgw', measured(...shares.map((others) => ({ others }))))]);
    expect(used(0.01, 0.05, 0.3)).toBe('others used 5 % of the processors, 30 % at most');
    expect(used(0.3)).toContain('rates are not to be relied on');
  });
});

describe('needs', () => {
  test('everything missing is named at once with its Debian package', () => {
    const absent = (name: string, debianPackage: string) => ({ name, debianPackage, pattern: `/nowhere/${name}` });
    expect(() => findAll([absent('one', 'first-package'), absent('two', 'second-package')])).toThrow(
      'missing one: install the Debian package first-package\nmissing two: install the Debian package second-package',
    );
  });
});

describe('load', () => {
  test('a request with a body leaves room for a counter of eight digits and quotes what Lua would read', () => {
    const body = { before: 'é"\n', after: '\\' };
    const script = loadScript(
      { port: 80, connections: 1, requests: [{ method: 'PUT', path: '/a', headers: { A: 'b' }, body }] },
      5,
    );
    expect(script).toContain(
      `"PUT /a HTTP/1.1\\013\\010Host: 127.0.0.1:80\\013\\010A: b\\013\\010Content-Length: 13\\013\\010\\013\\010${'\u00c3\u00a9'}\\034\\010"`,
    );
    expect(script).toContain('local tails = {"\\092"}');
    expect(script).toContain('local sent = 5');
  });

  test('rows are chosen by name, in the order of the table, and a name that no row has is told', () => {
    expect(chosenRows(['put', 'element-get']).map(({ id }) => id)).toEqual(['element-get', 'put']);
    expect(chosenRows(undefined)).toHaveLength(workloads().length);
    expect(() => chosenRows(['put', 'puts'])).toThrow('no row puts; there are get, not-modified, element-get, put,');
  });

  test('documents have the sizes that the bars name', () => {
    const sizes = Object.fromEntries(workloads().map(({ id, documents }) => [id, documents[0]?.text.length ?? 0]));
    for (const id of ['get', 'put', 'element-put-5k']) {
      expect(sizes[id]).toBeGreaterThan(4_800);
      expect(sizes[id]).toBeLessThan(5_300);
    }
    expect(sizes['element-put-100k']).toBeGreaterThan(98_000);
    expect(sizes['element-put-2m']).toBeGreaterThan(2_000_000);
  });
});

describe('bars', () => {
  test('a bar counts the median of the quotients of each round', () => {
    const kamailio = result('get', 'kamailio', measured({ rate: 10 }, { rate: 20 }, { rate: 10 }));
    const met = result('get', 'mcgw', measured({ rate: 50 }, { rate: 60 }, { rate: 70 }));
    const missed = result('get', 'mcgw', measured({ rate: 49 }, { rate: 60 }, { rate: 49 }));
    expect(outcomes([met, kamailio])['GET rate over Kamailio']).toBe('PASS');
    expect(outcomes([missed, kamailio])['GET rate over Kamailio']).toBe('MISSED');
  });

  test('the worst round decides about blocks of the event loop', () => {
    const blocks = (...longest: readonly number[]): Result =>
      result('element-put-2m', 'mcgw', measured(...longest.map((longestBlock) => ({ longestBlock }))));
    const what = 'element PUT with 10,000 members, longest block of the event loop';
    expect(outcomes([blocks(5, 20, 5)])[what]).toBe('PASS');
    expect(outcomes([blocks(5, 20.1, 5)])[what]).toBe('MISSED');
  });

  test('what is not served, failed or lacks its reference never passes', () => {
    const notServed = result('element-get', 'mcgw', { state: 'not served', reason: '404' });
    const failed = result('put', 'mcgw', { state: 'failed', reason: 'refused' });
    const results = [
      notServed,
      result('element-get', 'kamailio', measured({})),
      failed,
      result('put', 'kamailio', measured({})),
      result('get', 'mcgw', measured({ rate: 1e9 })),
    ];
    expect(outcomes(results)).toEqual({
      'GET rate over Kamailio': 'NOT MEASURED',
      'GET processor time over bare node:http': 'NOT MEASURED',
      'element GET rate over Kamailio': 'NOT SERVED',
      'PUT rate over Kamailio': 'NOT MEASURED',
      'element PUT with 10,000 members, 99th percentile': 'NOT MEASURED',
      'element PUT with 10,000 members, longest block of the event loop': 'NOT MEASURED',
    });
    expect(verdictLines(verdicts(results))[2]).toBe('NOT SERVED  element GET rate over Kamailio (bar: at least 8 ×)');
  });
});

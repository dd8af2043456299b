// The figures of `npm run bench -- interconnect`: percentiles, processor time each, and when the bar is met.
import { expect, test } from '@jest/globals';
import { type Figures, resultTable, summary, verdictsOf } from '../../bench/interconnect/report.ts';

const hundred: Figures = {
  row: 'write',
  milliseconds: Array.from({ length: 100 }, (_, nth) => 100 - nth),
  count: 100,
  processorSeconds: 0.5,
  bar: { p50: 51, p99: 100 },
};

test('percentiles are those of the nearest rank, processor time is shared by all', () => {
  expect(summary(hundred)).toEqual({ p50: 50, p99: 99, most: 100, rate: undefined, processorMilliseconds: 5 });
  expect(summary({ row: 'provisions', rates: [3, 1, 2], count: 4, processorSeconds: 1 }).rate).toBe(2);
});

test('a bar is met only under both percentiles', () => {
  const passed = (bar: { readonly p50: number; readonly p99: number }): readonly boolean[] =>
    verdictsOf([{ ...hundred, bar }]).map((verdict) => verdict.passed);
  expect(passed({ p50: 51, p99: 100 })).toEqual([true]);
  expect(passed({ p50: 50, p99: 100 })).toEqual([false]);
  expect(passed({ p50: 51, p99: 99 })).toEqual([false]);
});

test('without a single measurement no bar is met', () => {
  expect(verdictsOf([{ ...hundred, milliseconds: [], count: 0 }]).map(({ passed }) => passed)).toEqual([false]);
});

test('the table has one line for each row below its head', () => {
  expect(resultTable([hundred])).toHaveLength(3);
});

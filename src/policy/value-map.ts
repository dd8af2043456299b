// The map rule: gives selected elements and attributes another value by the one they have: from a table, or by numbers of one range
// that become those of another, in proportion and rounded to whole numbers.
import { Refusal } from '../refusals.ts';
import type { OffsetIndex } from '../xml/offset-index.ts';
import type { CompiledXPath } from '../xml/xpath.ts';
import type { ElementPaths, PolicyEdit } from './edits.ts';
import type { MapFile } from './policy-schema.ts';
import { planValues } from './selection.ts';

interface Range {
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
}

/** A mapping ready to run: the value that a value becomes; undefined when nothing names it. */
export interface ValueMap {
  readonly valueOf: (value: string) => string | undefined;
  readonly otherwise: 'keep' | 'refuse';
}

/** Reads the mapping of a rule. Throws Error for ranges that overlap. */
export function valueMap({ table, ranges, otherwise }: MapFile): ValueMap {
  // A Map: names that every object has, such as "constructor", are values like others.
  const values = new Map(Object.entries(table ?? {}).map(([value, wanted]) => [value.trim(), wanted] as const));
  const read = Object.entries(ranges ?? {}).map(([from, to]): Range => ({ from: bounds(from), to: bounds(to) }));
  const sorted = read.map(({ from }) => [Math.min(...from), Math.max(...from)] as const).sort((a, b) => a[0] - b[0]);
  for (const [position, [low]] of sorted.entries()) {
    const before = sorted[position - 1];
    if (before !== undefined && low <= before[1]) throw new Error(`the ranges overlap at ${low}`);
  }
  return {
    valueOf: (value) => {
      const given = values.get(value.trim());
      if (given !== undefined) return given;
      if (!/^[+-]?\d{1,15}$/.test(value.trim())) return undefined;
      const number = Number(value);
      const range = read.find(({ from }) => number >= Math.min(...from) && number <= Math.max(...from));
      return range === undefined ? undefined : String(proportional(number, range));
    },
    otherwise: otherwise ?? (ranges === undefined ? 'keep' : 'refuse'),
  };
}

/** Plans the edits of a map rule. Throws Refusal `constraint-failure` for a value that the rule refuses. */
export function planMap(
  index: OffsetIndex,
  paths: ElementPaths,
  selection: CompiledXPath,
  map: ValueMap,
  endToEnd: boolean,
): readonly PolicyEdit[] {
  return planValues(index, paths, selection, endToEnd, (value, path) => {
    const mapped = map.valueOf(value);
    if (mapped !== undefined || map.otherwise === 'keep') return mapped;
    throw new Refusal('constraint-failure', {
      phrase: `map has no value for "${value.trim().slice(0, 100)}" at ${path}`,
    });
  });
}

function proportional(number: number, { from, to }: Range): number {
  const [fromStart, fromEnd] = from;
  const [toStart, toEnd] = to;
  if (fromStart === fromEnd) return toStart;
  return Math.round(toStart + ((number - fromStart) / (fromEnd - fromStart)) * (toEnd - toStart));
}

function bounds(text: string): readonly [number, number] {
  const [, first = '0', second = '0'] = /^(-?\d+)\s*(?:-|\.\.)\s*(-?\d+)$/.exec(text) ?? [];
  return [Number(first), Number(second)];
}

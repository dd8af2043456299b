// Regular expressions that cannot hang: each instruction is tried at most once for each place in the text, so the time of a match is the
// product of the two lengths, whatever the expression. Which match is found is the same as in JavaScript: leftmost, first alternative.
import { compilePattern, type Instruction, type Program } from './pattern-syntax.ts';

export { PatternError } from './pattern-syntax.ts';

/** Longest text looked at, UTF-16 units: no identity is longer. */
export const longestText = 8192;

export interface BoundedPattern {
  readonly groups: number;
  /** Instructions: the time of a match is at most this for each character. */
  readonly length: number;
  /** Offsets of the match and its groups in pairs, -1 where a group took no part; undefined when nothing matches. */
  match(text: string): readonly number[] | undefined;
}

/** Compiles an expression. Throws PatternError with the place of the first fault. */
export function boundedPattern(expression: string): BoundedPattern {
  const program = compilePattern(expression);
  return {
    groups: program.groups,
    length: program.instructions.length,
    match: (text) => firstMatch(program, text),
  };
}

/** `$1` to `$99` are groups, `$&` is the match, `$$` a dollar sign. Throws RangeError for a group that the pattern does not have. */
export function checkReplacement(replacement: string, groups: number): void {
  for (const [, group] of replacement.matchAll(/\$(?:\$|&|(\d{1,2}))/g)) {
    if (group !== undefined && (Number(group) < 1 || Number(group) > groups)) {
      throw new RangeError(`$${group} names a group that the pattern does not have`);
    }
  }
}

/** The text with its first match replaced; undefined when nothing matches. */
export function replaceFirst(pattern: BoundedPattern, text: string, replacement: string): string | undefined {
  const found = pattern.match(text);
  if (found === undefined) return undefined;
  const part = (group: number): string => {
    const from = found[group * 2] ?? -1;
    return from < 0 ? '' : text.slice(from, found[group * 2 + 1]);
  };
  const put = replacement.replace(/\$(\$|&|\d{1,2})/g, (_all, what: string) =>
    what === '$' ? '$' : part(what === '&' ? 0 : Number(what)),
  );
  return text.slice(0, found[0]) + put + text.slice(found[1]);
}

function firstMatch({ instructions, groups }: Program, text: string): readonly number[] | undefined {
  if (text.length > longestText) return undefined;
  // One bit for each instruction and place: what failed there once fails there always.
  const width = text.length + 1;
  const tried = emptyMarks(Math.ceil((instructions.length * width) / 32));
  const anchored = instructions[0]?.op === 'start';
  for (let from = 0; from <= text.length; from++) {
    const slots = new Array<number>(groups * 2 + 2).fill(-1);
    slots[0] = from;
    if (run(instructions, text, from, slots, tried, width)) return slots;
    if (anchored) return undefined;
  }
  return undefined;
}

let marks = new Uint32Array(1024);

/** Memory for the marks of one match, all unset; the same for every match, because making it costs more than most matches. */
function emptyMarks(cells: number): Uint32Array {
  if (cells > marks.length) marks = new Uint32Array(cells);
  else marks.fill(0, 0, cells);
  return marks;
}

function run(
  instructions: readonly Instruction[],
  text: string,
  from: number,
  slots: number[],
  tried: Uint32Array,
  width: number,
): boolean {
  // Triples: address and place to try; or -1 - slot and the value to put back.
  const pending: number[] = [0, from];
  while (pending.length > 0) {
    let place = pending.pop() ?? 0;
    let address = pending.pop() ?? 0;
    if (address < 0) {
      slots[-1 - address] = place;
      continue;
    }
    for (;;) {
      const bit = address * width + place;
      const cell = bit >>> 5;
      const mask = 1 << (bit & 31);
      if (((tried[cell] ?? 0) & mask) !== 0) break;
      tried[cell] = (tried[cell] ?? 0) | mask;
      const instruction = instructions[address];
      if (instruction === undefined) break;
      if (instruction.op === 'match') {
        slots[1] = place;
        return true;
      }
      if (instruction.op === 'jump') address = instruction.to;
      else if (instruction.op === 'split') {
        pending.push(instruction.second, place);
        address = instruction.first;
      } else if (instruction.op === 'save') {
        pending.push(-1 - instruction.slot, slots[instruction.slot] ?? -1);
        slots[instruction.slot] = place;
        address++;
      } else if (instruction.op === 'set') {
        const code = text.codePointAt(place);
        if (code === undefined || inRanges(instruction.ranges, code) === instruction.negated) break;
        place += code > 0xffff ? 2 : 1;
        address++;
      } else {
        if (!holds(instruction.op, text, place)) break;
        address++;
      }
    }
  }
  return false;
}

function inRanges(ranges: readonly (readonly [number, number])[], code: number): boolean {
  for (const range of ranges) if (code >= range[0] && code <= range[1]) return true;
  return false;
}

function holds(op: 'start' | 'end' | 'boundary' | 'inside', text: string, place: number): boolean {
  if (op === 'start') return place === 0;
  if (op === 'end') return place === text.length;
  return (isWord(text.charCodeAt(place - 1)) !== isWord(text.charCodeAt(place))) === (op === 'boundary');
}

function isWord(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || code === 0x5f || (code >= 0x61 && code <= 0x7a)
  );
}

// Reads the regular expressions of policy files into programs for the bounded matcher: the usual syntax without what cannot be matched
// in linear time (back-references, look-around). Counted repetitions are written out, so the length of a program is bounded, too.

/** One instruction; numbers are addresses in the program. */
export type Instruction =
  | { readonly op: 'set'; readonly ranges: readonly (readonly [from: number, to: number])[]; readonly negated: boolean }
  | { readonly op: 'split'; first: number; second: number }
  | { readonly op: 'jump'; to: number }
  | { readonly op: 'save'; readonly slot: number }
  | { readonly op: 'start' | 'end' | 'boundary' | 'inside' }
  | { readonly op: 'match' };

export interface Program {
  readonly instructions: readonly Instruction[];
  /** Capturing groups, the whole match not counted. */
  readonly groups: number;
}

/** Raised for an expression that cannot be used; `position` counts characters from 0. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
  readonly position: number;

  constructor(message: string, position: number) {
    super(message);
    this.position = position;
  }
}

type Ranges = readonly (readonly [from: number, to: number])[];

type Tree =
  | { readonly kind: 'set'; readonly ranges: Ranges; readonly negated: boolean }
  | { readonly kind: 'assert'; readonly op: 'start' | 'end' | 'boundary' | 'inside' }
  | { readonly kind: 'group'; readonly slot: number | undefined; readonly inner: Tree }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Tree[] }
  | {
      readonly kind: 'repeat';
      readonly inner: Tree;
      readonly least: number;
      readonly most: number;
      readonly lazy: boolean;
    };

/** Instructions that one expression may become. */
const longestProgram = 2000;
const deepest = 50;

const digits: Ranges = [[0x30, 0x39]];
const word: Ranges = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
const space: Ranges = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x2028, 0x2029],
];
const lineEnds: Ranges = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
const classes: Readonly<Record<string, Ranges>> = { d: digits, w: word, s: space };
const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

class Reader {
  readonly #text: readonly string[];
  #at = 0;
  #depth = 0;
  groups = 0;

  constructor(expression: string) {
    this.#text = [...expression];
  }

  read(): Tree {
    const tree = this.#choice();
    if (this.#at < this.#text.length) this.#fail('")" without "("');
    return tree;
  }

  get #next(): string | undefined {
    return this.#text[this.#at];
  }

  #fail(message: string, position = this.#at): never {
    throw new PatternError(message, position);
  }

  #take(text: string): boolean {
    if (this.#next !== text) return false;
    this.#at++;
    return true;
  }

  #choice(): Tree {
    if (++this.#depth > deepest) this.#fail('groups are nested too deeply');
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    this.#depth--;
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'choice', parts };
  }

  #sequence(): Tree {
    const parts: Tree[] = [];
    while (this.#next !== undefined && this.#next !== '|' && this.#next !== ')') parts.push(this.#repeated());
    return { kind: 'sequence', parts };
  }

  #repeated(): Tree {
    const from = this.#at;
    const inner = this.#atom();
    const bounds = this.#quantifier();
    if (bounds === undefined) return inner;
    if (inner.kind === 'assert') this.#fail('an assertion cannot be repeated', from);
    const lazy = this.#take('?');
    if (this.#quantifier() !== undefined) this.#fail('a repetition of a repetition needs a group');
    return { kind: 'repeat', inner, least: bounds[0], most: bounds[1], lazy };
  }

  #quantifier(): readonly [number, number] | undefined {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.#take('?')) return [0, 1];
    const counted = /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(this.#text.slice(this.#at, this.#at + 12).join(''));
    if (counted === null) return undefined;
    const least = Number(counted[1]);
    const most = counted[2] === undefined ? least : counted[3] === '' ? Number.POSITIVE_INFINITY : Number(counted[3]);
    if (most < least) this.#fail('the numbers of a repetition are out of order');
    this.#at += counted[0].length;
    return [least, most];
  }

  #atom(): Tree {
    const from = this.#at;
    const character = this.#next ?? '';
    this.#at++;
    switch (character) {
      case '^':
        return { kind: 'assert', op: 'start' };
      case '$':
        return { kind: 'assert', op: 'end' };
      case '.':
        return { kind: 'set', ranges: lineEnds, negated: true };
      case '(':
        return this.#group(from);
      case '[':
        return this.#set(from);
      case '\\':
        return this.#escape(from);
      case '*':
      case '+':
      case '?':
        return this.#fail(`nothing stands before "${character}"`, from);
      case '{':
      case '}':
      case ']':
        return this.#fail(`"${character}" needs a backslash before it`, from);
      default:
        return single(character);
    }
  }

  #group(from: number): Tree {
    let slot: number | undefined;
    if (this.#take('?')) {
      if (!this.#take(':')) this.#fail('look-around and named groups are not available', from);
    } else slot = ++this.groups;
    const inner = this.#choice();
    if (!this.#take(')')) this.#fail('")" is missing', from);
    return { kind: 'group', slot, inner };
  }

  #escape(from: number): Tree {
    const character = this.#next;
    if (character === 'b' || character === 'B') {
      this.#at++;
      return { kind: 'assert', op: character === 'b' ? 'boundary' : 'inside' };
    }
    const [ranges, negated] = this.#escaped(from);
    return { kind: 'set', ranges, negated };
  }

  /** What stands behind a backslash: one character, or a class with whether it is negated. */
  #escaped(from: number): readonly [Ranges, boolean] {
    const character = this.#next;
    if (character === undefined) this.#fail('the expression ends with a backslash', from);
    this.#at++;
    const named = classes[character.toLowerCase()];
    if (named !== undefined && /[dws]/i.test(character)) return [named, character !== character.toLowerCase()];
    if (/[1-9]/.test(character)) this.#fail('back-references are not available', from);
    const code = controls[character] ?? this.#numeric(character, from) ?? character.codePointAt(0) ?? 0;
    return [[[code, code]], false];
  }

  #numeric(character: string, from: number): number | undefined {
    if (character === '0') return 0;
    const length = character === 'x' ? 2 : character === 'u' ? 4 : 0;
    if (length > 0) {
      const hex = this.#text.slice(this.#at, this.#at + length).join('');
      if (!/^[0-9A-Fa-f]+$/.test(hex) || hex.length !== length)
        this.#fail(`\\${character} needs ${length} hexadecimal digits`, from);
      this.#at += length;
      return Number.parseInt(hex, 16);
    }
    if (/[A-Za-z]/.test(character) && controls[character] === undefined)
      this.#fail(`\\${character} is not available`, from);
    return undefined;
  }

  #set(from: number): Tree {
    const negated = this.#take('^');
    const ranges: (readonly [number, number])[] = [];
    while (!this.#take(']')) {
      if (this.#next === undefined) this.#fail('"]" is missing', from);
      const low = this.#member();
      if (this.#next !== '-' || this.#text[this.#at + 1] === ']' || this.#text[this.#at + 1] === undefined) {
        ranges.push(...low);
        continue;
      }
      this.#at++;
      const high = this.#member();
      const [first] = low;
      const [last] = high;
      if (
        first === undefined ||
        last === undefined ||
        first[0] !== first[1] ||
        last[0] !== last[1] ||
        last[0] < first[0]
      ) {
        this.#fail('a range needs two characters in order', from);
      }
      ranges.push([first[0], last[0]]);
    }
    return { kind: 'set', ranges, negated };
  }

  #member(): Ranges {
    const from = this.#at;
    const character = this.#next ?? '';
    this.#at++;
    if (character !== '\\') return [[character.codePointAt(0) ?? 0, character.codePointAt(0) ?? 0]];
    const [ranges, negated] = this.#escaped(from);
    return negated ? complement(ranges) : ranges;
  }
}

function single(character: string): Tree {
  const code = character.codePointAt(0) ?? 0;
  return { kind: 'set', ranges: [[code, code]], negated: false };
}

function complement(ranges: Ranges): Ranges {
  const found: (readonly [number, number])[] = [];
  let from = 0;
  for (const [low, high] of ranges) {
    if (low > from) found.push([from, low - 1]);
    from = high + 1;
  }
  return [...found, [from, 0x10ffff]];
}

class Writer {
  readonly instructions: Instruction[] = [];

  #put(instruction: Instruction): number {
    if (this.instructions.length >= longestProgram) throw new PatternError('the expression is too large', 0);
    return this.instructions.push(instruction) - 1;
  }

  write(tree: Tree): void {
    switch (tree.kind) {
      case 'set':
        this.#put({ op: 'set', ranges: tree.ranges, negated: tree.negated });
        return;
      case 'assert':
        this.#put({ op: tree.op });
        return;
      case 'group':
        if (tree.slot !== undefined) this.#put({ op: 'save', slot: tree.slot * 2 });
        this.write(tree.inner);
        if (tree.slot !== undefined) this.#put({ op: 'save', slot: tree.slot * 2 + 1 });
        return;
      case 'sequence':
        for (const part of tree.parts) this.write(part);
        return;
      case 'choice':
        this.#choice(tree.parts);
        return;
      case 'repeat':
        for (let count = 0; count < tree.least; count++) this.write(tree.inner);
        if (tree.most === Number.POSITIVE_INFINITY) this.#loop(tree.inner, tree.lazy);
        else for (let count = tree.least; count < tree.most; count++) this.#optional(tree.inner, tree.lazy);
    }
  }

  end(): void {
    this.#put({ op: 'match' });
  }

  #choice(parts: readonly Tree[]): void {
    const jumps: { to: number }[] = [];
    for (const [number, part] of parts.entries()) {
      if (number === parts.length - 1) {
        this.write(part);
        break;
      }
      const split = { op: 'split' as const, first: 0, second: 0 };
      split.first = this.#put(split) + 1;
      this.write(part);
      const jump = { op: 'jump' as const, to: 0 };
      this.#put(jump);
      jumps.push(jump);
      split.second = this.instructions.length;
    }
    for (const jump of jumps) jump.to = this.instructions.length;
  }

  #loop(inner: Tree, lazy: boolean): void {
    const split = { op: 'split' as const, first: 0, second: 0 };
    const at = this.#put(split);
    this.write(inner);
    this.#put({ op: 'jump', to: at });
    this.#aim(split, at + 1, lazy);
  }

  #optional(inner: Tree, lazy: boolean): void {
    const split = { op: 'split' as const, first: 0, second: 0 };
    const at = this.#put(split);
    this.write(inner);
    this.#aim(split, at + 1, lazy);
  }

  #aim(split: { first: number; second: number }, body: number, lazy: boolean): void {
    const behind = this.instructions.length;
    split.first = lazy ? behind : body;
    split.second = lazy ? body : behind;
  }
}

/** Compiles an expression. Throws PatternError with the place of the first fault. */
export function compilePattern(expression: string): Program {
  const reader = new Reader(expression);
  const tree = reader.read();
  const writer = new Writer();
  writer.write(tree);
  writer.end();
  return { instructions: writer.instructions, groups: reader.groups };
}

// The text of a policy file before the YAML parser sees it. The parser takes microseconds for each byte, and much more for brackets nested
// by the thousand; what no policy has is refused by one quick look at each character.
import { parseYaml, type YamlSource } from '../config/yaml-source.ts';

/** What a policy file may have. The deepest rule nests six brackets; nobody needs an anchor for each rule. */
const mostNested = 32;
const mostAnchors = 200;
const mostLines = 50_000;

/** A problem with its line, counted from 1. */
export interface TextProblem {
  readonly line: number;
  readonly text: string;
}

/** Parses the text of a policy file, unless it has what no policy has. Never throws: what is wrong is in `problems`. */
export function parsePolicyText(file: string, text: string): YamlSource {
  const excess = textProblem(text);
  if (excess !== undefined) return unparsed(file, excess);
  const { stackTraceLimit } = Error;
  try {
    // The parser makes an Error of each problem; with stacks, broken texts take five times as long.
    Error.stackTraceLimit = 0;
    return parseYaml(file, text);
  } catch (error) {
    // The parser recurses; what it cannot follow is no policy.
    return unparsed(file, { line: 1, text: `cannot be parsed: ${(error as Error).message}` });
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Parses the text of a policy file as `parsePolicyText`. */
export type PolicyParser = (file: string, text: string) => YamlSource;

/** A parser that parses each text once, however often one asks: for reading and compiling one policy. */
export function parsingOnce(): PolicyParser {
  const parsed = new Map<string, YamlSource>();
  return (file, text) => {
    const source = parsed.get(text) ?? parsePolicyText(file, text);
    parsed.set(text, source);
    return { ...source, file, problems: source.problems.map((problem) => ({ ...problem, file })) };
  };
}

function unparsed(file: string, { line, text }: TextProblem): YamlSource {
  return {
    file,
    value: undefined,
    problems: [{ file, line, key: 'yaml', text }],
    lineOf: () => line,
    has: () => false,
  };
}

/** What makes a text too costly to parse; undefined when nothing does. Takes time in proportion to its length. */
export function textProblem(text: string): TextProblem | undefined {
  return new TextScan(text).problem();
}

const nodeEnd = /[\s,[\]{}]/;

function isLineEnd(character: string | undefined): boolean {
  return character === undefined || character === '\n' || character === '\r';
}

/** Goes through a text by the tokens that cost a parser most: brackets, quotes, anchors, aliases, indicators of nested blocks. */
class TextScan {
  readonly #text: string;
  #at = 0;
  #line = 1;
  #lineStart = 0;
  #brackets = 0;
  #anchors = 0;
  #documents = 0;
  /** Indicators `-`, `?` and keys that opened blocks on this line. */
  #opened = 0;
  /** True where a node may begin. */
  #fresh = true;
  /** True behind a closing quote or bracket. */
  #isClosed = false;
  /** Indentations of the blocks around, growing. */
  readonly #blocks: number[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  problem(): TextProblem | undefined {
    while (this.#at < this.#text.length) {
      const what = this.#at === this.#lineStart ? this.#startOfLine() : this.#step();
      if (what !== undefined) return { line: this.#line, text: what };
    }
    if (this.#line > mostLines) return { line: this.#line, text: `has more than ${mostLines} lines` };
    return undefined;
  }

  /** At the first character of a line: its indentation, and whether another document begins. */
  #startOfLine(): string | undefined {
    const text = this.#text;
    let column = 0;
    while (text[this.#at + column] === ' ') column++;
    this.#opened = 0;
    const isEmpty = isLineEnd(text[this.#at + column]);
    if (this.#brackets === 0 && !isEmpty) {
      this.#fresh = true;
      while ((this.#blocks.at(-1) ?? -1) > column) this.#blocks.pop();
      const tooDeep = this.#open(column);
      if (tooDeep !== undefined) return tooDeep;
      if (column === 0 && /^(---|\.\.\.)(\s|$)/.test(text.slice(this.#at, this.#at + 4))) {
        if (text.startsWith('---', this.#at) && ++this.#documents > 1)
          return 'more than one document stands in the file';
        this.#at += 3;
        return undefined;
      }
    }
    if (column > 0) this.#at += column;
    else return this.#step();
    return undefined;
  }

  #step(): string | undefined {
    const character = this.#text[this.#at];
    switch (character) {
      case '\n':
        this.#newLine();
        return undefined;
      case ' ':
      case '\t':
      case '\r':
        this.#at++;
        return undefined;
      case '#':
        if (this.#at > 0 && !/\s/.test(this.#text[this.#at - 1] ?? '')) return this.#plain();
        this.#skipLine();
        return undefined;
      case '[':
      case '{':
        if (!this.#fresh && this.#brackets === 0) return this.#plain();
        this.#at++;
        this.#fresh = true;
        return ++this.#brackets > mostNested ? `brackets are nested more than ${mostNested} deep` : undefined;
      case ']':
      case '}':
        this.#at++;
        this.#brackets = Math.max(0, this.#brackets - 1);
        this.#closed();
        return undefined;
      case ',':
        this.#at++;
        this.#fresh = this.#brackets > 0;
        this.#isClosed = false;
        return undefined;
      case ':':
        return this.#indicator(false);
      case '-':
      case '?':
        return this.#fresh ? this.#indicator(true) : this.#plain();
      case '"':
      case "'":
        return this.#fresh ? this.#quoted(character) : this.#plain();
      case '&':
      case '*':
      case '!':
        return this.#fresh ? this.#property(character) : this.#plain();
      case '|':
      case '>':
        return this.#fresh && this.#brackets === 0 ? this.#blockScalar() : this.#plain();
      default:
        return this.#plain();
    }
  }

  #newLine(): void {
    this.#at++;
    this.#line++;
    this.#lineStart = this.#at;
  }

  #skipLine(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  #plain(): undefined {
    this.#at++;
    this.#fresh = false;
    this.#isClosed = false;
    return undefined;
  }

  #closed(): void {
    this.#fresh = false;
    this.#isClosed = true;
  }

  #open(column: number): string | undefined {
    if (this.#blocks.at(-1) !== column) this.#blocks.push(column);
    return this.#blocks.length > mostNested ? `blocks are nested more than ${mostNested} deep` : undefined;
  }

  /** `-`, `?` and `:` open a block, or part a key from its value, when white space follows. */
  #indicator(opens: boolean): string | undefined {
    const next = this.#text[this.#at + 1];
    // Behind a key in quotes or brackets the value may follow at once, as in JSON.
    const isOne =
      next === undefined || /\s/.test(next) || (this.#brackets > 0 && (this.#isClosed || nodeEnd.test(next)));
    if (!isOne) return this.#plain();
    this.#at++;
    this.#fresh = true;
    this.#isClosed = false;
    if (this.#brackets > 0) return undefined;
    if (++this.#opened > mostNested) return `blocks are nested more than ${mostNested} deep`;
    if (!opens) return undefined;
    let column = this.#at - this.#lineStart;
    while (this.#text[this.#lineStart + column] === ' ') column++;
    return isLineEnd(this.#text[this.#lineStart + column]) ? undefined : this.#open(column);
  }

  #quoted(quote: string): undefined {
    const text = this.#text;
    for (let at = this.#at + 1; at < text.length; at++) {
      const character = text[at];
      if (character === '\n') {
        this.#line++;
        this.#lineStart = at + 1;
      } else if (character === '\\' && quote === '"') at++;
      else if (character === quote) {
        if (quote === "'" && text[at + 1] === "'") at++;
        else {
          this.#at = at + 1;
          this.#closed();
          return undefined;
        }
      }
    }
    // A quote that does not end is told by the parser, with its place.
    this.#at = text.length;
    return undefined;
  }

  /** An anchor, an alias or a tag. */
  #property(sign: string): string | undefined {
    const start = this.#at;
    this.#at++;
    while (this.#at < this.#text.length && !nodeEnd.test(this.#text[this.#at] ?? '')) this.#at++;
    this.#fresh = sign !== '*';
    if (sign === '!' || this.#at - start < 2) return undefined;
    return ++this.#anchors > mostAnchors ? `has more than ${mostAnchors} anchors and aliases` : undefined;
  }

  /** A block scalar goes on as long as lines are empty or indented more than the block it stands in. */
  #blockScalar(): undefined {
    // Where the scalar itself is the item of a list, the block it stands in is the list.
    const isItem = this.#blocks.at(-1) === this.#at - this.#lineStart;
    const around = this.#blocks.at(isItem ? -2 : -1) ?? -1;
    this.#skipLine();
    const text = this.#text;
    while (this.#at < text.length) {
      let at = this.#at + 1;
      let column = 0;
      while (text[at + column] === ' ') column++;
      at += column;
      if (!isLineEnd(text[at]) && column <= around) break;
      this.#newLine();
      this.#at = at;
      this.#skipLine();
    }
    this.#fresh = false;
    return undefined;
  }
}

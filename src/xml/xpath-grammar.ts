// Checks an XPath 1.0 expression before libxml2 compiles it: grammar, prefixes, functions and types, with the place of each fault.
// XPath 1.0 without variables is statically typed, so an expression that passes here does not fail while it is evaluated.

/** Raised for an expression that cannot be used; `position` counts characters from 0. */
export class XPathError extends Error {
  override readonly name = 'XPathError';
  readonly position: number;

  constructor(message: string, position: number) {
    super(message);
    this.position = position;
  }
}

/** What an expression yields. */
export type XPathType = 'node-set' | 'string' | 'number' | 'boolean';

interface Token {
  readonly text: string;
  readonly kind: 'name' | 'operator' | 'literal' | 'number' | 'symbol' | 'end';
  readonly position: number;
}

interface FunctionSignature {
  readonly least: number;
  readonly most: number;
  readonly takesNodeSet?: boolean;
  readonly type: XPathType;
}

// XPath 1.0 clause 4
const functions: ReadonlyMap<string, FunctionSignature> = new Map<string, FunctionSignature>([
  ['last', { least: 0, most: 0, type: 'number' }],
  ['position', { least: 0, most: 0, type: 'number' }],
  ['count', { least: 1, most: 1, takesNodeSet: true, type: 'number' }],
  ['id', { least: 1, most: 1, type: 'node-set' }],
  ['local-name', { least: 0, most: 1, takesNodeSet: true, type: 'string' }],
  ['namespace-uri', { least: 0, most: 1, takesNodeSet: true, type: 'string' }],
  ['name', { least: 0, most: 1, takesNodeSet: true, type: 'string' }],
  ['string', { least: 0, most: 1, type: 'string' }],
  ['concat', { least: 2, most: Number.POSITIVE_INFINITY, type: 'string' }],
  ['starts-with', { least: 2, most: 2, type: 'boolean' }],
  ['contains', { least: 2, most: 2, type: 'boolean' }],
  ['substring-before', { least: 2, most: 2, type: 'string' }],
  ['substring-after', { least: 2, most: 2, type: 'string' }],
  ['substring', { least: 2, most: 3, type: 'string' }],
  ['string-length', { least: 0, most: 1, type: 'number' }],
  ['normalize-space', { least: 0, most: 1, type: 'string' }],
  ['translate', { least: 3, most: 3, type: 'string' }],
  ['boolean', { least: 1, most: 1, type: 'boolean' }],
  ['not', { least: 1, most: 1, type: 'boolean' }],
  ['true', { least: 0, most: 0, type: 'boolean' }],
  ['false', { least: 0, most: 0, type: 'boolean' }],
  ['lang', { least: 1, most: 1, type: 'boolean' }],
  ['number', { least: 0, most: 1, type: 'number' }],
  ['sum', { least: 1, most: 1, takesNodeSet: true, type: 'number' }],
  ['floor', { least: 1, most: 1, type: 'number' }],
  ['ceiling', { least: 1, most: 1, type: 'number' }],
  ['round', { least: 1, most: 1, type: 'number' }],
]);

const nodeTypes = new Set(['comment', 'text', 'processing-instruction', 'node']);
const axes = new Set(
  'ancestor ancestor-or-self attribute child descendant descendant-or-self following following-sibling parent preceding preceding-sibling self'.split(
    ' ',
  ),
);
const nameOperators = new Set(['and', 'or', 'div', 'mod']);
const binaryOperators: readonly (readonly [operators: readonly string[], type: XPathType])[] = [
  [['or'], 'boolean'],
  [['and'], 'boolean'],
  [['=', '!='], 'boolean'],
  [['<', '<=', '>', '>='], 'boolean'],
  [['+', '-'], 'number'],
  [['*', 'div', 'mod'], 'number'],
];
const deepest = 100;

const ncName = '[\\p{L}_][\\p{L}\\p{N}\\p{M}_.\\-·]*';
const tokenPattern = new RegExp(
  [
    '(?<space>\\s+)',
    `(?<literal>"[^"]*"|'[^']*')`,
    '(?<number>\\d+(?:\\.\\d*)?|\\.\\d+)',
    `(?<name>${ncName}(?::(?!:)(?:${ncName}|\\*))?)`,
    '(?<symbol>\\.\\.|::|//|!=|<=|>=|[./|+\\-=<>()[\\]@,*$])',
  ].join('|'),
  'uy',
);

function tokenize(expression: string): readonly Token[] {
  const tokens: Token[] = [];
  tokenPattern.lastIndex = 0;
  for (let position = 0; position < expression.length; position = tokenPattern.lastIndex) {
    const groups = tokenPattern.exec(expression)?.groups;
    if (groups === undefined) {
      const quote = expression[position] === '"' || expression[position] === "'";
      throw new XPathError(quote ? 'the literal does not end' : `unexpected "${expression[position]}"`, position);
    }
    if (groups.space !== undefined) continue;
    const text = groups.literal ?? groups.number ?? groups.name ?? groups.symbol ?? '';
    tokens.push({ text, position, kind: kindOf(groups, text, tokens.at(-1)) });
  }
  tokens.push({ text: '', kind: 'end', position: expression.length });
  return tokens;
}

function kindOf(groups: Readonly<Record<string, string | undefined>>, text: string, before: Token | undefined) {
  if (groups.literal !== undefined) return 'literal';
  if (groups.number !== undefined) return 'number';
  // XPath 1.0 3.7: behind an operand a name or * is an operator
  const behindOperand =
    before !== undefined &&
    before.kind !== 'operator' &&
    !['@', '::', '(', '[', ',', '$', '/', '//'].includes(before.text);
  if (groups.name !== undefined) return behindOperand && nameOperators.has(text) ? 'operator' : 'name';
  if (text === '*') return behindOperand ? 'operator' : 'name';
  return ['|', '+', '-', '=', '!=', '<', '<=', '>', '>='].includes(text) ? 'operator' : 'symbol';
}

class Checker {
  readonly #tokens: readonly Token[];
  readonly #prefixes: ReadonlySet<string>;
  #next = 0;
  #depth = 0;
  #predicatesAround = 0;

  constructor(tokens: readonly Token[], prefixes: ReadonlySet<string>) {
    this.#tokens = tokens;
    this.#prefixes = prefixes;
  }

  check(): XPathType {
    const type = this.#expression();
    if (this.#token.kind !== 'end') this.#fail(`unexpected "${this.#token.text}"`);
    return type;
  }

  get #token(): Token {
    return this.#tokens[this.#next] ?? { text: '', kind: 'end', position: 0 };
  }

  #fail(message: string, position = this.#token.position): never {
    throw new XPathError(message, position);
  }

  #is(text: string): boolean {
    return this.#token.kind !== 'literal' && this.#token.text === text;
  }

  #take(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#next++;
    return true;
  }

  #want(text: string): void {
    if (!this.#take(text)) this.#fail(`"${text}" is missing`);
  }

  #expression(level = 0): XPathType {
    if (level === 0 && ++this.#depth > deepest) this.#fail('the expression is nested too deeply');
    const rung = binaryOperators[level];
    if (rung === undefined) return this.#unary();
    let type = this.#expression(level + 1);
    while (this.#token.kind === 'operator' && rung[0].includes(this.#token.text)) {
      this.#next++;
      this.#expression(level + 1);
      type = rung[1];
    }
    if (level === 0) this.#depth--;
    return type;
  }

  #unary(): XPathType {
    let negated = false;
    while (this.#take('-')) negated = true;
    const type = this.#union();
    return negated ? 'number' : type;
  }

  #union(): XPathType {
    const position = this.#token.position;
    const type = this.#path();
    while (this.#take('|')) {
      if (type !== 'node-set') this.#fail('only node-sets can be joined by "|"', position);
      const other = this.#token.position;
      if (this.#path() !== 'node-set') this.#fail('only node-sets can be joined by "|"', other);
    }
    return type;
  }

  #path(): XPathType {
    if (this.#take('/')) {
      if (this.#startsStep()) this.#relativePath();
      return 'node-set';
    }
    if (this.#take('//')) return this.#relativePath();
    if (!this.#startsPrimary()) return this.#relativePath();
    const position = this.#token.position;
    const type = this.#primary();
    if (type !== 'node-set' && (this.#is('[') || this.#is('/') || this.#is('//'))) {
      this.#fail('only a node-set can be followed by a predicate or a step', position);
    }
    this.#predicates();
    if (this.#take('/') || this.#take('//')) this.#relativePath();
    return type;
  }

  #startsPrimary(): boolean {
    const { kind, text } = this.#token;
    if (kind === 'literal' || kind === 'number') return true;
    if (text === '(' || text === '$') return true;
    return kind === 'name' && this.#tokens[this.#next + 1]?.text === '(' && !nodeTypes.has(text);
  }

  #startsStep(): boolean {
    return this.#token.kind === 'name' || ['.', '..', '@'].some((text) => this.#is(text));
  }

  #primary(): XPathType {
    const token = this.#token;
    this.#next++;
    if (token.kind === 'literal') return 'string';
    if (token.kind === 'number') return 'number';
    if (token.text === '$') this.#fail('there are no variables', token.position);
    if (token.text === '(') {
      const type = this.#expression();
      this.#want(')');
      return type;
    }
    return this.#call(token);
  }

  #call(name: Token): XPathType {
    const signature = functions.get(name.text);
    if (signature === undefined) this.#fail(`there is no function ${name.text}()`, name.position);
    if (this.#predicatesAround === 0 && (name.text === 'last' || name.text === 'position')) {
      this.#fail(`${name.text}() has a meaning inside a predicate only`, name.position);
    }
    this.#want('(');
    let count = 0;
    while (!this.#is(')')) {
      if (count > 0) this.#want(',');
      const position = this.#token.position;
      const type = this.#expression();
      if (signature.takesNodeSet === true && type !== 'node-set')
        this.#fail(`${name.text}() takes a node-set`, position);
      count++;
    }
    this.#want(')');
    if (count < signature.least || count > signature.most) {
      this.#fail(`${name.text}() has the wrong number of arguments`, name.position);
    }
    return signature.type;
  }

  #relativePath(): XPathType {
    do this.#step();
    while (this.#take('/') || this.#take('//'));
    return 'node-set';
  }

  #step(): void {
    if (this.#take('.') || this.#take('..')) return;
    if (!this.#take('@') && this.#tokens[this.#next + 1]?.text === '::') {
      if (!axes.has(this.#token.text)) this.#fail(`the axis ${this.#token.text} is not available`);
      this.#next += 2;
    }
    this.#nodeTest();
    this.#predicates();
  }

  #nodeTest(): void {
    const token = this.#token;
    if (token.kind !== 'name') this.#fail(token.kind === 'end' ? 'a step is missing' : `unexpected "${token.text}"`);
    this.#next++;
    if (nodeTypes.has(token.text) && this.#take('(')) {
      if (token.text === 'processing-instruction' && this.#token.kind === 'literal') this.#next++;
      this.#want(')');
      return;
    }
    const colon = token.text.indexOf(':');
    const prefix = token.text.slice(0, Math.max(colon, 0));
    if (colon > 0 && prefix !== 'xml' && !this.#prefixes.has(prefix)) {
      this.#fail(`the prefix ${prefix} is not bound`, token.position);
    }
  }

  #predicates(): void {
    while (this.#take('[')) {
      this.#predicatesAround++;
      this.#expression();
      this.#predicatesAround--;
      this.#want(']');
    }
  }
}

/** Checks an expression and tells what it yields. Throws XPathError with the place of the first fault. */
export function checkXPath(expression: string, prefixes: ReadonlySet<string>): XPathType {
  return new Checker(tokenize(expression), prefixes).check();
}

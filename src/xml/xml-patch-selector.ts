// Selectors of patch operations: the subset of XPath that RFC 5261 4.1 and its schema (clause 8) allow, parsed in linear time.
// Names take their namespaces from the operation element, unprefixed elements the default namespace there (4.2.1).

import { ncName, qualifiedName } from './name-patterns.ts';
import { namespaces } from './names.ts';
import { PatchFailed } from './patch-operation.ts';

/** A name with its namespace; '' = none. */
export interface ExpandedName {
  readonly namespace: string;
  readonly localName: string;
}

/** One test of a step; they apply in the order written, a position counts what those before it have left. */
export type PatchPredicate =
  | { readonly kind: 'position'; readonly position: number }
  | { readonly kind: 'attribute' | 'child'; readonly name: ExpandedName; readonly value: string }
  | { readonly kind: 'self'; readonly value: string };

export interface PatchStep {
  readonly name: ExpandedName | '*';
  readonly predicates: readonly PatchPredicate[];
}

/** A last step that selects no element. */
export type PatchTerminal =
  | { readonly kind: 'attribute'; readonly name: ExpandedName }
  | { readonly kind: 'namespace'; readonly prefix: string }
  | {
      readonly kind: 'text' | 'comment' | 'instruction';
      readonly target?: string | undefined;
      readonly position?: number | undefined;
    };

export interface PatchSelector {
  /** Argument of `id()`, where the selector starts with it. */
  readonly id?: string | undefined;
  readonly steps: readonly PatchStep[];
  readonly terminal?: PatchTerminal | undefined;
}

const literal = `"[^"]*"|'[^']*'`;

const patterns = {
  id: new RegExp(`id\\((?:"(${ncName})"|'(${ncName})')?\\)`, 'uy'),
  node: new RegExp(
    `(?:(text|comment)\\(\\)|processing-instruction\\((?:"(${ncName})"|'(${ncName})')?\\))(?:\\[([0-9]+)\\])?`,
    'uy',
  ),
  attribute: new RegExp(`@(${qualifiedName})`, 'uy'),
  namespace: new RegExp(`namespace::(${ncName})`, 'uy'),
  step: new RegExp(`\\*|${qualifiedName}`, 'uy'),
  predicate: new RegExp(`\\[(?:([0-9]+)|(@)?(${qualifiedName}|\\.)=(${literal}))\\]`, 'uy'),
};

/** Characters of a selector; longer ones are refused so that evaluation stays bounded. */
const longestSelector = 16_384;
const mostSteps = 256;
const mostPredicates = 32;

/** Prefix (or empty) and local part of a qualified name. */
export function splitName(name: string): { readonly prefix: string; readonly localName: string } {
  const colon = name.indexOf(':');
  return { prefix: name.slice(0, Math.max(colon, 0)), localName: name.slice(colon + 1) };
}

/** Parses the `type` of an `add`: an attribute name or a namespace prefix. Throws PatchFailed `invalid-attribute-value`. */
export function parseAddType(type: string): { readonly attribute: string } | { readonly namespace: string } {
  const reader = new Reader(type);
  const attribute = reader.take(patterns.attribute)?.[1];
  const namespace = attribute === undefined ? reader.take(patterns.namespace)?.[1] : undefined;
  if (reader.atEnd && attribute !== undefined) return { attribute };
  if (reader.atEnd && namespace !== undefined) return { namespace };
  throw new PatchFailed('invalid-attribute-value', 'The type is no attribute and no namespace');
}

/** Namespace of a prefix on the operation element. Throws PatchFailed `invalid-namespace-prefix` for one that is not declared. */
export function resolvePrefix(prefix: string, scope: ReadonlyMap<string, string>): string {
  const namespace = prefix === 'xml' ? namespaces.xml : scope.get(prefix);
  if (namespace === undefined) {
    throw new PatchFailed('invalid-namespace-prefix', `The prefix ${prefix} is not declared on the operation`);
  }
  return namespace;
}

/**
 * Parses a selector with the namespaces in scope on its operation element. Throws PatchFailed `invalid-attribute-value` outside the
 * grammar, `invalid-namespace-prefix`.
 */
export function parsePatchSelector(sel: string, scope: ReadonlyMap<string, string>): PatchSelector {
  if (sel.length > longestSelector) throw new PatchFailed('invalid-attribute-value', 'The selector is too long');
  return new SelectorParser(sel, scope).parse();
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.#at === this.#text.length;
  }

  get position(): number {
    return this.#at;
  }

  slash(): boolean {
    if (this.#text[this.#at] !== '/') return false;
    this.#at++;
    return true;
  }

  take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match;
  }
}

class SelectorParser {
  readonly #reader: Reader;
  readonly #scope: ReadonlyMap<string, string>;
  #predicates = 0;

  constructor(sel: string, scope: ReadonlyMap<string, string>) {
    this.#reader = new Reader(sel);
    this.#scope = scope;
  }

  parse(): PatchSelector {
    const reader = this.#reader;
    reader.slash();
    const id = reader.take(patterns.id);
    const steps: PatchStep[] = [];
    const selector = { id: id && (id[1] ?? id[2] ?? ''), steps };
    if (id !== undefined && reader.atEnd) return selector;
    if (id !== undefined && !reader.slash()) throw this.#outside();
    for (;;) {
      const terminal = this.#terminal();
      if (terminal !== undefined) {
        if (!reader.atEnd) throw this.#outside();
        return { ...selector, terminal };
      }
      steps.push(this.#step());
      if (steps.length > mostSteps) throw this.#outside();
      if (reader.atEnd) return selector;
      if (!reader.slash()) throw this.#outside();
    }
  }

  #terminal(): PatchTerminal | undefined {
    const node = this.#reader.take(patterns.node);
    if (node !== undefined) {
      const position = node[4] === undefined ? undefined : Number(node[4]);
      if (node[1] === 'text' || node[1] === 'comment') return { kind: node[1], position };
      return { kind: 'instruction', target: node[2] ?? node[3], position };
    }
    const attribute = this.#reader.take(patterns.attribute)?.[1];
    if (attribute !== undefined) return { kind: 'attribute', name: this.#name(attribute, false) };
    const prefix = this.#reader.take(patterns.namespace)?.[1];
    return prefix === undefined ? undefined : { kind: 'namespace', prefix };
  }

  #step(): PatchStep {
    const name = this.#reader.take(patterns.step)?.[0];
    if (name === undefined) throw this.#outside();
    const predicates: PatchPredicate[] = [];
    for (let found = this.#reader.take(patterns.predicate); found !== undefined; ) {
      if (++this.#predicates > mostPredicates) throw this.#outside();
      predicates.push(this.#predicate(found));
      found = this.#reader.take(patterns.predicate);
    }
    return { name: name === '*' ? name : this.#name(name, true), predicates };
  }

  #predicate([, position, at, name = '', quoted = '']: RegExpExecArray): PatchPredicate {
    if (position !== undefined) return { kind: 'position', position: Number(position) };
    const value = quoted.slice(1, -1);
    if (name !== '.') return { kind: at === undefined ? 'child' : 'attribute', name: this.#name(name, !at), value };
    if (at !== undefined) throw this.#outside();
    return { kind: 'self', value };
  }

  #name(written: string, isElement: boolean): ExpandedName {
    const { prefix, localName } = splitName(written);
    // 4.2.1: the default namespace of the diff document applies to elements; Namespaces in XML 6.2: never to attributes
    const unprefixed = isElement ? (this.#scope.get('') ?? '') : '';
    return { namespace: prefix === '' ? unprefixed : resolvePrefix(prefix, this.#scope), localName };
  }

  #outside(): PatchFailed {
    const at = this.#reader.position + 1;
    return new PatchFailed('invalid-attribute-value', `The selector is not understood at character ${at}`);
  }
}

// Builds small documents with xmlbuilder2 and mends what it leaves open: white space in attribute values and CR in text are
// written as references, every ampersand is escaped, characters that XML forbids are replaced, finished markup goes in as it is.

import { create } from 'xmlbuilder2';
import type { XMLBuilder } from 'xmlbuilder2/lib/interfaces.js';
import { isXmlCharacter } from './character-data.ts';
import { namespaces } from './names.ts';

/** Attribute values by name; undefined ones are left out. */
export type Attributes = Readonly<Record<string, string | undefined>>;

// Held-back pieces stand in the tree as a number between these two private characters; data that contains the first is held back too.
const open = '\ue000';
const close = '\ue001';

// xmlbuilder2 takes `&lt;` in data for a reference already made, so every ampersand is held back.
const held: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['\t', '&#9;'],
  ['\n', '&#10;'],
  ['\r', '&#13;'],
]);

/** One document under construction. */
export class MarkupBuilder {
  readonly #held: string[] = [];
  readonly #root: XMLBuilder;

  /**
   * Starts with the document element. `name` may carry a prefix, which is then declared for `namespace`.
   * `declarations` are further namespaces by prefix ('' = default).
   */
  constructor(
    namespace: string,
    name: string,
    attributes: Attributes = {},
    declarations?: ReadonlyMap<string, string>,
  ) {
    this.#root = create({ version: '1.0', encoding: 'UTF-8' }).ele(namespace, name);
    this.#decorate(this.#root, attributes, declarations);
  }

  /** The document element, to which `child` adds. */
  get root(): XMLBuilder {
    return this.#root;
  }

  /** Adds an element in the namespace of the document element, with text when given. */
  child(
    parent: XMLBuilder,
    name: string,
    attributes: Attributes = {},
    text?: string,
    declarations?: ReadonlyMap<string, string>,
  ): XMLBuilder {
    const prefix = (this.#root.node as unknown as { readonly prefix: string | null }).prefix;
    const child = parent.ele(this.#namespace, prefix === null ? name : `${prefix}:${name}`);
    this.#decorate(child, attributes, declarations);
    if (text !== undefined && text !== '') child.txt(this.#safe(text, /[&\r\ue000]/g));
    return child;
  }

  /** Adds finished, well-balanced markup as it is. */
  markup(parent: XMLBuilder, markup: string): void {
    if (markup !== '') parent.txt(this.#hold(markup));
  }

  /** The document with its XML declaration. */
  end(): string {
    const written = this.#root.end({ wellFormed: true });
    if (this.#held.length === 0) return written;
    return written.replace(/\ue000(\d+)\ue001/g, (_, number: string) => this.#held[Number(number)] ?? '');
  }

  get #namespace(): string {
    return (this.#root.node as unknown as { readonly namespaceURI: string | null }).namespaceURI ?? '';
  }

  #decorate(element: XMLBuilder, attributes: Attributes, declarations?: ReadonlyMap<string, string>): void {
    for (const [prefix, uri] of declarations ?? []) {
      element.att(namespaces.xmlns, prefix === '' ? 'xmlns' : `xmlns:${prefix}`, this.#attribute(uri));
    }
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== undefined) element.att(name, this.#attribute(value));
    }
  }

  #attribute(value: string): string {
    return this.#safe(value, /[&\t\n\r\ue000]/g);
  }

  #safe(text: string, hidden: RegExp): string {
    const allowed = withoutForbidden(text);
    return allowed.replace(hidden, (character) => this.#hold(held.get(character) ?? character));
  }

  #hold(piece: string): string {
    this.#held.push(piece);
    return `${open}${this.#held.length - 1}${close}`;
  }
}

/** Replaces characters that no XML document may contain by U+FFFD. */
function withoutForbidden(text: string): string {
  if (/^[\t\n\r\x20-\ud7ff]*$/.test(text)) return text;
  return Array.from(text, (character) => (isXmlCharacter(character.codePointAt(0) ?? 0) ? character : '\ufffd')).join(
    '',
  );
}

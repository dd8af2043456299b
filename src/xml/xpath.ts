// XPath 1.0 over documents, evaluated by libxml2, answered in the elements of the offset index.
// The prefixes of group documents are always bound, whatever prefixes a document uses itself.

import {
  XmlAttribute,
  XmlCData,
  type XmlDocument,
  XmlElement,
  type XmlNode,
  XmlText,
  XmlXPath,
  XmlXPathError,
} from 'libxml2-wasm';
import { parseDocument } from './libxml.ts';
import { namespaces } from './names.ts';
import type { ElementId, OffsetIndex } from './offset-index.ts';
import { checkXPath, XPathError, type XPathType } from './xpath-grammar.ts';

export { XPathError } from './xpath-grammar.ts';

/** Prefixes bound in every expression. */
export const xpathPrefixes: Readonly<Record<string, string>> = {
  g: namespaces.listService,
  rl: namespaces.resourceLists,
  cp: namespaces.commonPolicy,
  ocp: namespaces.omaCommonPolicy,
  oxe: namespaces.omaExtensions,
  mcpttgi: namespaces.mcpttGroupInfo,
};

/** A node that an expression selected. `text` stands for all own character data of its element. */
export type XPathNode =
  | { readonly kind: 'element'; readonly element: ElementId }
  | {
      readonly kind: 'attribute';
      readonly element: ElementId;
      readonly namespace: string;
      readonly localName: string;
    }
  | { readonly kind: 'text'; readonly element: ElementId };

/** A compiled expression; dispose of it when its policy is replaced. */
export interface CompiledXPath {
  readonly expression: string;
  readonly type: XPathType;
  readonly compiled: XmlXPath;
  dispose(): void;
}

/** Compiles an expression. Throws XPathError with the position (characters from 0) and the reason. */
export function compileXPath(expression: string): CompiledXPath {
  const type = checkXPath(expression, new Set(Object.keys(xpathPrefixes)));
  try {
    const compiled = XmlXPath.compile(expression, { ...xpathPrefixes });
    return { expression, type, compiled, dispose: () => compiled.dispose() };
  } catch (error) {
    if (error instanceof XmlXPathError) throw new XPathError('the expression is not valid', 0);
    throw error;
  }
}

/** Nodes that an expression selects, each once, in document order. Throws XPathError when it selects comments, PIs or the document. */
export function select(compiled: CompiledXPath, index: OffsetIndex): readonly XPathNode[] {
  return withXPath(index, (document) => document.select(compiled));
}

/** Truth of an expression at an element, by default the document element; a node-set is true when it is not empty. Throws XPathError. */
export function test(compiled: CompiledXPath, index: OffsetIndex, context?: ElementId): boolean {
  return withXPath(index, (document) => document.test(compiled, context));
}

/** Parses a document once for several expressions, and frees it afterwards. */
export function withXPath<T>(index: OffsetIndex, use: (document: XPathDocument) => T): T {
  const document = new XPathDocument(index);
  try {
    return use(document);
  } finally {
    document.dispose();
  }
}

/** A document opened for XPath. Whoever opens it must dispose of it. */
export class XPathDocument {
  readonly #index: OffsetIndex;
  readonly #document: XmlDocument;
  #elements: readonly XmlElement[] | undefined;
  #numbers: ReadonlyMap<number, ElementId> | undefined;

  constructor(index: OffsetIndex) {
    this.#index = index;
    this.#document = parseDocument(index.bytes);
  }

  /** As `select` above; the context is the document element or the one given. */
  select(compiled: CompiledXPath, context?: ElementId): readonly XPathNode[] {
    if (compiled.type !== 'node-set') throw new XPathError(`the expression yields a ${compiled.type}, no nodes`, 0);
    const nodes = this.#evaluate(compiled, context);
    if (!Array.isArray(nodes)) throw new XPathError('the expression yields no nodes', 0);
    const found = new Map<string, XPathNode>();
    for (const node of nodes) {
      const view = this.#view(node);
      found.set(
        `${view.kind} ${view.element} ${view.kind === 'attribute' ? `${view.namespace} ${view.localName}` : ''}`,
        view,
      );
    }
    return [...found.values()];
  }

  /** As `test` above. */
  test(compiled: CompiledXPath, context?: ElementId): boolean {
    const value = this.#evaluate(compiled, context);
    if (Array.isArray(value)) return value.length > 0;
    // XPath 1.0 4.3: a number is true unless zero or NaN, a string unless empty
    return Boolean(value);
  }

  dispose(): void {
    this.#document.dispose();
  }

  #evaluate(compiled: CompiledXPath, context: ElementId | undefined): XmlNode[] | string | boolean | number {
    const node = context === undefined || context === this.#index.root ? this.#document.root : this.#all()[context];
    if (node === undefined) throw new RangeError(`the document has no element ${context}`);
    try {
      return node.eval(compiled.compiled);
    } catch (error) {
      if (error instanceof XmlXPathError) throw new XPathError(error.message, 0);
      throw error;
    }
  }

  #view(node: XmlNode): XPathNode {
    if (node instanceof XmlElement) return { kind: 'element', element: this.#number(node) };
    const parent = node.parent;
    if (node instanceof XmlAttribute && parent !== null) {
      return { kind: 'attribute', element: this.#number(parent), namespace: node.namespaceUri, localName: node.name };
    }
    if ((node instanceof XmlText || node instanceof XmlCData) && parent !== null) {
      return { kind: 'text', element: this.#number(parent) };
    }
    throw new XPathError('the expression selects comments, processing instructions or the document itself', 0);
  }

  /** All elements in document order, as both libxml2 and the index count them. */
  #all(): readonly XmlElement[] {
    if (this.#elements === undefined) {
      const found = this.#document.find(everyElement).filter((node) => node instanceof XmlElement);
      if (found.length !== this.#index.count) throw new Error('libxml2 and the offset index disagree about a document');
      this.#elements = found;
    }
    return this.#elements;
  }

  #number(node: XmlNode): ElementId {
    this.#numbers ??= new Map(this.#all().map((element, number) => [pointerOf(element), number]));
    const number = this.#numbers.get(pointerOf(node));
    if (number === undefined) throw new Error('libxml2 selected an element that the offset index does not have');
    return number;
  }
}

// Siblings are never walked one by one: libxml2-wasm stops at a processing instruction.
const everyElement = XmlXPath.compile('//*');

/** Identity of a node; the library keeps it out of its types, a test watches over it. */
function pointerOf(node: XmlNode): number {
  return (node as unknown as { readonly _nodePtr: number })._nodePtr;
}

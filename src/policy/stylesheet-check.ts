// What a stylesheet of an operator may not contain: everything that reads, writes or asks anything but its input, that runs code of its
// own, or that gives another result tomorrow. Checked twice: on the source, where compiling would already act, and on the compiled
// program, where prefixes, references and templates hide nothing any more.
import { Refusal } from '../refusals.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { readXml } from '../xml/xml-document.ts';

export interface StylesheetProblem {
  /** From 1; absent when it cannot be told. */
  readonly line?: number | undefined;
  readonly text: string;
}

const xslt = 'http://www.w3.org/1999/XSL/Transform';
const functions = 'http://www.w3.org/2005/xpath-functions';
const harmlessNamespaces: ReadonlySet<string> = new Set([
  `${functions}/map`,
  `${functions}/array`,
  `${functions}/math`,
  'http://www.w3.org/2001/XMLSchema',
]);
const codeNamespaces =
  /^http:\/\/saxon(ica\.com\/ns\/|\.sf\.net\/)|^http:\/\/ns\.saxonica\.com\/|^http:\/\/exslt\.org\/|^http:\/\/icl\.com\/saxon|xalan|^java:|^clitype:|microsoft/i;

// XSLT 3.0: the instructions and declarations that act on the input alone
const elements: ReadonlySet<string> = new Set(
  `stylesheet transform accumulator accumulator-rule analyze-string apply-imports apply-templates assert attribute attribute-set break
  call-template catch character-map choose comment context-item copy copy-of decimal-format document element expose fallback for-each
  for-each-group fork function if iterate key map map-entry matching-substring merge merge-action merge-key merge-source message mode
  namespace namespace-alias next-iteration next-match non-matching-substring number on-completion on-empty on-non-empty otherwise output
  output-character param perform-sort preserve-space processing-instruction sequence sort strip-space template text try value-of variable
  when where-populated with-param global-context-item`.split(/\s+/),
);

// XPath and XPath Functions 3.1, XSLT 3.0: functions of their arguments and the input alone
const harmlessFunctions: ReadonlySet<string> = new Set(
  `abs accumulator-after accumulator-before adjust-date-to-timezone adjust-dateTime-to-timezone adjust-time-to-timezone
  analyze-string apply avg boolean ceiling codepoint-equal codepoints-to-string collation-key compare concat contains contains-token
  copy-of count current current-group current-grouping-key current-merge-group current-merge-key current-output-uri data dateTime
  day-from-date day-from-dateTime days-from-duration deep-equal default-collation default-language distinct-values element-with-id empty
  encode-for-uri ends-with error escape-html-uri exactly-one exists false filter floor fold-left fold-right for-each for-each-pair
  format-date format-dateTime format-integer format-number format-time function-arity function-name generate-id has-children head
  hours-from-dateTime hours-from-duration hours-from-time id idref in-scope-prefixes index-of innermost insert-before iri-to-uri
  json-to-xml key lang last local-name local-name-from-QName lower-case matches max min minutes-from-dateTime minutes-from-duration
  minutes-from-time month-from-date month-from-dateTime months-from-duration name namespace-uri namespace-uri-for-prefix
  namespace-uri-from-QName nilled node-name normalize-space normalize-unicode not number one-or-more outermost parse-ietf-date path
  position prefix-from-QName QName regex-group remove replace resolve-QName reverse root round round-half-to-even seconds-from-dateTime
  seconds-from-duration seconds-from-time serialize snapshot sort starts-with string string-join string-length string-to-codepoints
  subsequence substring substring-after substring-before sum tail timezone-from-date timezone-from-dateTime timezone-from-time tokenize
  translate true unordered upper-case xml-to-json year-from-date year-from-dateTime years-from-duration zero-or-one`.split(
    /\s+/,
  ),
);

/** Instructions of a compiled program that reach beyond the input. */
const reaching: ReadonlyMap<string, string> = new Map([
  ['evaluate', 'xsl:evaluate'],
  ['resultDoc', 'xsl:result-document'],
  ['sourceDoc', 'xsl:source-document'],
  ['stream', 'xsl:source-document'],
  ['includePackage', 'xsl:use-package'],
]);

/** Functions that the compiler makes of harmless syntax. */
const compiledSyntax: ReadonlySet<string> = new Set(['Q{http://saxon.sf.net/}apply']);

/** What is wrong with the source of a stylesheet, before anything compiles it; none when it may be compiled. */
export function sourceProblems(text: string): readonly StylesheetProblem[] {
  let index: OffsetIndex;
  try {
    index = readXml(Buffer.from(text), { ...defaultXmlLimits, elementDepth: 128 });
  } catch (error) {
    if (error instanceof Refusal) return [{ text: `is no usable XML: ${error.phrase}` }];
    throw error;
  }
  if (index.namespace(index.root) !== xslt || !['stylesheet', 'transform'].includes(index.localName(index.root))) {
    return [{ line: 1, text: 'must be an xsl:stylesheet' }];
  }
  const found: StylesheetProblem[] = [];
  let line = 1;
  let counted = 0;
  for (let element = index.root; element < index.count; element++) {
    const start = index.outerStart(element);
    for (; counted < start; counted++) if (index.bytes[counted] === 0x0a) line++;
    found.push(...elementProblems(index, element).map((problem) => ({ line, text: problem })));
  }
  return found.slice(0, 20);
}

function elementProblems(index: OffsetIndex, element: ElementId): readonly string[] {
  const name = index.localName(element);
  const isInstruction = index.namespace(element) === xslt;
  const found: string[] = [];
  if (isInstruction && !elements.has(name))
    found.push(`xsl:${name} is not available: a stylesheet sees nothing but its input`);
  for (const { uri } of index.namespaceDeclarations(element)) {
    if (codeNamespaces.test(uri))
      found.push(`the namespace ${uri} is not available: it leads to code outside of the stylesheet`);
  }
  for (const attribute of index.attributes(element)) {
    const own = isInstruction ? attribute.namespace === '' : attribute.namespace === xslt;
    if (!own) continue;
    // These are evaluated by the compiler, before anybody could look at what they became.
    if (attribute.localName === 'use-when') found.push('use-when is not available');
    if (attribute.localName.startsWith('_'))
      found.push(`${attribute.localName} is not available: write the attribute itself`);
    if (attribute.localName === 'static' && !/^(no|false|0)$/.test(attribute.value.trim())) {
      found.push('static parameters and variables are not available');
    }
    if (attribute.localName === 'extension-element-prefixes' && attribute.value.trim() !== '') {
      found.push('extension elements are not available');
    }
    if (attribute.localName === 'href') found.push('href is not available: a stylesheet sees nothing but its input');
  }
  return found;
}

/** What is wrong with a compiled program; none when it may run. `source` tells lines. */
export function programProblems(program: unknown, source: string): readonly StylesheetProblem[] {
  const found = new Map<string, StylesheetProblem>();
  const say = (name: string, text: string): void => {
    if (!found.has(name)) found.set(name, { line: lineOf(source, name), text });
  };
  const pending: unknown[] = [program];
  while (pending.length > 0) {
    const node = pending.pop();
    if (typeof node !== 'object' || node === null) continue;
    if (Array.isArray(node)) {
      for (const item of node as readonly unknown[]) pending.push(item);
      continue;
    }
    judge(node as Readonly<Record<string, unknown>>, say);
    for (const [key, value] of Object.entries(node)) if (key !== 'parentNode') pending.push(value);
  }
  return [...found.values()];
}

function judge(node: Readonly<Record<string, unknown>>, say: (name: string, text: string) => void): void {
  const kind = String(node.N);
  const name = String(node.name);
  const instruction = reaching.get(kind);
  if (instruction !== undefined)
    say(instruction.slice(4), `${instruction} is not available: a stylesheet sees nothing but its input`);
  if (kind === 'fn' && !harmlessFunctions.has(name)) say(name, unavailable(name));
  if (kind !== 'ifCall' && kind !== 'fnRef') return;
  const [, namespace = '', local = name] = /^Q\{([^}]*)\}(.*)$/.exec(name) ?? [];
  const harmless =
    namespace === functions || namespace === ''
      ? harmlessFunctions.has(local)
      : harmlessNamespaces.has(namespace) || compiledSyntax.has(name) || (kind === 'fnRef' && isOwn(namespace));
  if (!harmless) say(local, unavailable(namespace === functions ? local : name));
}

// Functions of the stylesheet itself are in namespaces that nobody else's code is in.
function isOwn(namespace: string): boolean {
  return !codeNamespaces.test(namespace) && !namespace.startsWith('http://www.w3.org/');
}

function unavailable(name: string): string {
  return `the function ${name}() is not available: a stylesheet sees nothing but its input, and gives the same result every time`;
}

function lineOf(source: string, name: string): number | undefined {
  const at = source.indexOf(name);
  return at < 0 ? undefined : source.slice(0, at).split('\n').length;
}

// Node selectors of XCAP URIs: grammar of the decoded segments behind `~~`, then names with their namespaces.
// RFC 4825 clauses 6.3 and 6.4.

import { Refusal } from '../refusals.ts';
import { decodeAttributeValue, decodeReferences } from './character-data.ts';
import { qualifiedName } from './name-patterns.ts';
import { namespaces } from './names.ts';

/** A name as written in a selector; the prefix is '' when there is none. */
export interface WrittenName {
  readonly prefix: string;
  readonly localName: string;
}

/** A name with its namespace; '' = none. */
export interface SelectorName extends WrittenName {
  readonly namespace: string;
}

interface StepOf<Name> {
  readonly name: Name | '*';
  /** From 1; 0 never matches. */
  readonly position?: number | undefined;
  readonly attribute?: { readonly name: Name; readonly value: string } | undefined;
}

interface SelectorOf<Name> {
  /** One for each element on the way, the document element first; at least one. */
  readonly steps: readonly StepOf<Name>[];
  /** What of the element is meant; absent = the element itself. */
  readonly terminal?: { readonly kind: 'attribute'; readonly name: Name } | { readonly kind: 'namespaces' } | undefined;
  /** The decoded segments, for messages. */
  readonly segments: readonly string[];
}

/** A selector whose grammar is right; its prefixes are not looked at yet. */
export type ParsedSelector = SelectorOf<WrittenName>;
/** A selector ready for evaluation. */
export type NodeSelector = SelectorOf<SelectorName>;
export type SelectorStep = StepOf<SelectorName>;

/** Where the names of a selector get their namespaces from. */
export interface SelectorContext {
  /** Default document namespace of the application usage, for unprefixed element names; absent = none. */
  readonly defaultNamespace?: string | undefined;
  /** Bindings of the query; of two for one prefix the later counts. */
  readonly bindings: readonly { readonly prefix: string; readonly namespace: string }[];
}

// XML 1.0 productions 2, 10 and 67; what has been decoded from UTF-8 has no surrogates
const noCharacter = '\\u0000-\\u0008\\u000B\\u000C\\u000E-\\u001F\\uFFFE\\uFFFF';
const reference = '&(?:amp|lt|gt|quot|apos|#[0-9]+|#x[0-9a-fA-F]+);';
const doubleQuoted = `"(?:[^<&"${noCharacter}]|${reference})*`;
const singleQuoted = `'(?:[^<&'${noCharacter}]|${reference})*`;
const attributeValue = `${doubleQuoted}"|${singleQuoted}'`;
const stepPattern = new RegExp(
  `^(?<name>${qualifiedName}|\\*)(?:\\[(?<position>[0-9]+)\\])?(?:\\[@(?<attribute>${qualifiedName})=(?<value>${attributeValue})\\])?$`,
  'u',
);
const attributePattern = new RegExp(`^@(?<name>${qualifiedName})$`, 'u');
/** What a step may start with, each pattern reaching as far as the one before it or further. */
const stepBeginnings = [
  `(?:${qualifiedName}|\\*)`,
  `(?:${qualifiedName}|\\*)\\[[0-9]*`,
  `(?:${qualifiedName}|\\*)(?:\\[[0-9]+\\])?`,
  `(?:${qualifiedName}|\\*)(?:\\[[0-9]+\\])?\\[@?`,
  `(?:${qualifiedName}|\\*)(?:\\[[0-9]+\\])?\\[@${qualifiedName}=?`,
  `(?:${qualifiedName}|\\*)(?:\\[[0-9]+\\])?\\[@${qualifiedName}=(?:${doubleQuoted}|${singleQuoted})`,
  `(?:${qualifiedName}|\\*)(?:\\[[0-9]+\\])?\\[@${qualifiedName}=(?:${attributeValue})\\]?`,
  `@(?:${qualifiedName})?`,
].map((pattern) => new RegExp(`^${pattern}`, 'u'));

/**
 * Parses the decoded segments of a node selector. What is no known step is an extension selector, and we understand none:
 * throws Refusal `selector-not-understood`, whose phrase points at the character (from 1) of the decoded selector.
 */
export function parseNodeSelector(segments: readonly string[]): ParsedSelector {
  const last = segments.at(-1) ?? '';
  const terminal = parseTerminal(last);
  const elements = terminal === undefined ? segments : segments.slice(0, -1);
  if (elements.length === 0) throw selectorNotUnderstood(segments, 0);
  return { steps: elements.map((_, number) => parseStep(segments, number)), terminal, segments };
}

function parseTerminal(segment: string): ParsedSelector['terminal'] {
  if (segment === 'namespace::*') return { kind: 'namespaces' };
  const name = attributePattern.exec(segment)?.groups?.name;
  return name === undefined ? undefined : { kind: 'attribute', name: writtenName(name) };
}

function parseStep(segments: readonly string[], number: number): StepOf<WrittenName> {
  const groups = stepPattern.exec(segments[number] ?? '')?.groups;
  if (groups?.name === undefined) throw selectorNotUnderstood(segments, number);
  const position = groups.position === undefined ? undefined : Number(groups.position);
  const name = groups.name === '*' ? '*' : writtenName(groups.name);
  if (groups.attribute === undefined || groups.value === undefined) return { name, position };
  try {
    const value = decodeAttributeValue(groups.value.slice(1, -1));
    return { name, position, attribute: { name: writtenName(groups.attribute), value } };
  } catch {
    throw selectorNotUnderstood(segments, number, undefinedReference(segments[number] ?? ''));
  }
}

function writtenName(name: string): WrittenName {
  const colon = name.indexOf(':');
  return { prefix: name.slice(0, Math.max(colon, 0)), localName: name.slice(colon + 1) };
}

/** Offset of the first reference that stands for nothing: one to what is no character (XML 1.0 4.1). */
function undefinedReference(segment: string): number {
  for (const { 0: text, index } of segment.matchAll(/&[^;]*;/g)) {
    try {
      decodeReferences(text);
    } catch {
      return index;
    }
  }
  return 0;
}

/**
 * The refusal of segments of which one is no step: points at the first character from which on it can be none any more, or at `fault`, an
 * offset in that segment, where it is known. Characters count from 1 over all segments with a slash between two.
 */
export function selectorNotUnderstood(segments: readonly string[], number: number, fault?: number): Refusal {
  const segment = segments[number] ?? '';
  const understood = fault ?? Math.max(...stepBeginnings.map((pattern) => pattern.exec(segment)?.[0].length ?? 0));
  const before = [...segments.slice(0, number), segment.slice(0, understood)].join('/');
  const rest = segment.slice(understood, understood + 20).toWellFormed();
  const what = rest === '' ? 'no step ends there' : `${JSON.stringify(rest)} cannot stand there`;
  return new Refusal('selector-not-understood', {
    phrase: `The node selector is not understood at character ${[...before].length + 1}: ${what}`,
  });
}

/**
 * Gives the names of a selector their namespaces: unprefixed elements take the default document namespace, unprefixed attributes none
 * (RFC 4825 6.3). Throws Refusal `unbound-prefix`.
 */
export function bindSelector(selector: ParsedSelector, context: SelectorContext): NodeSelector {
  const bound = new Map(context.bindings.map(({ prefix, namespace }) => [prefix, namespace]));
  const resolve = (name: WrittenName, unprefixed: string): SelectorName => {
    // Namespaces in XML 3: the prefix xml is bound by definition.
    const namespace =
      name.prefix === ''
        ? unprefixed
        : (bound.get(name.prefix) ?? (name.prefix === 'xml' ? namespaces.xml : undefined));
    if (namespace === undefined) {
      throw new Refusal('unbound-prefix', { phrase: `The query does not bind the prefix ${name.prefix}` });
    }
    return { ...name, namespace };
  };
  const terminal = selector.terminal;
  return {
    steps: selector.steps.map(({ name, position, attribute }) => ({
      name: name === '*' ? name : resolve(name, context.defaultNamespace ?? ''),
      position,
      attribute: attribute && { name: resolve(attribute.name, ''), value: attribute.value },
    })),
    terminal: terminal?.kind === 'attribute' ? { kind: 'attribute', name: resolve(terminal.name, '') } : terminal,
    segments: selector.segments,
  };
}

/** The first steps of a selector as a relative URI reference below `~~/`, percent-encoded; '' for none. */
export function encodeSteps(selector: NodeSelector, count: number): string {
  return selector.segments.slice(0, count).map(encodeSegment).join('/');
}

function encodeSegment(segment: string): string {
  // RFC 4825 6.3: what is no pchar is percent-encoded; these few that encodeURIComponent encodes are pchars.
  return encodeURIComponent(segment.toWellFormed()).replace(/%(?:40|3A|3D|2C|3B|26|24|2B)/g, (code) =>
    decodeURIComponent(code),
  );
}

/** The query that binds the prefixes of the first steps of a selector, percent-encoded; '' when they have none. RFC 4825 clause 6.4. */
export function encodeBindings(selector: NodeSelector, count: number): string {
  const bound = new Map<string, string>();
  for (const { name, attribute } of selector.steps.slice(0, count)) {
    for (const used of [name, attribute?.name]) {
      if (used !== undefined && used !== '*' && used.prefix !== '') bound.set(used.prefix, used.namespace);
    }
  }
  // XPointer framework 3.1: the circumflex escapes itself and parentheses.
  const parts = [...bound].map(([prefix, uri]) => `xmlns(${prefix}=${uri.replace(/[\^()]/g, '^$&')})`);
  return encodeSegment(parts.join('')).replaceAll('%2F', '/');
}

// A YAML file as a plain value together with the line of every key, so that problems can be shown where they are.
// One document per file, YAML 1.2, no duplicate keys.
import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import type { FileProblem } from './file-problem.ts';

export interface YamlSource {
  readonly file: string;
  readonly value: unknown;
  /** What is wrong with the file as YAML; the value is then undefined. */
  readonly problems: readonly FileProblem[];
  /** Line of the key (or array item) at `path`, or of its closest ancestor that is written; counts from 1. */
  lineOf(path: readonly PropertyKey[]): number;
  /** True when something stands at `path`. */
  has(path: readonly PropertyKey[]): boolean;
}

/** Parses the text of a YAML file. Never throws: what is wrong is in `problems`. */
export function parseYaml(file: string, text: string): YamlSource {
  const lines = new LineCounter();
  // The parser compares each key with all others of its map: a long map would hold everybody up.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const root = document.contents as Node | null;
  const lineAt = (offset: number): number => Math.max(1, lines.linePos(offset).line);
  const problems = document.errors.map(
    (error): FileProblem => ({ file, line: lineAt(error.pos[0]), key: 'yaml', text: lowerFirst(error.message) }),
  );
  for (const key of keysThatStandTwice(root)) {
    problems.push({ file, line: lineAt(startOf(key) ?? 0), key: String(key.value), text: 'stands here twice' });
  }
  const pairs = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();
  const pairsOf = (map: YAMLMap): ReadonlyMap<string, Pair> => {
    const known = pairs.get(map) ?? pairsByKey(map);
    pairs.set(map, known);
    return known;
  };
  const find = (path: readonly PropertyKey[]): { readonly offset: number; readonly depth: number } => {
    let node: unknown = root;
    let offset = startOf(root) ?? 0;
    for (const [depth, step] of path.entries()) {
      const child = stepInto(node, step, pairsOf);
      if (child === undefined) return { offset, depth };
      offset = child.offset ?? offset;
      node = child.value;
    }
    return { offset, depth: path.length };
  };
  let value: unknown;
  if (problems.length === 0) {
    try {
      // Aliases may not multiply: a configuration has no need of many.
      value = document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      problems.push({ file, line: 1, key: 'yaml', text: lowerFirst((error as Error).message) });
    }
  }
  return {
    file,
    value,
    problems,
    lineOf: (path) => lineAt(find(path).offset),
    has: (path) => find(path).depth === path.length,
  };
}

function stepInto(
  node: unknown,
  step: PropertyKey,
  pairsOf: (map: YAMLMap) => ReadonlyMap<string, Pair>,
): { readonly value: unknown; readonly offset: number | undefined } | undefined {
  if (isMap(node)) {
    const pair = typeof step === 'string' ? pairsOf(node).get(step) : undefined;
    return pair === undefined ? undefined : { value: pair.value, offset: startOf(pair.key) };
  }
  if (isSeq(node) && typeof step === 'number' && step < node.items.length) {
    const item = node.items[step];
    return { value: item, offset: startOf(item) };
  }
  return undefined;
}

/** The pairs of a map by their keys, of several with one key the first. */
function pairsByKey(map: YAMLMap): ReadonlyMap<string, Pair> {
  const found = new Map<string, Pair>();
  for (const pair of map.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : undefined;
    if (key !== undefined && !found.has(key)) found.set(key, pair);
  }
  return found;
}

/** YAML 1.2 clause 3.2.1.3: the keys that their map has already. */
function keysThatStandTwice(root: Node | null): readonly Scalar[] {
  const found: Scalar[] = [];
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const node = pending.pop();
    if (isSeq(node)) for (const item of node.items) pending.push(item);
    if (!isMap(node)) continue;
    const known = new Set<unknown>();
    for (const { key, value } of node.items) {
      pending.push(key, value);
      if (!isScalar(key)) continue;
      if (known.has(key.value)) found.push(key);
      known.add(key.value);
    }
  }
  return found.sort((one, other) => (startOf(one) ?? 0) - (startOf(other) ?? 0));
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null)?.range?.[0];
}

function lowerFirst(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}

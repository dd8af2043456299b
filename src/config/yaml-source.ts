// A YAML file as a plain value together with the line of every key, so that problems can be shown where they are.
// One document per file, YAML 1.2, no duplicate keys.
import { isMap, isPair, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type Scalar } from 'yaml';
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
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const root = document.contents as Node | null;
  const lineAt = (offset: number): number => Math.max(1, lines.linePos(offset).line);
  const problems = document.errors.map((error): FileProblem => {
    const offset = error.pos[0];
    const duplicate = error.code === 'DUPLICATE_KEY' ? /^[^\s:]*/.exec(text.slice(offset))?.[0] : undefined;
    return {
      file,
      line: lineAt(offset),
      key: duplicate ?? 'yaml',
      text: duplicate === undefined ? lowerFirst(error.message) : 'stands here twice',
    };
  });
  const find = (path: readonly PropertyKey[]): { readonly offset: number; readonly depth: number } => {
    let node: unknown = root;
    let offset = startOf(root) ?? 0;
    for (const [depth, step] of path.entries()) {
      const child = stepInto(node, step);
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
): { readonly value: unknown; readonly offset: number | undefined } | undefined {
  if (isMap(node)) {
    const pair = node.items.find((item: Pair) => isScalar(item.key) && String((item.key as Scalar).value) === step);
    return isPair(pair) ? { value: pair.value, offset: startOf(pair.key) } : undefined;
  }
  if (isSeq(node) && typeof step === 'number' && step < node.items.length) {
    const item = node.items[step];
    return { value: item, offset: startOf(item) };
  }
  return undefined;
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null)?.range?.[0];
}

function lowerFirst(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}

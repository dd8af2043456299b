// Turns what zod finds wrong into problems an operator can act on: the file's line, the key as written, one plain sentence.
// Misspelt keys come with the nearest valid one.
import type { z } from 'zod';
import type { FileProblem } from './file-problem.ts';
import { keysAt } from './schema-walk.ts';
import type { YamlSource } from './yaml-source.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** Every problem behind the issues of one parse of `source` with `schema`; one for each unknown key. */
export function schemaProblems(
  issues: readonly Issue[],
  schema: z.core.$ZodType,
  source: YamlSource,
): readonly FileProblem[] {
  return issues.flatMap((issue) => problemsOf(issue, [], schema, source));
}

/** A path as it is shown: `partners[0].agreement.state`. */
export function keyText(path: Path): string {
  let shown = '';
  for (const step of path)
    shown += typeof step === 'number' ? `[${step}]` : `${shown === '' ? '' : '.'}${String(step)}`;
  return shown === '' ? '(file)' : shown;
}

/** The candidate closest to a misspelt word, if any is close enough to be meant. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const simple = (text: string): string => text.toLowerCase().replace(/[-_]/g, '');
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(simple(word), simple(candidate)) }))
    .sort((one, other) => one.distance - other.distance);
  const best = ranked[0];
  if (best !== undefined && best.distance <= Math.max(1, Math.floor(word.length / 3))) return best.candidate;
  const begun = candidates.filter((candidate) => word.length >= 3 && simple(candidate).startsWith(simple(word)));
  return begun.length === 1 ? begun[0] : undefined;
}

function hint(word: string, candidates: readonly string[]): string {
  const meant = nearest(word, candidates);
  return meant === undefined ? '' : `, did you mean ${meant}?`;
}

function problemsOf(issue: Issue, above: Path, schema: z.core.$ZodType, source: YamlSource): readonly FileProblem[] {
  const path = [...above, ...issue.path];
  const problem = (where: Path, text: string): FileProblem => ({
    file: source.file,
    line: source.lineOf(where),
    key: keyText(where),
    text,
  });
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => problem([...path, key], `unknown key${hint(key, keysAt(schema, path))}`));
  }
  if (issue.code === 'invalid_union') {
    const branch = meantBranch(issue.errors as readonly (readonly Issue[])[]);
    if (branch !== undefined) return branch.flatMap((inner) => problemsOf(inner, path, schema, source));
    const known = keysAt(schema, path);
    // The sentence of the choice tells the keys that there are
    const strange = unknownToAll(issue.errors as readonly (readonly Issue[])[]).flatMap((key) => {
      const meant = hint(key, known);
      return meant === '' ? [] : [problem([...path, key], `unknown key${meant}`)];
    });
    return [problem(path, sentence(issue)), ...strange];
  }
  if (issue.code === 'invalid_value') {
    const written = valueAt(source.value, path);
    const meant = typeof written === 'string' ? hint(written, issue.values.map(String)) : '';
    if (written !== undefined) return [problem(path, sentence(issue) + meant)];
  }
  if (path.length > 0 && !source.has(path)) return [problem(path, 'is required')];
  return [problem(path, sentence(issue))];
}

// The alternative that was meant is the one whose outer shape fits; when none or several do, the union's own message is clearer.
function meantBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const fitting = branches.filter((issues) => !issues.some((issue) => issue.path.length === 0 && wrongShape(issue)));
  return fitting.length === 1 ? fitting[0] : undefined;
}

/** Keys that no alternative has. */
function unknownToAll(branches: readonly (readonly Issue[])[]): readonly string[] {
  const unknown = branches.map((issues) =>
    issues.flatMap((issue) => (issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [])),
  );
  // Alternatives that are no group of keys have no opinion
  const [first = [], ...others] = unknown.filter((keys) => keys.length > 0);
  return first.filter((key) => others.every((keys) => keys.includes(key)));
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, step) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, step) : undefined),
    value,
  );
}

function wrongShape(issue: Issue): boolean {
  return issue.code !== 'custom' && issue.code !== 'too_small' && issue.code !== 'too_big';
}

function sentence(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${kinds[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      if (issue.origin === 'array') return issue.minimum === 1 ? 'must not be empty' : `needs ${issue.minimum} entries`;
      if (issue.origin === 'string' && !issue.message.startsWith('must')) return 'must not be empty';
      return issue.message.startsWith('must')
        ? issue.message
        : `must be ${issue.inclusive === true ? 'at least' : 'more than'} ${issue.minimum}`;
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    default:
      return issue.message;
  }
}

const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a group of keys',
};

/** Letters to add, take away, replace or exchange with their neighbour. */
function editDistance(one: string, other: string): number {
  let above: readonly number[] = [];
  let row: readonly number[] = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      const isExchanged = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      const exchanged = isExchanged ? (above[j - 2] ?? 0) + 1 : replaced;
      next.push(Math.min(replaced, exchanged, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    above = row;
    row = next;
  }
  return row[other.length] ?? 0;
}

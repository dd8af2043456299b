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
  return best !== undefined && best.distance <= Math.max(1, Math.floor(word.length / 3)) ? best.candidate : undefined;
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
    return issue.keys.map((key) => {
      const meant = nearest(key, keysAt(schema, path));
      return problem([...path, key], `unknown key${meant === undefined ? '' : `, did you mean ${meant}?`}`);
    });
  }
  if (issue.code === 'invalid_union') {
    const branch = meantBranch(issue.errors as readonly (readonly Issue[])[]);
    if (branch !== undefined) return branch.flatMap((inner) => problemsOf(inner, path, schema, source));
  }
  if (path.length > 0 && !source.has(path)) return [problem(path, 'is required')];
  return [problem(path, sentence(issue))];
}

// The alternative that was meant is the one whose outer shape fits; when none or several do, the union's own message is clearer.
function meantBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const fitting = branches.filter((issues) => !issues.some((issue) => issue.path.length === 0 && wrongShape(issue)));
  return fitting.length === 1 ? fitting[0] : undefined;
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

function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}

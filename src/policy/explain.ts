// What a policy did to a document, for people: a diff by place that names the rule behind each change.
import type { Derivation, RuleChange } from './policy.ts';

/** The printed diff between a document and what was derived from it, rule by rule; ends with a line end. */
export function explain(derivation: Derivation, original: string): string {
  if (derivation.applied.length === 0) return 'no rule changed anything\n';
  const sizes = `${Buffer.byteLength(original)} -> ${derivation.bytes.byteLength} bytes`;
  const blocks = derivation.applied.map(({ rule, kind, changes, unlisted = 0 }) => {
    const count = changes.length + unlisted;
    return [
      `rule "${rule}" (${kind}): ${count} ${count === 1 ? 'change' : 'changes'}`,
      ...changes.map(shown),
      ...(unlisted > 0 ? [`  … and ${unlisted} more`] : []),
    ].join('\n');
  });
  return `${[sizes, ...blocks].join('\n')}\n`;
}

function shown({ path, before, after }: RuleChange): string {
  return [`  @ ${path}`, ...lines('-', before), ...lines('+', after)].join('\n');
}

function lines(sign: '-' | '+', text: string | undefined): readonly string[] {
  if (text === undefined) return [];
  return outdented(text.split(/\r?\n/)).map((line) => `  ${sign} ${line}`);
}

// The first line starts at its markup, the others still have the document's indentation.
function outdented([first = '', ...rest]: readonly string[]): readonly string[] {
  const indents = rest.filter((line) => line.trim() !== '').map((line) => /^[ \t]*/.exec(line)?.[0].length ?? 0);
  const common = indents.length === 0 ? 0 : Math.min(...indents);
  return [first, ...rest.map((line) => line.slice(common))];
}

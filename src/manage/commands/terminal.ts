// Where a command writes to, and how it shows lists of things to people.

export interface Terminal {
  /** Writes a line (or several) of results. */
  readonly out: (text: string) => void;
  /** Writes a line of complaint. */
  readonly err: (text: string) => void;
}

/** A command cannot be understood; the message says what is wrong in a line. */
export class WrongUsage extends Error {}

/** Exit codes of the program. */
export const exitCodes = { done: 0, failed: 1, wrongUsage: 2 } as const;

/** A count with what is counted: `1 group`, `2 groups`, `no warnings` where `none` says so. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Text of others without what a terminal would act on: control characters, and those that turn the direction of writing. */
export function harmless(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x20 && /\s/.test(character) ? ' ' : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** Says in a line why the file named on the command line cannot be read. */
export function unreadable(file: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `${file}: does not exist`;
  return `${file}: cannot be read (${code ?? message})`;
}

/** Columns padded to their widest cell, a heading first; `-` stands for nothing. */
export function columns(headings: readonly string[], rows: readonly (readonly (string | undefined)[])[]): string {
  const lines = [headings, ...rows].map((row) =>
    row.map((cell) => (cell === undefined || cell === '' ? '-' : harmless(cell))),
  );
  const widths = headings.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

// Where a command writes to, and how it shows lists of things to people.

export interface Terminal {
  /** Writes a line (or several) of results. */
  readonly out: (text: string) => void;
  /** Writes a line of complaint. */
  readonly err: (text: string) => void;
}

/** Exit codes of the program. */
export const exitCodes = { done: 0, failed: 1, wrongUsage: 2 } as const;

/** Says in a line why the file named on the command line cannot be read. */
export function unreadable(file: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `${file}: does not exist`;
  return `${file}: cannot be read (${code ?? message})`;
}

/** Columns padded to their widest cell, a heading first; `-` stands for nothing. */
export function columns(headings: readonly string[], rows: readonly (readonly (string | undefined)[])[]): string {
  const lines = [headings, ...rows].map((row) => row.map((cell) => (cell === undefined || cell === '' ? '-' : cell)));
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

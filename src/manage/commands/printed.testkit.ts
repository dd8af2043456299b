// For tests of commands: what one printed on either stream, held to its exit code.
import { expect } from '@jest/globals';
import type { Terminal } from './terminal.ts';

/** Runs a command; resolves with its lines when it ends with `code`, otherwise the test fails and shows them. */
export async function printed(command: (terminal: Terminal) => Promise<number>, code = 0): Promise<string> {
  const lines: string[] = [];
  const write = (text: string): void => {
    lines.push(text);
  };
  const done = await command({ out: write, err: write });
  expect([done, lines.join('\n')]).toEqual([code, lines.join('\n')]);
  return lines.join('\n');
}

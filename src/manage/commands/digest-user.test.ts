// `mcgw digest-user` as a process: the password comes on standard input and nowhere else.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { digestUserLine, parseDigestUsers } from '../../identity/digest-users.ts';

const program = fileURLToPath(new URL('../../../bin/mcgw.js', import.meta.url));
const ines = ['ines', '--realm', 'blue.example', '--identity', 'sip:ines@blue.example', 'tel:+4930'];

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function digestUser(input: string, args: readonly string[] = ines): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, 'digest-user', ...args], (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err });
    });
    // A command that refuses its arguments does not wait for the password
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

test.each(['correct horse: "battery"\n', 'correct horse: "battery"', 'correct horse: "battery"\r\n'])(
  'prints the line for %j',
  async (input) => {
    const identities = ['sip:ines@blue.example', 'tel:+4930'];
    const expected = digestUserLine('ines', 'blue.example', 'correct horse: "battery"', identities);
    expect(await digestUser(input)).toEqual({ code: 0, out: `${expected}\n`, err: '' });
    expect(parseDigestUsers(expected, 'blue.example').byName('ines')?.identities).toEqual(identities);
  },
);

describe('what cannot become a user exits 2 and prints no line', () => {
  test.each<[string, string, readonly string[], string]>([
    ['no password', '', ines, 'no password'],
    ['an empty line', '\n', ines, 'no password'],
    ['two lines', 'a\nb\n', ines, 'more than one line'],
    ['far too much', 'a'.repeat(5000), ines, 'too long'],
    ['a name with a colon', 'p\n', ['a:b', ...ines.slice(1)], 'cannot be the name'],
    ['a name that would be a comment', 'p\n', ['#a', ...ines.slice(1)], 'cannot be the name'],
    ['a name of two lines', 'p\n', ['a\nb', ...ines.slice(1)], 'cannot be the name'],
    ['an identity that is no URI', 'p\n', ['ines', '--realm', 'r', '--identity', 'ines'], 'not a sip: or tel: URI'],
    [
      'a realm that no challenge can carry',
      'p\n',
      ['ines', '--realm', 'blå', '--identity', 'tel:+49'],
      'printable ASCII',
    ],
    ['no realm', 'p\n', ['ines', '--identity', 'tel:+49'], '--realm'],
    ['the password as an argument', '', ['ines', 'secret', ...ines.slice(1)], 'too many arguments'],
  ])('%s', async (_, input, args, expected) => {
    const { code, out, err } = await digestUser(input, args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(expected);
  });
});

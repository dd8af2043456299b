// Reads a password without showing it: one line of standard input, asked for when that is a terminal. Never from arguments, which other
// users of the machine can read.
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

/** Longest input read, characters. */
const longestInput = 4096;

/** Input that holds no password. */
export class NoPassword extends Error {}

/**
 * The one line in `input`, without its end. Throws NoPassword when there is none, several, or too much; `prompt` is written to `output`
 * when the input is a terminal, which then echoes nothing.
 */
export async function readPassword(
  input: NodeJS.ReadableStream & { readonly isTTY?: boolean },
  output: NodeJS.WritableStream,
  prompt = 'Password: ',
): Promise<string> {
  const text = input.isTTY === true ? await askedFor(input, output, prompt) : await wholeInput(input);
  const [password = '', ...rest] = text.replace(/\r?\n$/, '').split(/\r?\n/);
  if (password === '') throw new NoPassword('standard input holds no password');
  if (rest.length > 0) throw new NoPassword('standard input holds more than one line');
  return password;
}

async function wholeInput(input: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  input.setEncoding('utf8');
  for await (const chunk of input) {
    text += chunk;
    if (text.length > longestInput) throw new NoPassword('standard input is too long for a password');
  }
  return text;
}

function askedFor(input: NodeJS.ReadableStream, output: NodeJS.WritableStream, prompt: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: silent, terminal: true });
  output.write(prompt);
  return new Promise((resolve) => {
    let answer = '';
    lines.once('line', (line) => {
      answer = line;
      lines.close();
    });
    lines.once('close', () => {
      output.write('\n');
      resolve(answer);
    });
  });
}

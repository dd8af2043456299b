// What no policy has is refused before it is parsed, and no text that an operator sends holds the event loop.
import { setImmediate } from 'node:timers/promises';
import { afterAll, describe, expect, test } from '@jest/globals';
import { parseYaml } from '../config/yaml-source.ts';
import { blueByThread, groupDocument, problemsOf } from './policy.testkit.ts';
import { policyFromSource } from './policy-file.ts';
import { parsePolicyText, textProblem } from './policy-text.ts';
import { PolicyWorkers } from './policy-workers.ts';

const size = 1_000_000;
const lines = (count: number, line: (number: number) => string): string =>
  Array.from({ length: count }, (_, number) => `${line(number)}\n`).join('');

const refused: readonly (readonly [string, string, string])[] = [
  ['brackets', '['.repeat(size), 'brackets are nested more than 32 deep'],
  ['brackets that close', '['.repeat(size / 2) + ']'.repeat(size / 2), 'brackets are nested more than 32 deep'],
  ['braces', 'rules: '.concat('{a: '.repeat(size / 4)), 'brackets are nested more than 32 deep'],
  ['brackets on lines of their own', '[\n'.repeat(size / 2), 'brackets are nested more than 32 deep'],
  ['brackets behind tags and anchors', '!a [ &b [ '.repeat(40), 'brackets are nested more than 32 deep'],
  [
    'brackets behind a block scalar',
    `a: |\n  text\n${'b: [['.concat('['.repeat(40))}`,
    'brackets are nested more than 32 deep',
  ],
  [
    'brackets behind a block scalar in a list',
    `- a: |\n    text\n  b: ${'['.repeat(40)}`,
    'brackets are nested more than 32 deep',
  ],
  ['questions in brackets', '[? '.repeat(size / 3), 'brackets are nested more than 32 deep'],
  ['quotes in brackets', '["'.repeat(size / 2), 'brackets are nested more than 32 deep'],
  ['anchors', lines(size / 10, (number) => `- &a${number} x`), 'has more than 200 anchors and aliases'],
  ['aliases', `- &a x\n${'- *a\n'.repeat(size / 5)}`, 'has more than 200 anchors and aliases'],
  ['indentation', lines(1400, (column) => `${' '.repeat(column)}a:`), 'blocks are nested more than 32 deep'],
  ['lists in lists', '- '.repeat(size / 2), 'blocks are nested more than 32 deep'],
  ['keys in keys', '? '.repeat(size / 2), 'blocks are nested more than 32 deep'],
  ['values in values', 'a: '.repeat(size / 3), 'blocks are nested more than 32 deep'],
  ['documents', '--- a\n...\n'.repeat(size / 10), 'more than one document stands in the file'],
  ['lines', '\n'.repeat(size), 'has more than 50000 lines'],
];

describe('refused before it is parsed', () => {
  test.each(refused)('%s', (_, text, problem) => {
    expect(textProblem(text)).toMatchObject({ text: problem });
    expect(parsePolicyText('p.yaml', text).problems).toMatchObject([{ file: 'p.yaml', key: 'yaml', text: problem }]);
  });

  test('with the line where it is too much', () => {
    expect(textProblem(`a: 1\nb:\n  ${'['.repeat(40)}`)).toEqual({
      line: 3,
      text: 'brackets are nested more than 32 deep',
    });
  });
});

const open = '['.repeat(40);
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const accepted: readonly (readonly [string, string])[] = [
  ['as deep as allowed', `a: ${nested(31)}\n`],
  ['brackets in quotes', `a: "${open} \\" ${open}"\nb: '${open} '' ${open}'\n`],
  ['brackets in plain text', `a: b${open}\nc: //g:list[1]${open}\n`],
  ['brackets in comments', `# ${open}\na: 1 # ${open}\nb: [ # ${open}\n  c ]\n`],
  ['brackets in block scalars', `a: |\n  ${open}\n\n    ${open}\nb: >-\n ${open}\nc: 1\n`],
  ['brackets in block scalars in a list', `- a: |\n    ${open}\n  b: 1\n- >\n ${open}\n`],
  ['brackets in a text of several lines', `a: "x\n  ${open}\n  y"\nb: 'x\n\n  ${open}'\n`],
  [
    'JSON on one line',
    JSON.stringify({ rules: Array.from({ length: 100 }, () => ({ name: open, a: [open, '"', "'"] })) }),
  ],
  ['JSON with white space', JSON.stringify({ rules: [{ name: open, a: [open] }] }, null, 2).replaceAll(':', ' :')],
  ['asterisks that are no aliases', `a: [${'"*@red.example", '.repeat(500)}"*"]\nb: //g:*\n`],
  ['dashes', `---\na: x${' -'.repeat(50)}\nb: ${'-'.repeat(50)}\n`],
  ['questions in text', `a: b${' ?'.repeat(50)}\n`],
  ['blocks one behind the other', lines(500, (number) => `k${number}:\n  - a:\n      b: 1`)],
  ['colons in quotes', `a: "${'b: '.repeat(50)}"\n`],
  ['carriage returns', 'a:\r\n  b: [c,\r\n    d]\r\n# e\r\n'],
];

test.each(accepted)('not refused: %s', (_, text) => {
  expect(parseYaml('p.yaml', text).problems).toEqual([]);
  expect(textProblem(text)).toBeUndefined();
});

const rule = (text: string): string => `policy: p\nversion: 1\nrules:\n  - { name: a, ${text} }\n`;
const costly: readonly (readonly [string, string])[] = [
  ['long flow sequence', `[${'a,'.repeat(50_000)}]`],
  ['commas', `[${','.repeat(50_000)}]`],
  ['brackets that do not fit', '[}]'.repeat(30_000)],
  ['maps behind maps', '{}'.repeat(50_000)],
  ['long key', `${'k'.repeat(size)}: 1\n`],
  ['long quoted key', `"${'k'.repeat(size)}": 1\n`],
  ['huge numbers', `version: ${'9'.repeat(size)}\nrules: [${'9e999999999,'.repeat(5000)}]\n`],
  ['quote that does not end', `a: "${'b'.repeat(size)}`],
  ['quote of escapes that does not end', `a: "${'\\'.repeat(size)}`],
  ['quotes that do not end', '- "\n'.repeat(25_000)],
  ['block scalar', `a: |\n${' x\n'.repeat(40_000)}`],
  ['block scalars', lines(10_000, (number) => `a${number}: >\n b\n\n c`)],
  ['the same key', 'a: 1\n'.repeat(20_000)],
  ['comments', '#\n'.repeat(40_000)],
  ['long XPath', rule(`remove: { select: "${'g:b|'.repeat(20_000)}g:b" }`)],
  ['long regular expressions', rule(`rewrite: { identities: true, pattern: "(${'(a|b)*'.repeat(160)}){9}", with: x }`)],
  ['much markup', rule(`insert: { into: //g:list, element: "<g:a>${'<g:b/>'.repeat(50_000)}</g:a>" }`)],
  ['unknown keys', `policy: p\nversion: 1\nrules:\n${'  - { name: a, zzz: 1 }\n'.repeat(5000)}`],
];
const usable: readonly (readonly [string, string])[] = [
  [
    'a thousand patterns',
    `policy: p\nversion: 1\nrules:\n${lines(
      1000,
      (number) =>
        `  - { name: r${number}, rewrite: { identities: true, pattern: "^sip:(.*)@(a|b){20}$", with: "sip:$1@c" } }`,
    )}`,
  ],
  [
    'patterns as long as they may be in a small policy',
    `policy: p\nversion: 1\nrules:\n${lines(
      600,
      (number) => `  - { name: r${number}, rewrite: { identities: true, pattern: "(a{30}){30}", with: x } }`,
    )}`,
  ],
  ['many areas', rule(`areas: { drop: [${'a, '.repeat(30_000)}b] }`)],
  [
    'a long table',
    rule(`map: { select: //g:list, table: { ${Array.from({ length: 40_000 }, (_, row) => `k${row}: 1`)} } }`),
  ],
  ['an XPath as long as it may be', rule(`remove: { select: "${'g:b|'.repeat(2400)}g:b" }`)],
];

test('a policy that is too large to be compiled where the event loop is derives what a small one does', async () => {
  const rules = rule('set: { select: //mcpttgi:owner, value: Blue }');
  const document = Buffer.from(groupDocument('<m:owner>Red</m:owner>'));
  const derived = async (text: string): Promise<string> => {
    const policy = await policyFromSource({ file: 'p.yaml', text, files: {} });
    const { bytes } = await policy.apply(document, blueByThread);
    policy.close();
    return Buffer.from(bytes).toString();
  };
  const small = await derived(rules);
  expect(small).toContain('<m:owner>Blue</m:owner>');
  expect(await derived(`${rules}${'# a comment\n'.repeat(6000)}`)).toBe(small);
});

describe('no text holds the event loop for more than 20 ms of processor time', () => {
  const workers = new PolicyWorkers({ threads: 1 });
  afterAll(() => workers.close());
  const read = async (text: string): Promise<void> =>
    (await policyFromSource({ file: 'p.yaml', text, files: {} }, () => workers)).close();

  /** The longest turn of the event loop while `work` is done, milliseconds of processor time of this thread. */
  async function longestTurn(work: () => Promise<unknown>): Promise<number> {
    const used = (): number => {
      const { user, system } = process.threadCpuUsage();
      return (user + system) / 1000;
    };
    let done = false;
    const whole = work().finally(() => {
      done = true;
    });
    let longest = 0;
    for (let before = used(); !done; ) {
      await setImmediate();
      const now = used();
      longest = Math.max(longest, now - before);
      before = now;
    }
    await whole;
    return longest;
  }

  const hostile = [...refused.map(([name, text]) => [name, text] as const), ...costly];
  test.each(hostile)('%s', async (_, text) => {
    await read(rule('remove: { select: //g:list }'));
    let problems: readonly string[] = [];
    const longest = await longestTurn(async () => {
      problems = await problemsOf(() => read(text));
    });
    expect(problems).not.toEqual([]);
    expect(problems.length).toBeLessThanOrEqual(201);
    expect(longest).toBeLessThan(20);
  });

  test.each(usable)('valid: %s', async (_, text) => {
    await read(rule('remove: { select: //g:list }'));
    expect(await longestTurn(() => read(text))).toBeLessThan(20);
  });
});

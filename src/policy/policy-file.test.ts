import { describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { applyRules, blue, groupDocument } from './policy.testkit.ts';
import { loadPolicy, PolicyFileError, parsePolicy, passThroughPolicy } from './policy-file.ts';

function problemsOf(text: string): readonly string[] {
  try {
    parsePolicy(text, 'p.yaml');
  } catch (error) {
    if (error instanceof PolicyFileError)
      return error.problems.map(({ file, line, key, text }) => `${file}:${line}: ${key}: ${text}`);
    throw error;
  }
  return [];
}

describe('a policy file is refused with every problem at its line', () => {
  test('all at once, also beside a broken rule', () => {
    const text = `policy: from-red
version: 1
owner: me
rules:
  - { name: a, clamp: { priority: [mcpt], max: 300 } }
  - { name: b, remove: { select: "//x:y" } }
  - name: c
    set:
      select: //mcpttgi:owner[
      value: 1
  - { name: c, require: { select: count(//g:entry), otherwise: x } }
  - { name: d, remove: { select: count(//g:entry) } }
  - { name: e, clamp: { priority: [mcptt], min: 9, max: 3 } }
  - { name: f, renam: {} }
  - { name: g }
  - { name: h, members: { keep: [ { uri: nobody }, { domain: "x y" } ] } }
`;
    const problems = problemsOf(text);
    expect(problems.map((problem) => problem.split(': ').slice(0, 2).join(': '))).toEqual([
      'p.yaml:3: owner',
      'p.yaml:5: rules[0].clamp.priority[0]',
      'p.yaml:5: rules[0].clamp.max',
      'p.yaml:6: rules[1].remove.select',
      'p.yaml:9: rules[2].set.select',
      'p.yaml:11: rules[3].name',
      'p.yaml:12: rules[4].remove.select',
      'p.yaml:13: rules[5].clamp',
      'p.yaml:14: rules[6].renam',
      'p.yaml:14: rules[6]',
      'p.yaml:15: rules[7]',
      'p.yaml:16: rules[8].members.keep[0].uri',
      'p.yaml:16: rules[8].members.keep[1].domain',
    ]);
    expect(problems[4]).toMatch(/is no usable XPath: character \d+: /);
    expect(problems[7]).toContain('min must not be above max');
  });

  test('an action that is denied and allowed, however it is written', () => {
    const rule = (deny: string, allow: string): string =>
      `policy: p\nversion: 1\nrules:\n  - { name: a, permissions: { for: { domain: x.example }, deny: ["${deny}"], allow: ["${allow}"] } }\n`;
    const denied = ['p.yaml:4: rules[0].permissions: rule "a": denies what it allows'];
    expect(problemsOf(rule('join-handling', 'join-handling'))).toEqual(denied);
    expect(problemsOf(rule('join-handling', 'g:join-handling'))).toEqual(denied);
    expect(problemsOf(rule('allow-x', 'mcpttgi:allow-x'))).toEqual(denied);
    expect(problemsOf(rule('join-handling', 'mcpttgi:join-handling'))).toEqual([]);
  });

  test('no YAML at all', () => {
    expect(problemsOf('policy: [')).toHaveLength(1);
    expect(problemsOf('')).toEqual([
      'p.yaml:1: policy: is required',
      'p.yaml:1: version: is required',
      'p.yaml:1: rules: is required',
    ]);
  });

  const endToEnd: readonly string[] = [
    "set: { select: '/g:group/g:list-service/@uri', value: 'sip:x@y' }",
    "set: { select: '//mcpttgi:protect-media', value: false }",
    'remove: { select: \'//mcpttgi:mcvideo-protect-transmission-control[. = "false"]\' }',
    "remove: { select: '//mcpttgi:on-network-regrouped' }",
    "insert: { into: //g:list-service, element: '<mcpttgi:on-network-invite-members>true</mcpttgi:on-network-invite-members>' }",
  ];
  test.each(endToEnd)('%s needs endToEnd: true', (rule) => {
    const file = (flag: string): string => `policy: p\nversion: 1\nrules:\n  - { name: a, ${flag}${rule} }\n`;
    expect(problemsOf(file(''))).toEqual([expect.stringContaining('binds both systems: needs endToEnd: true')]);
    expect(problemsOf(file('endToEnd: true, '))).toEqual([]);
  });

  const fragments: readonly (readonly [string, RegExp])[] = [
    ['<mcpttgi:a>', /is not well-formed/],
    ['<mcpttgi:a/><mcpttgi:b/>', /must be exactly one element/],
    ['text', /must be exactly one element/],
    ['<a/>', /element a needs a prefix/],
    ['<nope:a/>', /is not well-formed/],
  ];
  test.each(fragments)('insert of %s', (markup, problem) => {
    const rule = `insert: { into: //g:list-service, element: "${markup}" }`;
    expect(problemsOf(`policy: p\nversion: 1\nrules:\n  - { name: a, ${rule} }\n`)).toEqual([
      expect.stringMatching(problem),
    ]);
  });

  test('a missing file is a problem too', async () => {
    await expect(loadPolicy('/nonexistent/policy.yaml')).rejects.toMatchObject({
      problems: [{ file: '/nonexistent/policy.yaml', line: 1, key: '(file)', text: 'does not exist' }],
    });
  });
});

describe('the result of a policy is checked', () => {
  const rules = [
    'set: { select: //mcpttgi:owner, value: good }',
    'set: { select: //mcpttgi:owner, value: bad }',
    "insert: { into: //g:list-service, element: '<mcpttgi:x/>' }",
  ];
  const refuseBad = async (bytes: Uint8Array): Promise<void> => {
    if (Buffer.from(bytes).includes('bad'))
      throw new Refusal('schema-validation-error', { phrase: 'line 4: bad owner' });
  };

  test('a policy that breaks the document says which rule did it', async () => {
    await expect(applyRules(rules, groupDocument('<m:owner>Red</m:owner>'), {}, refuseBad)).rejects.toMatchObject({
      code: 'constraint-failure',
      message: 'The policy rule "rule 2" leaves a document that is not valid: line 4: bad owner',
    });
  });

  test('a rule that mends what another broke is no fault', async () => {
    const mended = [...rules, 'set: { select: //mcpttgi:owner, value: good }'];
    await expect(applyRules(mended, groupDocument('<m:owner>Red</m:owner>'), {}, refuseBad)).resolves.toBeDefined();
  });

  test('a result that is the source is not checked again', async () => {
    const document = groupDocument('');
    const { text } = await applyRules(rules.slice(0, 2), document, {}, () => Promise.reject(new Error('not needed')));
    expect(text).toBe(document);
  });

  test('overload while checking is no fault of a rule', async () => {
    const busy = (): Promise<void> => Promise.reject(new Refusal('unavailable'));
    await expect(applyRules(rules, groupDocument('<m:owner>Red</m:owner>'), {}, busy)).rejects.toMatchObject({
      code: 'unavailable',
    });
  });
});

test('without a policy file every byte passes, under the name none and version 0', async () => {
  const document = Buffer.from(groupDocument('<!-- kept -->'));
  const derivation = await passThroughPolicy.apply(document, blue);
  expect(derivation).toEqual({ bytes: document, applied: [] });
  expect([passThroughPolicy.name, passThroughPolicy.version]).toEqual(['none', 0]);
});

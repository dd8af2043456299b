import { existsSync } from 'node:fs';
import { stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { diag } from 'libxml2-wasm';
import { LoadedPolicy } from './loaded-policy.ts';
import { blue, blueByThread, groupDocument, policyText, problemsOf, withPolicyFolder } from './policy.testkit.ts';
import { parsePolicy, policyFromSource } from './policy-file.ts';
import { PolicyWorkers } from './policy-workers.ts';

const owner = groupDocument('    <m:owner>Red</m:owner>');
const set = (value: string): string => `{ name: ${value}, set: { select: //mcpttgi:owner, value: ${value} } }`;
const file = (rules: string, head = ''): string => `policy: p\nversion: 1\n${head}rules:\n${rules}`;

describe('policies include other files', () => {
  const files = {
    'policy.yaml': file(`  - ${set('Own')}\n  - include: parts/last.yaml\n`, 'include: [parts/first.yaml]\n'),
    'parts/first.yaml': `rules:\n  - ${set('First')}\n`,
    'parts/last.yaml': `rules:\n  - include: deeper/deep.yaml\n  - ${set('Last')}\n`,
    'parts/deeper/deep.yaml': `rules:\n  - ${set('Deep')}\n`,
  };

  test('their rules stand where they are included; paths count from the including file', async () => {
    await withPolicyFolder(files, async (_, load) => {
      const policy = await load();
      const { applied } = await policy.apply(Buffer.from(owner), blue);
      expect(applied.map(({ rule }) => rule)).toEqual(['First', 'Own', 'Deep', 'Last']);
      expect(Object.keys(policy.source.files).sort()).toEqual([
        'parts/deeper/deep.yaml',
        'parts/first.yaml',
        'parts/last.yaml',
      ]);
      const again = await policyFromSource(policy.source);
      expect(again.digest).toBe(policy.digest);
    });
  });

  test('a change of an included file is another digest', async () => {
    const one = await withPolicyFolder(files, async (_, load) => (await load()).digest);
    const other = await withPolicyFolder(
      { ...files, 'parts/deeper/deep.yaml': `rules:\n  - ${set('Dip')}\n` },
      async (_, load) => (await load()).digest,
    );
    expect(one).not.toBe(other);
  });

  test('files that include each other many times are refused at once', async () => {
    const bomb: Record<string, string> = { 'f9.yaml': 'rules: []\n' };
    for (let level = 0; level < 9; level++) {
      bomb[`f${level}.yaml`] = `include: [${Array(9)
        .fill(`f${level + 1}.yaml`)
        .join(', ')}]\nrules: []\n`;
    }
    const text = file('', 'include: [f0.yaml]\n').replace('rules:\n', 'rules: []\n');
    await expect(policyFromSource({ file: 'policy.yaml', text, files: bomb })).rejects.toThrow(
      'is one include too many: 1000 are followed',
    );
  });

  test('texts that no file could have are refused from elsewhere, too', async () => {
    const text = file('', 'include: [a.yaml]\n').replace('rules:\n', 'rules: []\n');
    const long = { file: 'policy.yaml', text: `${text}#${'x'.repeat(1024 * 1024)}`, files: {} };
    await expect(policyFromSource(long)).rejects.toThrow('policy.yaml:1: (file): is larger than 1048576 bytes');
    const wide = { file: 'policy.yaml', text, files: { 'a.yaml': `#${'x'.repeat(8 * 1024 * 1024)}` } };
    await expect(policyFromSource(wide)).rejects.toThrow('a.yaml:1: (file): is larger than 8388608 bytes');
    const files = Object.fromEntries(Array.from({ length: 101 }, (_, number) => [`${number}.yaml`, '']));
    await expect(policyFromSource({ file: 'policy.yaml', text, files })).rejects.toThrow('has more than 100 files');
  });

  test('a key is made for a file, and not for texts from elsewhere', async () => {
    const text = file('  - { name: hide, pseudonym: { members: { domain: red.example } } }\n');
    await withPolicyFolder({ 'policy.yaml': text }, async (folder, load) => {
      const key = join(folder, 'pseudonym.key');
      const source = { file: join(folder, 'policy.yaml'), text, files: {} };
      await expect(policyFromSource(source)).rejects.toThrow('the key pseudonym.key does not exist');
      expect(existsSync(key)).toBe(false);
      const { digest } = await load();
      expect((await stat(key)).mode & 0o777).toBe(0o600);
      expect((await policyFromSource(source)).digest).toBe(digest);
    });
  });

  test('a long table is read in time proportional to its length', () => {
    const table = Array.from({ length: 20_000 }, (_, number) => `k${number}: v`).join(', ');
    const before = process.cpuUsage();
    parsePolicy(
      file(`  - { name: t, map: { select: //mcpttgi:owner, table: { ${table} } } }\n`),
      'policy.yaml',
    ).close();
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(4000);
  });

  test.each([
    ['itself', 'policy.yaml', /policy\.yaml includes .*policy\.yaml/],
    ['in a circle', 'a.yaml', /a\.yaml includes .*b\.yaml includes .*a\.yaml/],
    ['a file that is missing', 'none.yaml', /none\.yaml does not exist/],
    ['a folder', 'parts', /is no file/],
    ['a file outside', '../../etc/passwd', /lies outside of the folder/],
    ['a file outside by its absolute name', '/etc/passwd', /lies outside of the folder/],
    ['a file outside by a link', 'link.yaml', /lies outside of the folder/],
  ])('%s is refused', async (_name, target, problem) => {
    const circle = {
      'a.yaml': 'rules:\n  - include: b.yaml\n',
      'b.yaml': 'rules:\n  - include: ./a.yaml\n',
      'parts/x': '',
    };
    await withPolicyFolder({ 'policy.yaml': file(`  - include: ${target}\n`), ...circle }, async (folder, load) => {
      await symlink('/etc/passwd', join(folder, 'link.yaml'));
      const problems = await problemsOf(load);
      expect(problems).toEqual([expect.stringMatching(problem)]);
      expect(problems.join()).not.toContain('root:');
    });
  });

  test('problems stand in the file that has them, with the name of the rule', async () => {
    const problems = await withPolicyFolder(
      {
        'policy.yaml': file('  - include: other.yaml\n  - { name: Own, remove: { select: "//" } }\n'),
        'other.yaml': `rules:\n  - ${set('Own')}\n  - { name: odd, map: { selct: //x } }\n`,
      },
      (_, load) => problemsOf(load),
    );
    expect(problems).toEqual([
      'policy.yaml:5: rules[1].name: rule "Own": another rule is called Own'.replace('rule "Own": ', ''),
      expect.stringMatching(
        /^policy\.yaml:5: rules\[1\]\.remove\.select: rule "Own": is no usable XPath: character 3: /,
      ),
      'other.yaml:3: rules[1].map.select: rule "odd": is required',
      'other.yaml:3: rules[1].map.selct: rule "odd": unknown key, did you mean select?',
    ]);
  });
});

describe('hostile policy files are refused, not suffered', () => {
  const bombs: readonly (readonly [string, string])[] = [
    [
      'anchors that multiply',
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n${file('  - *e\n')}`,
    ],
    ['brackets nested deeply', `policy: p\nversion: 1\nrules: ${'['.repeat(20_000)}`],
    ['prototype keys', 'policy: p\nversion: 1\nrules:\n  - { name: a, __proto__: { remove: { select: //x } } }\n'],
    ['constructor keys', 'policy: p\nversion: 1\nconstructor: {}\nrules: []\n'],
    ['rules that are no list', 'policy: p\nversion: 1\nrules: { a: 1 }\n'],
    ['rules that are no rules', 'policy: p\nversion: 1\nrules: [1, null, [], "x"]\n'],
    ['a file too large', `# ${'x'.repeat(1024 * 1024)}\n${file('  []\n')}`],
    [
      'a pattern that would hang',
      file('  - { name: a, rewrite: { identities: true, pattern: "(a+)+\\\\1", with: x } }\n'),
    ],
    [
      'a pattern too large',
      file('  - { name: a, rewrite: { identities: true, pattern: "((x{99}){99}){99}", with: x } }\n'),
    ],
  ];
  test.each(bombs)('%s', async (_name, text) => {
    const started = performance.now();
    const problems = await withPolicyFolder({ 'policy.yaml': text }, (_, load) => problemsOf(load));
    expect(problems.length).toBeGreaterThan(0);
    expect(performance.now() - started).toBeLessThan(3000);
  });
});

describe('rules that could take long run in a thread with a time limit', () => {
  const nested = '//*[count(//*[count(//*[count(//*) > 0]) > 0]) > 0]';
  const large = groupDocument(
    `    <list>${Array.from({ length: 400 }, (_, n) => `<entry uri="sip:u${n}@red.example"/>`).join('')}</list>\n    <m:owner>Red</m:owner>`,
  );

  test('an XPath that grows by powers is ended, and named; the event loop goes on', async () => {
    const workers = new PolicyWorkers({ threads: 1, budget: 300 });
    try {
      await withPolicyFolder(
        {
          'policy.yaml': policyText([
            'set: { select: //mcpttgi:owner, value: Blue }',
            `require: { select: "${nested}", otherwise: no }`,
          ]),
        },
        async (_, load) => {
          const policy = await load();
          let turns = 0;
          const timer = setInterval(() => turns++, 10);
          await expect(policy.apply(Buffer.from(large), blueByThread)).rejects.toMatchObject({
            code: 'constraint-failure',
            message: 'The policy rule "rule 2" takes too long',
          });
          clearInterval(timer);
          expect(turns).toBeGreaterThan(10);
          // The thread is replaced: what is quick still works.
          const { bytes } = await policy.apply(
            Buffer.from('<g:group xmlns:g="urn:oma:xml:poc:list-service"/>'),
            blueByThread,
          );
          expect(bytes.byteLength).toBe(49);
        },
        () => workers,
      );
    } finally {
      await workers.close();
    }
  });

  test('a thread gives the same result and the same record as the calling thread', async () => {
    const workers = new PolicyWorkers({ threads: 1 });
    const many = groupDocument(
      `    <list>${Array.from({ length: 2000 }, (_, n) => `\n      <entry uri="sip:u${n}@${['red', 'blue', 'green'][n % 3]}.example"/>`).join('')}\n    </list>\n    <m:owner>Red</m:owner>`,
    );
    const rules = [
      'members: { keep: [ { served: true }, { uri: "sip:u1*@red.example" } ], limit: 500 }',
      'set: { select: //mcpttgi:owner, value: Blue }',
    ];
    const agreed = {
      services: ['mcptt'] as const,
      thirdSystemMembers: {
        treatment: 'drop' as const,
        isOfEither: (one: string) => /@(blue|red)\.example$/.test(one),
      },
    };
    try {
      await withPolicyFolder(
        { 'policy.yaml': policyText(rules) },
        async (_, load) => {
          const policy = await load();
          const here = await policy.apply(Buffer.from(many), { ...blue, ...agreed });
          const there = await policy.apply(Buffer.from(many), { ...blueByThread, ...agreed });
          expect(Buffer.from(there.bytes).equals(Buffer.from(here.bytes))).toBe(true);
          expect(there.applied).toEqual(here.applied);
          expect(here.applied.map(({ rule }) => rule)).toEqual(['members of third systems', 'rule 1', 'rule 2']);
        },
        () => workers,
      );
    } finally {
      await workers.close();
    }
  });
});

test('a replaced policy frees its compiled expressions, and whoever still holds it may use it', async () => {
  diag.configure({ enabled: true });
  try {
    await withPolicyFolder(
      {
        'policy.yaml': policyText([
          'when: { select: //g:list-service }, set: { select: //mcpttgi:owner, value: Blue }',
        ]),
      },
      async (_, load) => {
        const policy = await load();
        expect(policy).toBeInstanceOf(LoadedPolicy);
        const { bytes } = await policy.apply(Buffer.from(owner), blue);
        expect(Buffer.from(bytes).toString()).toContain('Blue');
        expect(JSON.stringify(diag.report())).toContain('XPath');
        policy.close();
        expect(JSON.stringify(diag.report())).not.toContain('XPath');
        expect((await policy.apply(Buffer.from(owner), blue)).applied).toHaveLength(1);
        expect(JSON.stringify(diag.report())).not.toContain('XPath');
      },
    );
  } finally {
    diag.configure({ enabled: false });
  }
});

test('a key in a file of another folder may be named absolutely', async () => {
  await withPolicyFolder({ 'keys/own.key': 'sixteen characters and more\n' }, async (folder, load) => {
    const rule = `pseudonym: { members: { domain: red.example }, key: ${join(folder, 'keys/own.key')} }`;
    await writeFile(join(folder, 'policy.yaml'), policyText([rule]));
    expect((await load()).version).toBe(1);
  });
});

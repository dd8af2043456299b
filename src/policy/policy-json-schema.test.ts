// The JSON Schema of policy files is as strict as loading, wherever JSON Schema can say what is wrong.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fitsSchema } from './json-schema.testkit.ts';
import { fitsJsonSchema, problemsOf, withPolicyFolder } from './policy.testkit.ts';
import { parsePolicy } from './policy-file.ts';
import { policyJsonSchema } from './policy-json-schema.ts';

const rule = (text: string): string => `policy: p\nversion: 1\nrules:\n  - { name: a, ${text} }\n`;
const loads = async (text: string): Promise<boolean> =>
  (await problemsOf(async () => parsePolicy(text, 'p.yaml'))).length === 0;

const someone = 'for: { domain: blue.example }';
const badRules: readonly string[] = [
  'clamp: { priority: [mcptt] }',
  'clamp: { priority: [], max: 1 }',
  'clamp: { priority: [mcpt], max: 1 }',
  'clamp: { priority: mcptt, max: 1 }',
  'clamp: { max: 1 }',
  'clamp: { priority: [mcptt], max: 256 }',
  'clamp: { priority: [mcptt], max: 1.5 }',
  'clamp: { priority: [mcptt], min: -1 }',
  'clamp: { priority: [mcptt], max: "1" }',
  'clamp: { priority: [mcptt], max: 1, most: 2 }',
  'members: { keep: [ {} ] }',
  'members: { keep: [] }',
  'members: { keep: { served: true } }',
  'members: { keep: [ { served: false } ] }',
  'members: { keep: [ { served: true, role: x } ] }',
  'members: { keep: [ { domain: "a b" } ] }',
  'members: { keep: [ { domain: .example } ] }',
  'members: { keep: [ { participantType: "" } ] }',
  'members: { keep: [ { uri: nobody } ] }',
  'members: { keep: [ { uri: "sip:" } ] }',
  'members: { keep: [ { uri: "sip:a b@c" } ] }',
  'members: { keep: [ { uri: "ines*" } ] }',
  'members: { keep: [ { served: true } ], limit: 0 }',
  'services: { drop: [] }',
  'services: { drop: [mcx] }',
  'services: {}',
  'areas: {}',
  'areas: { ifNoneLeft: refuse }',
  'areas: { elements: [zone] }',
  'areas: { drop: false }',
  'areas: { drop: [] }',
  'areas: { drop: "" }',
  'areas: { keepWithin: "" }',
  'areas: { drop: true, elements: ["a b"] }',
  'areas: { drop: true, elements: [] }',
  'areas: { drop: true, ifNoneLeft: stay }',
  'set: { select: //g:list }',
  'set: { value: 1 }',
  'set: { select: //mcpttgi:owner, value: "a\\x01b" }',
  'map: { select: //mcpttgi:owner, table: { a: "b\\x00" } }',
  'rewrite: { select: //mcpttgi:owner, pattern: a, with: "\\uFFFF" }',
  'set: { select: "", value: 1 }',
  'set: { select: //g:list, value: [1] }',
  'set: { select: //g:list, value: null }',
  'insert: { into: //g:list }',
  'insert: { into: //g:list, element: text }',
  'insert: { into: //g:list, element: "" }',
  'remove: {}',
  'remove: //g:list',
  'rename: { select: //g:list }',
  'rename: { select: //g:list, to: "a b" }',
  'rename: { select: //g:list, to: "nope:a" }',
  'map: { select: //g:list }',
  'map: { select: //g:list, table: { a: [b] } }',
  'map: { select: //g:list, ranges: { 0-7: 0 } }',
  'map: { select: //g:list, ranges: { low: 0-255 } }',
  'map: { table: { a: b } }',
  'map: { select: //g:list, table: { a: b }, otherwise: drop }',
  'rewrite: { pattern: a, with: b }',
  'rewrite: { identities: true, select: //g:list, pattern: a, with: b }',
  'rewrite: { identities: false, pattern: a, with: b }',
  'rewrite: { identities: true, with: b }',
  'rewrite: { identities: true, pattern: "", with: b }',
  'rewrite: { identities: true, pattern: a }',
  `rewrite: { identities: true, pattern: ${'a'.repeat(1001)}, with: b }`,
  'pseudonym: {}',
  'pseudonym: { members: {} }',
  'pseudonym: { members: { domain: red.example, except: [] } }',
  'pseudonym: { members: { domain: red.example }, into: "x y" }',
  `permissions: { ${someone} }`,
  `permissions: { ${someone}, deny: [] }`,
  `permissions: { ${someone}, deny: ["a b"] }`,
  `permissions: { ${someone}, deny: ["nope:allow-x"] }`,
  'permissions: { deny: [allow-x] }',
  'permissions: { for: {}, deny: [allow-x] }',
  'permissions: { for: { except: desk }, deny: [allow-x] }',
  'require: { select: //g:list }',
  'require: { select: //g:list, otherwise: "" }',
  'stylesheet: ""',
  'remove: { select: //g:list }, set: { select: //g:list, value: 1 }',
  'when: {}, remove: { select: //g:list }',
  'when: { service: mcx }, remove: { select: //g:list }',
  'when: { group: nobody }, remove: { select: //g:list }',
  'when: { select: //g:list }',
  'endToEnd: yes, remove: { select: //g:list }',
  'nmae: b, remove: { select: //g:list }',
  'renam: {}',
  'include: b.yaml',
  `remove: { select: ${'a'.repeat(10_001)} }`,
  `insert: { into: //g:list, element: "<g:a>${'a'.repeat(20_000)}</g:a>" }`,
];

const badFiles: readonly string[] = [
  '[]',
  'policy: p\nversion: 1\n',
  'policy: p\nrules: []\n',
  'version: 1\nrules: []\n',
  'policy: a b\nversion: 1\nrules: []\n',
  'policy: 7\nversion: 1\nrules: []\n',
  'policy: p\nversion: 1.5\nrules: []\n',
  'policy: p\nversion: -1\nrules: []\n',
  'policy: p\nversion: "1"\nrules: []\n',
  'policy: p\nversion: 1\nrules: {}\n',
  'policy: p\nversion: 1\nrules: [a]\n',
  'policy: p\nversion: 1\nrules: [null]\n',
  'policy: p\nversion: 1\nrules: [[]]\n',
  'policy: p\nversion: 1\nrules: [{}]\n',
  'policy: p\nversion: 1\nrules: [{ name: a }]\n',
  'policy: p\nversion: 1\nrules: [{ remove: { select: //g:list } }]\n',
  `policy: p\nversion: 1\nrules: [{ name: ${'a'.repeat(201)}, remove: { select: //g:list } }]\n`,
  'policy: p\nversion: 1\nrules: [{ include: "" }]\n',
  'policy: p\nversion: 1\nrules: [{ include: a.yaml, when: { service: mcptt } }]\n',
  'policy: p\nversion: 1\ninclude: a.yaml\nrules: []\n',
  'policy: p\nversion: 1\ninclude: [""]\nrules: []\n',
  'policy: p\nversion: 1\nowner: me\nrules: []\n',
];

describe('what loading refuses, the JSON Schema refuses', () => {
  test.each([...badRules.map(rule), ...badFiles].map((text) => [text.slice(0, 200), text]))('%s', async (_, text) => {
    expect({ loads: await loads(text), fits: fitsJsonSchema(text) }).toEqual({ loads: false, fits: false });
  });
});

const goodRules: readonly string[] = [
  'clamp: { priority: [mcptt], min: 0, max: 255 }',
  'members: { keep: [ { uri: "*@red.example" }, { uri: "TEL:+1*" }, { uri: "sip:ines@red.example" } ] }',
  'set: { select: //mcpttgi:owner, value: true }',
  'insert: { into: //g:list-service, element: "  <mcpttgi:owner>a</mcpttgi:owner> " }',
  'rename: { select: //mcpttgi:owner/@a, to: b }',
  'map: { select: //mcpttgi:owner, table: { 1: 2 }, ranges: { -7..0: 0 - 7 } }',
  `permissions: { ${someone}, deny: [allow-x, g:join-handling], allow: ["mcpttgi:allow-y"] }`,
  'when: { owner: Red }, endToEnd: true, remove: { select: //mcpttgi:owner }',
];

test.each(goodRules.map(rule))('what loads fits: %s', async (text) => {
  expect({ loads: await loads(text), fits: fitsJsonSchema(text) }).toEqual({ loads: true, fits: true });
});

test('a pattern over URIs that loads fits, whatever it is', async () => {
  const part = fc.constantFrom('sip:', 'tel:', '*', 'ines', '@', 'red.example', '+1', ' ', '%40', '[::1]', ':', ';a=b');
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 6 }), async (parts) => {
      const text = rule(`members: { keep: [ { uri: ${JSON.stringify(parts.join(''))} } ] }`);
      expect(!(await loads(text)) || fitsJsonSchema(text)).toBe(true);
    }),
  );
});

test('a keyword that the tests do not understand is told', () => {
  expect(() => fitsSchema({ rules: [] }, { ...JSON.parse(policyJsonSchema()), minProperties: 1 })).toThrow(
    'minProperties',
  );
});

test('an included file is a whole policy or rules alone', async () => {
  const including = 'policy: p\nversion: 1\ninclude: [part.yaml]\nrules: []\n';
  for (const [head, problems] of [
    ['', []],
    ['policy: q\nversion: 2\n', []],
    ['policy: q\n', ['part.yaml:1: (file): needs both policy and version, or rules alone']],
  ] as const) {
    const part = `${head}rules: []\n`;
    const files = { 'policy.yaml': including, 'part.yaml': part };
    expect(await withPolicyFolder(files, (_, load) => problemsOf(load))).toEqual(problems);
    expect(fitsJsonSchema(part)).toBe(problems.length === 0);
  }
});

import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isGranted, type RuleFacts, readRules } from '../xml/common-policy.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { namespaces } from '../xml/names.ts';
import { readXml } from '../xml/xml-document.ts';
import { applyRules, blueByThread, groupDocument } from './policy.testkit.ts';

type User = readonly [identity: string, isLead: boolean];
const listable: readonly User[] = [
  ['sip:lead@blue.example', true],
  ['sip:omar@blue.example', false],
  ['sip:gone@blue.example', false],
  ['sip:ines@red.example', true],
  ['sip:guest@red.example', false],
  ['tel:+491', false],
];
const identities = [
  ...listable.map(([identity]) => identity),
  'sip:other@blue.example',
  'sip:other@red.example',
  'sip:x@green.example',
  'tel:+492',
];

const id = fc.constantFrom(...identities);
const domain = fc.constantFrom('blue.example', 'red.example', 'green.example');
const except = fc.oneof(
  id.map((one) => `<cp:except id="${one}"/>`),
  domain.map((one) => `<cp:except domain="${one}"/>`),
);
const excepts = fc.array(except, { maxLength: 2 }).map((all) => all.join(''));
const matcher = fc.oneof(
  id.map((one) => `<cp:one id="${one}"/>`),
  excepts.map((out) => `<cp:many>${out}</cp:many>`),
  fc.tuple(domain, excepts).map(([one, out]) => `<cp:many domain="${one}">${out}</cp:many>`),
);
const identity = fc
  .array(matcher, { minLength: 1, maxLength: 3 })
  .map((matchers) => `<cp:identity>${matchers.join('')}</cp:identity>`);
const period = '<cp:from>1970-01-01T00:00:00Z</cp:from><cp:until>2100-01-01T00:00:00Z</cp:until>';
const condition = fc.oneof(
  { weight: 4, arbitrary: identity },
  { weight: 2, arbitrary: fc.constant('<is-list-member/>') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '<ocp:other-identity/>',
      '<ocp:anonymous-request/>',
      '<cp:sphere value="work"/>',
      `<cp:validity>${period}</cp:validity>`,
      '<m:unknown/>',
    ),
  },
);
const rule = fc
  .tuple(fc.array(condition, { maxLength: 2 }), fc.subarray(['changed', 'other']))
  .map(([conditions, actions]) => {
    const when = conditions.length === 0 ? '' : `<cp:conditions>${conditions.join('')}</cp:conditions>`;
    const then = actions.map((name) => `<m:${name}>true</m:${name}>`).join('');
    return `${when}<cp:actions>${then}</cp:actions>`;
  });
const list = fc.subarray([...listable]);

interface Whom {
  readonly for: string;
  readonly has: (identity: string, isLead: boolean) => boolean;
}
const isServed = (identity: string): boolean => blueByThread.isServed(identity);
const whom: readonly Whom[] = [
  { for: '{ domain: blue.example }', has: (user) => user.endsWith('@blue.example') },
  { for: '{ domain: red.example }', has: (user) => user.endsWith('@red.example') },
  { for: '{ served: true }', has: isServed },
  { for: '{ served: true, domain: red.example }', has: (user) => isServed(user) && user.endsWith('@red.example') },
  { for: '{ served: true, except: team lead }', has: (user, isLead) => isServed(user) && !isLead },
  { for: '{ participantType: team lead }', has: (_, isLead) => isLead },
  {
    for: '{ domain: blue.example, except: team lead }',
    has: (user, isLead) => user.endsWith('@blue.example') && !isLead,
  },
  {
    for: '{ domain: blue.example, participantType: team lead }',
    has: (user, isLead) => user.endsWith('@blue.example') && isLead,
  },
  { for: '{ uri: "sip:o*" }', has: (user) => user.startsWith('sip:o') },
];

function documentOf(members: readonly User[], rules: readonly string[]): string {
  const type = '<m:participant-type>Team Lead</m:participant-type>';
  const entries = members.map(([user, isLead]) => `<entry uri="${user}">${isLead ? type : ''}</entry>`).join('');
  const ruleset = rules.map((content, number) => `<cp:rule id="r${number}">${content}</cp:rule>`).join('');
  return groupDocument(`<list>${entries}</list><cp:ruleset>${ruleset}</cp:ruleset>`);
}

function rulesOf(text: string): readonly RuleFacts[] {
  const index = readXml(Buffer.from(text), defaultXmlLimits);
  return [...index.descendants(index.root)]
    .filter((element) => index.is(element, namespaces.commonPolicy, 'ruleset'))
    .flatMap((ruleset) => readRules(index, ruleset));
}

async function effects(members: readonly User[], rules: readonly string[], { for: who, has }: Whom, kind: string) {
  const document = documentOf(members, rules);
  const derived = await applyRules([`permissions: { for: ${who}, ${kind}: [changed] }`], document, blueByThread).catch(
    () => undefined,
  );
  if (derived === undefined) return { refused: true, is: [], wanted: [] };
  const before = rulesOf(document);
  const after = rulesOf(derived.text);
  const is: string[] = [];
  const wanted: string[] = [];
  for (const user of ['', ...identities]) {
    const member = members.find(([listed]) => listed === user);
    for (const sphere of [undefined, 'work']) {
      const caller = { identities: user === '' ? [] : [user], isListMember: member !== undefined, now: 1e12, sphere };
      for (const action of ['changed', 'other']) {
        const name = `${user} ${action} ${sphere}`;
        const had = isGranted(before, caller, namespaces.mcpttGroupInfo, action);
        const concerned = action === 'changed' && user !== '' && has(user, member?.[1] === true);
        const gains = concerned && kind === 'allow' && member !== undefined;
        if (gains || (had && !(concerned && kind === 'deny'))) wanted.push(name);
        if (isGranted(after, caller, namespaces.mcpttGroupInfo, action)) is.push(name);
      }
    }
  }
  return { refused: false, is, wanted };
}

test('RFC 4745 10: whatever the rules, permissions changes exactly the rights that it names, or refuses', async () => {
  let done = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      list,
      fc.array(rule, { minLength: 1, maxLength: 4 }),
      fc.constantFrom(...whom),
      fc.constantFrom('deny', 'allow'),
      async (members, rules, who, kind) => {
        const { refused: isRefused, is, wanted } = await effects(members, rules, who, kind);
        expect(is).toEqual(wanted);
        if (isRefused) refused++;
        else done++;
      },
    ),
    { numRuns: 300 },
  );
  expect(done).toBeGreaterThan(refused);
});

const served: Whom = { for: '{ served: true }', has: isServed };

test('served guests and absent users are told apart in grants to whole domains, also when the list does not name them', async () => {
  for (const one of ['blue.example', 'red.example']) {
    const grant = `<cp:conditions><cp:identity><cp:many domain="${one}"/></cp:identity></cp:conditions><cp:actions><m:changed>true</m:changed></cp:actions>`;
    const { refused, is, wanted } = await effects([], [grant], served, 'deny');
    expect({ refused, is }).toEqual({ refused: false, is: wanted });
    expect(wanted.some((name) => name.startsWith(one === 'blue.example' ? 'sip:gone' : 'sip:other'))).toBe(true);
  }
});

test('what a rule knows of users does not depend on the thread that it runs in', async () => {
  const grant =
    '<cp:conditions><cp:identity><cp:many domain="blue.example"/></cp:identity></cp:conditions><cp:actions><m:changed>true</m:changed></cp:actions>';
  const small = documentOf([], [grant]);
  const large = small.replace('<list>', `<list><!-- ${'x'.repeat(70_000)} -->`);
  const rules = ['permissions: { for: { served: true }, deny: [changed] }'];
  const { text } = await applyRules(rules, small, blueByThread);
  expect((await applyRules(rules, large, blueByThread)).text.replace(/<!-- x* -->/, '')).toBe(text);
});

test('a rule for everybody is not split where those who keep the right cannot be named', async () => {
  const everybody = '<cp:actions><m:changed>true</m:changed></cp:actions>';
  expect(await effects(listable, [everybody], served, 'deny')).toMatchObject({ refused: true });
});

test('a rule for members who are named nowhere else is not split, and no other names them', async () => {
  const others =
    '<cp:conditions><ocp:other-identity/><is-list-member/></cp:conditions><cp:actions><m:changed>true</m:changed><m:other>true</m:other></cp:actions>';
  for (const kind of ['deny', 'allow']) {
    expect(await effects(listable, [others], { for: '{ domain: blue.example }', has: () => true }, kind)).toMatchObject(
      {
        refused: true,
      },
    );
  }
});

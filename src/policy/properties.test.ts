// Properties of policies over many documents: what a rule does not name stays, identity rules leave nobody behind, the same input gives
// the same output.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalUri, uriDomain } from '../identity/uri.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { readXml } from '../xml/xml-document.ts';
import { identityPositions } from './identity-positions.ts';
import { applyRules, blue, groupDocument, policyText, withPolicyFolder } from './policy.testkit.ts';

const domains = ['red.example', 'blue.example', 'green.example'];
const spelling = fc.constantFrom(
  (user: string, domain: string) => `sip:${user}@${domain}`,
  (user: string, domain: string) => `SIP:${user}@${domain.toUpperCase()}`,
  (user: string, domain: string) => `sips:${user}@${domain}`,
  (user: string, domain: string) => `sip:%${user.charCodeAt(0).toString(16)}${user.slice(1)}@${domain};user=phone`,
);
const identity = fc
  .tuple(spelling, fc.constantFrom('ines', 'omar', 'x-7', 'a.b'), fc.constantFrom(...domains))
  .map(([write, user, domain]) => write(user, domain));
const type = fc.constantFrom('', 'dispatcher', ' Dispatcher ', 'medic');
const blank = fc.constantFrom('', ' ', '\n      ', '<!-- sip:ines@red.example -->', '<?x y?>');
const unknown = fc.constantFrom(
  '',
  '<m:later xmlns:q="urn:q" q:a="sip:ines@red.example">kept &amp; <![CDATA[<raw>]]></m:later>',
  '<op:x xmlns:op="urn:op"/>',
);

const entry = fc
  .tuple(identity, type, fc.option(identity), unknown, blank)
  .map(
    ([uri, category, second, extra, space]) =>
      `${space}<entry uri='${uri}'>${category === '' ? '' : `<m:participant-type>${category}</m:participant-type>`}${second === null ? '' : `<m:mcdata-mcdata-id uri="${second}"/>`}${extra}</entry>`,
  );
const except = fc.oneof(
  identity.map((id) => `<cp:except id="${id}"/>`),
  fc.constantFrom(...domains).map((domain) => `<cp:except domain="${domain}"/>`),
);
const matcher = fc.oneof(
  identity.map((id) => `<cp:one id="${id}"/>`),
  fc
    .tuple(fc.constantFrom(...domains), fc.array(except, { maxLength: 2 }))
    .map(([domain, excepts]) => `<cp:many domain="${domain}">${excepts.join('')}</cp:many>`),
  fc.array(except, { maxLength: 2 }).map((excepts) => `<cp:many>${excepts.join('')}</cp:many>`),
);
const rule = fc
  .tuple(fc.array(matcher, { minLength: 1, maxLength: 3 }), fc.boolean(), blank)
  .map(
    ([matchers, isMember, space]) =>
      `${space}<cp:conditions>${isMember ? '<is-list-member/>' : ''}<cp:identity>${matchers.join('')}</cp:identity></cp:conditions><cp:actions><m:allow-MCPTT-emergency-call>true</m:allow-MCPTT-emergency-call><join-handling>true</join-handling></cp:actions>`,
  );
const document = fc
  .tuple(fc.array(entry, { maxLength: 5 }), fc.array(rule, { maxLength: 3 }), unknown, fc.integer({ min: 0, max: 7 }))
  .map(([entries, rules, extra, priority]) =>
    groupDocument(
      `    <list>${entries.join('')}</list>\n    <cp:ruleset>${rules.map((one, n) => `<cp:rule id="r${n}">${one}</cp:rule>`).join('')}</cp:ruleset>\n    <m:owner>sip:ines@red.example</m:owner>${extra}\n    <m:on-network-group-priority>${priority}</m:on-network-group-priority>`,
    ),
  );

/** Every identity and domain of a document, canonical. */
function named(text: string): { readonly identities: readonly string[]; readonly domains: readonly string[] } {
  const index = readXml(Buffer.from(text), defaultXmlLimits);
  const { users, manys } = identityPositions(index, false);
  const excepts = manys.flatMap((many) => many.excepts);
  const ids = [...users.map(({ attribute }) => attribute), ...excepts.map(({ id }) => id)];
  const all = [...manys.map(({ domain }) => domain), ...excepts.map(({ domain }) => domain)];
  return {
    identities: ids.flatMap((one) => (one === undefined ? [] : [canonicalUri(one.value) ?? one.value])),
    domains: all.flatMap((one) => (one === undefined ? [] : [one.value.toLowerCase()])),
  };
}

const runs = { numRuns: 150 };

describe('identity rules leave nobody of the domain behind', () => {
  test('rewrite', async () => {
    const moved =
      'rewrite: { identities: true, pattern: "^(sips?:.*)@red\\\\.example(;.*)?$", with: "$1@new.example$2" }';
    await fc.assert(
      fc.asyncProperty(document, async (source) => {
        const { text } = await applyRules([moved], source);
        const { identities, domains: left } = named(text);
        expect(identities.map((one) => uriDomain(one))).not.toContain('red.example');
        expect(left).not.toContain('red.example');
        expect(identities).toHaveLength(named(source).identities.length);
      }),
      runs,
    );
  });

  test('pseudonym, and those who keep their names keep them everywhere', async () => {
    const withheld = 'pseudonym: { members: { domain: red.example, except: dispatcher }, into: hidden.example }';
    await withPolicyFolder(
      { 'policy.yaml': policyText([withheld]), 'pseudonym.key': 'a key for the properties' },
      async (_, load) => {
        const policy = await load();
        await fc.assert(
          fc.asyncProperty(document, async (source) => {
            const text = Buffer.from((await policy.apply(Buffer.from(source), blue)).bytes).toString();
            const before = named(source);
            const after = named(text);
            const kept = new Set(
              [
                ...source.matchAll(
                  /<entry uri='([^']*)'><m:participant-type> ?dispatcher ?<\/m:participant-type>(?:<m:mcdata-mcdata-id uri="([^"]*)")?/gi,
                ),
              ]
                .flatMap(([, one, other]) => [one, other])
                .map((one) => canonicalUri(one ?? '')),
            );
            for (const one of after.identities) if (uriDomain(one) === 'red.example') expect(kept).toContain(one);
            for (const one of kept) if (one !== undefined) expect(after.identities).toContain(one);
            if (![...kept].some((one) => uriDomain(one ?? '') === 'red.example'))
              expect(after.domains).not.toContain('red.example');
            for (const one of before.identities)
              if (uriDomain(one) !== 'red.example') expect(after.identities).toContain(one);
          }),
          runs,
        );
      },
    );
  });

  test('members', async () => {
    await fc.assert(
      fc.asyncProperty(document, async (source) => {
        const { text } = await applyRules(['members: { keep: [ { domain: blue.example } ] }'], source);
        const index = readXml(Buffer.from(text), defaultXmlLimits);
        const { users } = identityPositions(index, false);
        for (const { attribute } of users) expect(uriDomain(canonicalUri(attribute.value) ?? '')).toBe('blue.example');
      }),
      runs,
    );
  });
});

const anyRule = fc.constantFrom(
  'clamp: { priority: [mcptt], min: 2, max: 5 }',
  'members: { keep: [ { served: true }, { participantType: dispatcher } ] }',
  'set: { select: //mcpttgi:owner, value: Red }',
  'remove: { select: //mcpttgi:participant-type }',
  'insert: { into: /g:group/g:list-service, element: "<mcpttgi:level-within-group-hierarchy>1</mcpttgi:level-within-group-hierarchy>" }',
  'rename: { select: //mcpttgi:participant-type, to: mcpttgi:category }',
  'map: { select: //mcpttgi:on-network-group-priority, ranges: { 0-7: 0-255 }, otherwise: keep }',
  'rewrite: { identities: true, pattern: "@red\\\\.example", with: "@new.example" }',
  'permissions: { for: { domain: blue.example }, deny: [allow-MCPTT-emergency-call] }',
  'areas: { drop: true }',
);

describe('rules never touch what they do not name', () => {
  test('comments, processing instructions, unknown elements and what stands before and behind the group stay, byte for byte', async () => {
    const untouched = /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<m:later[\s\S]*?<\/m:later>|<op:x[^>]*>/g;
    const keeping = anyRule.filter((one) => !one.startsWith('members'));
    await fc.assert(
      fc.asyncProperty(document, fc.array(keeping, { minLength: 1, maxLength: 4 }), async (source, rules) => {
        const text = await applied(source, rules);
        if (text === undefined) return;
        expect(text.match(untouched)).toEqual(source.match(untouched));
      }),
      runs,
    );
  });

  test('all bytes outside of the changes recorded stay as they are, in their order', async () => {
    await fc.assert(
      fc.asyncProperty(document, anyRule, async (source, rule) => {
        const derivation = await derived(source, [rule]);
        if (derivation === undefined) return;
        const text = Buffer.from(derivation.bytes).toString();
        const sizes = derivation.applied.flatMap(({ changes }) => changes);
        // What was taken and what was put account for every byte that is not as it was, white space aside.
        const squeezed = (one: string): number => one.replace(/\s+/g, '').length;
        const sum = (side: 'before' | 'after'): number =>
          sizes.reduce((all, change) => all + squeezed(change[side] ?? ''), 0);
        const endTags = rule.startsWith('rename') ? sizes.length * ('category'.length - 'participant-type'.length) : 0;
        expect(squeezed(text) - squeezed(source)).toBe(sum('after') - sum('before') + endTags);
        if (derivation.applied.length === 0) expect(text).toBe(source);
      }),
      runs,
    );
  });
});

test('a derivation is a pure function of source and policy', async () => {
  await fc.assert(
    fc.asyncProperty(document, fc.array(anyRule, { minLength: 1, maxLength: 4 }), async (source, rules) => {
      const one = await derived(source, rules);
      const bytes = Buffer.from(source);
      const other = await derived(source, rules);
      expect(other).toEqual(one);
      expect(bytes.toString()).toBe(source);
    }),
    runs,
  );
});

type Derived = Awaited<ReturnType<typeof applyRules>>['derivation'];

/** What rules make of a document; undefined when one refuses it. */
async function derived(source: string, rules: readonly string[]): Promise<Derived | undefined> {
  try {
    return (await applyRules(rules, source)).derivation;
  } catch (error) {
    expect((error as { readonly code?: string }).code).toBe('constraint-failure');
    return undefined;
  }
}

async function applied(source: string, rules: readonly string[]): Promise<string | undefined> {
  const derivation = await derived(source, rules);
  return derivation === undefined ? undefined : Buffer.from(derivation.bytes).toString();
}

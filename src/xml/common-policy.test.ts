import { describe, expect, test } from '@jest/globals';
import { grantedActions, isGranted, type RuleCaller, readRules } from './common-policy.ts';
import { readGroup } from './group-document.ts';
import { groupOf, serviceOf } from './group-samples.testkit.ts';
import { defaultXmlLimits } from './limits.ts';
import { namespaces } from './names.ts';
import { readXml } from './xml-document.ts';

const anna: RuleCaller = {
  identities: ['sip:anna@red.example', 'sip:anna.video@red.example'],
  isListMember: false,
  now: 0,
};

function rulesOf(ruleset: string) {
  return (
    readGroup(readXml(serviceOf(`<cp:ruleset>${ruleset}</cp:ruleset>`), defaultXmlLimits)).listServices[0]?.rules ?? []
  );
}
const granting =
  '<cp:actions><m:on-network-allow-getting-member-list>true</m:on-network-allow-getting-member-list></cp:actions>';
const mayRead = (ruleset: string, caller: RuleCaller): boolean =>
  isGranted(rulesOf(ruleset), caller, namespaces.mcpttGroupInfo, 'on-network-allow-getting-member-list');
const rule = (conditions: string, id = 'r'): string => `<cp:rule id="${id}">${conditions}${granting}</cp:rule>`;
const when = (...conditions: string[]): string => rule(`<cp:conditions>${conditions.join('')}</cp:conditions>`);
const identity = (content: string): string => `<cp:identity>${content}</cp:identity>`;
const member = { ...anna, isListMember: true };
const nobody: RuleCaller = { identities: [], isListMember: false, now: 0 };
const at = (time: string): RuleCaller => ({ ...anna, now: Date.parse(time) });

describe('rules of a group document', () => {
  test.each<[string, string, RuleCaller, boolean]>([
    ['no rules', '', anna, false],
    ['no conditions', rule(''), nobody, true],
    ['empty conditions', rule('<cp:conditions/>'), nobody, true],
    ['list member', when('<is-list-member/>'), member, true],
    ['no list member', when('<is-list-member/>'), anna, false],
    ['one', when(identity('<cp:one id="sip:anna@red.example"/>')), anna, true],
    ['one, written otherwise', when(identity('<cp:one id="SIP:%61nna@RED.example"/>')), anna, true],
    ['one by another identity of the caller', when(identity('<cp:one id="sip:anna.video@red.example"/>')), anna, true],
    ['one, somebody else', when(identity('<cp:one id="sip:bert@red.example"/>')), anna, false],
    ['one that is no URI', when(identity('<cp:one id="anna"/>')), anna, false],
    [
      'two ones combine by OR',
      when(identity('<cp:one id="sip:bert@red.example"/><cp:one id="sip:anna@red.example"/>')),
      anna,
      true,
    ],
    ['many', when(identity('<cp:many/>')), anna, true],
    ['many needs an authenticated caller', when(identity('<cp:many/>')), nobody, false],
    ['many of the domain', when(identity('<cp:many domain="red.example"/>')), anna, true],
    ['domain in other case and percent-encoded', when(identity('<cp:many domain="R%65D.Example"/>')), anna, true],
    ['many of another domain', when(identity('<cp:many domain="blue.example"/>')), anna, false],
    ['subdomain is another domain', when(identity('<cp:many domain="example"/>')), anna, false],
    ['empty domain', when(identity('<cp:many domain=""/>')), anna, false],
    ['domain that cannot be converted', when(identity('<cp:many domain="%zz"/>')), anna, false],
    [
      'internationalised domain',
      when(identity('<cp:many domain="bücher.example"/>')),
      { ...anna, identities: ['sip:a@xn--bcher-kva.example'] },
      true,
    ],
    [
      'domain of a URI with a port',
      when(identity('<cp:many domain="red.example"/>')),
      { ...anna, identities: ['sip:a@red.example:5070'] },
      true,
    ],
    [
      'tel: has no domain',
      when(identity('<cp:many domain="red.example"/>')),
      { ...anna, identities: ['tel:+49301'] },
      false,
    ],
    ['except the caller', when(identity('<cp:many><cp:except id="sip:anna@red.example"/></cp:many>')), anna, false],
    [
      'except another identity of the caller',
      when(identity('<cp:many domain="red.example"><cp:except id="sip:anna.video@red.example"/></cp:many>')),
      anna,
      false,
    ],
    ['except the domain', when(identity('<cp:many><cp:except domain="red.example"/></cp:many>')), anna, false],
    [
      'excepts combine by OR',
      when(identity('<cp:many><cp:except id="sip:x@y.example"/><cp:except domain="red.example"/></cp:many>')),
      anna,
      false,
    ],
    ['except somebody else', when(identity('<cp:many><cp:except id="sip:bert@red.example"/></cp:many>')), anna, true],
    [
      'excepted in one matcher, named in another',
      when(identity('<cp:many><cp:except id="sip:anna@red.example"/></cp:many><cp:one id="sip:anna@red.example"/>')),
      anna,
      true,
    ],
    ['except that says nothing excludes all', when(identity('<cp:many><cp:except/></cp:many>')), anna, false],
    ['unknown restriction of many', when(identity('<cp:many><x:only-on-duty/></cp:many>')), anna, false],
    ['unknown matcher', when(identity('<x:anybody/>')), anna, false],
    ['conditions combine by AND', when('<is-list-member/>', identity('<cp:many domain="red.example"/>')), anna, false],
    [
      'conditions combine by AND, all true',
      when('<is-list-member/>', identity('<cp:many domain="red.example"/>')),
      member,
      true,
    ],
    ['unknown condition', when('<x:full-moon/>'), member, false],
    ['unknown condition beside a true one', when('<is-list-member/>', '<x:full-moon/>'), member, false],
    ['is-list-member of another namespace', when('<x:is-list-member/>'), member, false],
    ['external list', when('<ocp:external-list><ocp:entry anc="http://a/"/></ocp:external-list>'), anna, false],
    ['anonymous', when('<ocp:anonymous-request/>'), nobody, true],
    ['anonymous, but authenticated', when('<ocp:anonymous-request/>'), anna, false],
    ['other identity', when('<ocp:other-identity/>'), anna, true],
    ['other identity needs an identity', when('<ocp:other-identity/>'), nobody, false],
    [
      'other identity, named elsewhere',
      `${when('<ocp:other-identity/>')}<cp:rule id="s"><cp:conditions>${identity('<cp:one id="sip:anna@red.example"/>')}</cp:conditions></cp:rule>`,
      anna,
      false,
    ],
    [
      'other identity, member elsewhere',
      `${when('<ocp:other-identity/>')}<cp:rule id="s"><cp:conditions><is-list-member/></cp:conditions></cp:rule>`,
      member,
      false,
    ],
    [
      'other identity, no member',
      `${when('<ocp:other-identity/>')}<cp:rule id="s"><cp:conditions><is-list-member/></cp:conditions></cp:rule>`,
      anna,
      true,
    ],
    [
      'other identity beside a list that cannot be resolved',
      `${when('<ocp:other-identity/>')}<cp:rule id="s"><cp:conditions><ocp:external-list/></cp:conditions></cp:rule>`,
      anna,
      false,
    ],
    ['sphere unknown', when('<cp:sphere value="work"/>'), anna, false],
    ['sphere, one of two, case ignored', when('<cp:sphere value="home WORK"/>'), { ...anna, sphere: 'work' }, true],
    ['sphere, another', when('<cp:sphere value="home"/>'), { ...anna, sphere: 'work' }, false],
    [
      'valid',
      when(
        '<cp:validity><cp:from>2026-01-01T00:00:00Z</cp:from><cp:until>2026-02-01T00:00:00+01:00</cp:until></cp:validity>',
      ),
      at('2026-01-01T00:00:00Z'),
      true,
    ],
    [
      'not valid any more',
      when(
        '<cp:validity><cp:from>2026-01-01T00:00:00Z</cp:from><cp:until>2026-02-01T00:00:00+01:00</cp:until></cp:validity>',
      ),
      at('2026-01-31T23:00:00Z'),
      false,
    ],
    [
      'valid in the second period',
      when(
        '<cp:validity><cp:from>2020-01-01T00:00:00Z</cp:from><cp:until>2020-02-01T00:00:00Z</cp:until><cp:from>2026-01-01T00:00:00Z</cp:from><cp:until>2026-02-01T00:00:00Z</cp:until></cp:validity>',
      ),
      at('2026-01-15T00:00:00Z'),
      true,
    ],
  ])('RFC 4745 7: %s', (_, ruleset, caller, wanted) => {
    expect(mayRead(ruleset, caller)).toBe(wanted);
  });

  test('RFC 4745 10.2: booleans combine by OR over all applying rules, whatever their order', () => {
    const denying =
      '<cp:rule id="d"><cp:actions><m:on-network-allow-getting-member-list>false</m:on-network-allow-getting-member-list></cp:actions></cp:rule>';
    expect(mayRead(`${denying}${rule('')}`, anna)).toBe(true);
    expect(mayRead(`${rule('')}${denying}`, anna)).toBe(true);
    expect(mayRead(denying, anna)).toBe(false);
  });

  test('xs:boolean: 1 and true grant, 0 and false do not; names are case-sensitive', () => {
    const rules = rulesOf(
      '<cp:rule id="a"><cp:actions><allow-initiate-conference> 1\n</allow-initiate-conference><join-handling>0</join-handling>' +
        '<m:allow-MCPTT-emergency-call>true</m:allow-MCPTT-emergency-call><m:allow-imminent-peril-call>false</m:allow-imminent-peril-call></cp:actions></cp:rule>',
    );
    expect(grantedActions(rules, nobody).map((action) => action.localName)).toEqual([
      'allow-initiate-conference',
      'allow-MCPTT-emergency-call',
    ]);
    expect(isGranted(rules, nobody, namespaces.mcpttGroupInfo, 'allow-mcptt-emergency-call')).toBe(false);
    expect(isGranted(rules, nobody, namespaces.listService, 'allow-MCPTT-emergency-call')).toBe(false);
  });

  test('a ruleset outside a list-service can be read by itself', () => {
    const index = readXml(
      groupOf('<list-service uri="a"/><cp:ruleset><cp:rule id="x"/></cp:ruleset>'),
      defaultXmlLimits,
    );
    expect(readRules(index, 2)).toEqual([{ element: 3, id: 'x', conditions: [], actions: [] }]);
  });
});

import { expect, test } from '@jest/globals';
import { explain } from './explain.ts';
import { applyRules, groupDocument } from './policy.testkit.ts';

test('the printed diff names the rule behind each change', async () => {
  const document = groupDocument(
    '    <list>\n      <entry uri="sip:a@red.example">\n        <m:user-priority>3</m:user-priority>\n      </entry>\n    </list>\n    <m:on-network-group-priority>190</m:on-network-group-priority>',
  );
  const rules = ['clamp: { priority: [mcptt], max: 100 }', 'members: { keep: [ { served: true } ] }'];
  const { derivation } = await applyRules(rules, document);
  expect(explain(derivation, document)).toBe(
    `${Buffer.byteLength(document)} -> ${derivation.bytes.byteLength} bytes
rule "rule 1" (clamp): 1 change
  @ group/list-service/on-network-group-priority
  - <m:on-network-group-priority>190</m:on-network-group-priority>
  + <m:on-network-group-priority>100</m:on-network-group-priority>
rule "rule 2" (members): 1 change
  @ group/list-service/list/entry
  - <entry uri="sip:a@red.example">
  -   <m:user-priority>3</m:user-priority>
  - </entry>
`,
  );
});

test('a policy that changed nothing says so', async () => {
  const document = groupDocument('');
  const { derivation } = await applyRules(['members: { keep: [ { served: true } ] }'], document);
  expect(explain(derivation, document)).toBe('no rule changed anything\n');
});

import { afterAll, describe, expect, test } from '@jest/globals';
import { blueByThread, groupDocument, policyText, problemsOf, withPolicyFolder } from './policy.testkit.ts';
import { PolicyWorkers } from './policy-workers.ts';

const workers = new PolicyWorkers({ threads: 1 });
const hasty = new PolicyWorkers({ threads: 1, budget: 1500, memory: 128 });
const bare = new PolicyWorkers({ threads: 1, saxon: 'saxon-js-that-nobody-installed' });
afterAll(async () => {
  await Promise.all([workers.close(), hasty.close(), bare.close()]);
});

const namespaces = `xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:xs="http://www.w3.org/2001/XMLSchema"
  xmlns:g="urn:oma:xml:poc:list-service" xmlns:m="urn:3gpp:ns:mcpttGroupInfo:1.0"
  xmlns:fn="http://www.w3.org/2005/xpath-functions" xmlns:map="http://www.w3.org/2005/xpath-functions/map"`;
const sheet = (content: string, more = ''): string =>
  `<xsl:stylesheet version="3.0" ${namespaces} ${more} exclude-result-prefixes="#all">\n<xsl:mode on-no-match="shallow-copy"/>\n${content}\n</xsl:stylesheet>\n`;
const at = (content: string): string => sheet(`<xsl:template match="m:owner">${content}</xsl:template>`);
const select = (expression: string): string => at(`<m:owner><xsl:value-of select="${expression}"/></m:owner>`);

function folder(xslt: string, flag = ''): Readonly<Record<string, string>> {
  return { 'policy.yaml': policyText([`${flag}stylesheet: local.xsl`]), 'local.xsl': xslt };
}

async function run(xslt: string, document: string, flag = ''): Promise<string> {
  return withPolicyFolder(
    folder(xslt, flag),
    async (_, load) => {
      const { bytes } = await (await load()).apply(Buffer.from(document), blueByThread);
      return Buffer.from(bytes).toString();
    },
    () => workers,
  );
}

const document = groupDocument('    <m:owner>Red</m:owner>\n    <m:protect-media>true</m:protect-media>');

describe('a stylesheet is real XSLT', () => {
  test('templates, functions, modes, parameters of the rule', async () => {
    const xslt = sheet(
      `<xsl:param name="groupId"/><xsl:param name="partner"/>
       <xsl:function name="f:shout" xmlns:f="urn:example:own"><xsl:param name="text"/><xsl:sequence select="upper-case($text) => concat('!')"/></xsl:function>
       <xsl:template match="m:owner" xmlns:f="urn:example:own" expand-text="yes"><m:owner>{f:shout(.)} {$partner} {map:size(map { 1: 2 })} {for-each(('a', 'b'), f:shout#1)} {$groupId}</m:owner></xsl:template>`,
    );
    const text = await run(xslt, document);
    expect(text).toMatch(/<m:owner[^>]*>RED! red 1 A! B! sip:g@red.example<\/m:owner>/);
  });

  test('the same input gives the same output', async () => {
    const xslt = select('generate-id(.) = generate-id(/descendant::m:owner), count(//*)');
    expect(await run(xslt, document)).toBe(await run(xslt, document));
  });

  test('a stylesheet that leaves everything as it was changes no byte', async () => {
    expect(await run(sheet(''), document)).toBe(document);
    const odd = document.replace('<m:owner>Red<', "<m:owner  a = 'x' ><![CDATA[Red]]><");
    expect(await run(sheet(''), odd)).toBe(odd);
  });

  test('what binds both systems stays unless the rule says endToEnd', async () => {
    const xslt = sheet('<xsl:template match="m:protect-media"><m:protect-media>false</m:protect-media></xsl:template>');
    await expect(run(xslt, document)).rejects.toMatchObject({
      code: 'constraint-failure',
      message: expect.stringContaining('protect-media binds both systems') as unknown,
    });
    expect(await run(xslt, document, 'endToEnd: true, ')).toContain('<m:protect-media>false<');
  });

  test('what it says with xsl:message terminate refuses the document', async () => {
    const xslt = at('<xsl:message terminate="yes">no owner wanted</xsl:message>');
    await expect(run(xslt, document)).rejects.toMatchObject({
      code: 'constraint-failure',
      message: expect.stringContaining('The policy rule "rule 1": the stylesheet fails') as unknown,
    });
  });

  test.each([
    ['no XML at all', '<xsl:output method="text"/>', /not a well-formed|markup|not-well-formed/],
    ['another encoding', '<xsl:output encoding="UTF-16"/>', /UTF-8/],
    ['a document type', '<xsl:output doctype-system="x.dtd"/>', /document type/],
  ])('a result that is %s is refused', async (_name, output, message) => {
    await expect(run(sheet(output), document)).rejects.toMatchObject({
      code: 'constraint-failure',
      message: expect.stringMatching(message) as unknown,
    });
  });
});

describe('a stylesheet sees nothing but its input: refused when it is loaded', () => {
  const reads: readonly (readonly [string, string])[] = [
    ['doc()', select("doc('file:///etc/passwd')")],
    ['doc() under another prefix', select("x:doc('a')").replace('xmlns:fn=', 'xmlns:x=')],
    ['doc() by its full name', select("Q{http://www.w3.org/2005/xpath-functions}doc('a')")],
    ['doc() behind a comment', select("doc(: :)('a')")],
    ['doc() behind an arrow', select("'a' => doc()")],
    ['doc() by reference', select("for-each('a', doc#1)")],
    ['doc() by partial application', select("doc(?)('a')")],
    ['doc() spelt with character references', select("d&#111;c('a')")],
    ['doc() in an attribute value template', at(`<m:owner x="{doc('a')}"/>`)],
    ['doc() in a text value template', at(`<m:owner xsl:expand-text="yes">{doc('a')}</m:owner>`)],
    ['doc() in a pattern', sheet(`<xsl:template match="doc('a')//x"/>`)],
    ['doc() in a sort key', at(`<xsl:for-each select="*"><xsl:sort select="doc('a')"/></xsl:for-each>`)],
    ['doc() in a key', sheet(`<xsl:key name="k" match="*" use="doc('a')"/>`)],
    ['doc-available()', select("doc-available('a')")],
    ['document()', select("document('a')")],
    ['collection()', select("collection('a')")],
    ['uri-collection()', select("uri-collection('a')")],
    ['unparsed-text()', select("unparsed-text('file:///etc/passwd')")],
    ['unparsed-text-lines()', select("unparsed-text-lines('a')")],
    ['unparsed-text-available()', select("unparsed-text-available('a')")],
    ['json-doc()', select("json-doc('a')")],
    ['environment-variable()', select("environment-variable('PATH')")],
    ['available-environment-variables()', select('available-environment-variables()')],
    ['system-property()', select("system-property('xsl:vendor')")],
    ['static-base-uri()', select('static-base-uri()')],
    ['transform()', select("transform(map { 'stylesheet-text': 'x' })")],
    ['load-xquery-module()', select("load-xquery-module('a')")],
    ['function-lookup()', select("function-lookup(xs:QName('fn:doc'), 1)('a')")],
    ['parse-xml()', select("parse-xml('x')")],
    ['current-dateTime()', select('current-dateTime()')],
    ['random-number-generator()', select('random-number-generator()?number')],
    ['trace()', select("trace('a')")],
    ['xsl:import', sheet('').replace('<xsl:mode', '<xsl:import href="file:///etc/passwd"/><xsl:mode')],
    ['xsl:include', sheet('<xsl:include href="other.xsl"/>')],
    ['xsl:use-package', sheet('<xsl:use-package name="urn:x"/>')],
    ['xsl:evaluate', at(`<xsl:evaluate xpath="concat('do', 'c(1)')"/>`)],
    ['xsl:result-document', at('<xsl:result-document href="out.xml"><x/></xsl:result-document>')],
    ['xsl:source-document', at('<xsl:source-document href="a"><x/></xsl:source-document>')],
    ['xsl:import under another prefix', sheet('<z:import href="a" xmlns:z="http://www.w3.org/1999/XSL/Transform"/>')],
    ['use-when', sheet(`<xsl:variable name="a" select="1" use-when="doc-available('file:///etc/passwd')"/>`)],
    ['use-when on a literal element', at(`<m:owner xsl:use-when="doc-available('a')"/>`)],
    ['static variables', sheet(`<xsl:variable name="s" static="yes" select="unparsed-text('file:///etc/passwd')"/>`)],
    ['static parameters', sheet(`<xsl:param name="s" static="true" select="1"/>`)],
    ['shadow attributes', at(`<m:owner><xsl:value-of _select="{'doc'}('a')"/></m:owner>`)],
    [
      'js:',
      sheet(
        `<xsl:template match="m:owner"><xsl:value-of select="js:eval('1+1')"/></xsl:template>`,
        'xmlns:js="http://saxonica.com/ns/globalJS"',
      ),
    ],
    ['js: by its full name', select("Q{http://saxonica.com/ns/globalJS}eval('1+1')")],
    ['js: by reference', select('apply(Q{http://saxonica.com/ns/globalJS}eval#1, [1])')],
    [
      'ixsl:',
      sheet(
        '<xsl:template match="m:owner"><i:set-property name="a" select="1"/></xsl:template>',
        'xmlns:i="http://saxonica.com/ns/interactiveXSLT"',
      ),
    ],
    ['ixsl: by its full name', select("Q{http://saxonica.com/ns/interactiveXSLT}eval('1')")],
    ['saxon:', sheet('', 'xmlns:s="http://saxon.sf.net/"')],
    ['extension elements', sheet('', 'xmlns:e="urn:e" extension-element-prefixes="e"')],
    ['a document type', `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>${select("'&e;'")}`],
  ];
  test.each(reads)('%s', async (_name, xslt) => {
    const problems = await withPolicyFolder(
      folder(xslt),
      (_, load) => problemsOf(load),
      () => workers,
    );
    expect(problems).not.toEqual([]);
    expect(problems.join('\n')).toMatch(
      /^(local\.xsl|policy\.yaml):\d+: rules\[0\]\.stylesheet: rule "rule 1": local\.xsl: /,
    );
    expect(problems.join('\n')).toMatch(/not available|no usable XML/);
  });

  test('a problem stands at its line of the stylesheet', async () => {
    const problems = await withPolicyFolder(
      folder(sheet('\n\n<xsl:include href="x"/>')),
      (_, load) => problemsOf(load),
      () => workers,
    );
    expect(problems[0]).toMatch(
      /^local\.xsl:7: rules\[0\]\.stylesheet: rule "rule 1": local\.xsl: xsl:include is not available/,
    );
  });

  test.each([
    ['text that is no XSLT', '<a/>', /must be an xsl:stylesheet/],
    ['unbalanced markup', '<xsl:stylesheet', /no usable XML/],
    ['a fault of XPath', select('1 +'), /cannot be compiled/],
  ])('%s', async (_name, xslt, message) => {
    const problems = await withPolicyFolder(
      folder(xslt),
      (_, load) => problemsOf(load),
      () => workers,
    );
    expect(problems).toEqual([expect.stringMatching(message)]);
  });
});

describe('a stylesheet has limits', () => {
  const limits: readonly (readonly [string, string, RegExp])[] = [
    ['time', select('sum(for $a in 1 to 1000000, $b in 1 to 1000000 return $a * $b)'), /rule "rule 1" takes too long/],
    [
      'recursion',
      sheet('<xsl:template match="m:owner" name="t"><x><xsl:call-template name="t"/></x></xsl:template>'),
      /the stylesheet fails|too much memory|takes too long/,
    ],
    [
      'output',
      select("string-join(for $a in 1 to 2000000 return '0123456789')"),
      /more than 16777216 bytes|too much memory|takes too long/,
    ],
  ];
  test.each(limits)('%s', async (_name, xslt, message) => {
    await withPolicyFolder(
      folder(xslt),
      async (_, load) => {
        const policy = await load();
        await expect(policy.apply(Buffer.from(document), blueByThread)).rejects.toMatchObject({
          code: 'constraint-failure',
          message: expect.stringMatching(message) as unknown,
        });
      },
      () => hasty,
    );
  });
});

test('without the optional package a stylesheet is refused with the command that installs it', async () => {
  const problems = await withPolicyFolder(
    folder(sheet('')),
    (_, load) => problemsOf(load),
    () => bare,
  );
  expect(problems).toEqual([
    'policy.yaml:4: rules[0].stylesheet: rule "rule 1": local.xsl: stylesheets need an optional package: npm install saxon-js@2.7.0',
  ]);
});

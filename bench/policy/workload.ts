// What the policy measurement runs: one agreement as a policy file and as an XSLT 1.0 sheet, and groups of two sizes.

/** Caps priorities, keeps members, takes areas out, renumbers users, adds an element: one rule of each common kind. */
export const policyText = `policy: measured
version: 1
rules:
  - { name: ceiling, clamp: { priority: [mcptt], max: 100 } }
  - { name: members, members: { keep: [ { domain: red.example }, { domain: blue.example } ] } }
  - { name: no areas, areas: { drop: true } }
  - { name: renumbered, rewrite: { identities: true, pattern: "^sip:(.*)@red\\\\.example$", with: "sip:$1@new.example" } }
  - { name: level, insert: { into: /g:group/g:list-service, element: "<mcpttgi:level-within-group-hierarchy>2</mcpttgi:level-within-group-hierarchy>" } }
  - { name: owner, require: { select: //mcpttgi:owner, otherwise: group without owner } }
`;

/** The same as a stylesheet for xsltproc. */
export const sheetText = `<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
  xmlns:g="urn:oma:xml:poc:list-service" xmlns:cp="urn:ietf:params:xml:ns:common-policy" xmlns:m="urn:3gpp:ns:mcpttGroupInfo:1.0">
<xsl:template match="@*|node()"><xsl:copy><xsl:apply-templates select="@*|node()"/></xsl:copy></xsl:template>
<xsl:template match="/g:group/g:list-service/m:on-network-group-priority[. &gt; 100]"><m:on-network-group-priority>100</m:on-network-group-priority></xsl:template>
<xsl:template match="g:entry[not(contains(@uri, '@red.example') or contains(@uri, '@blue.example'))]"/>
<xsl:template match="m:permitted-geographic-area"/>
<xsl:template match="g:entry/@uri[contains(., '@red.example')] | m:mcdata-mcdata-id/@uri[contains(., '@red.example')] | cp:one/@id[contains(., '@red.example')]">
  <xsl:attribute name="{name()}"><xsl:value-of select="concat(substring-before(., '@red.example'), '@new.example')"/></xsl:attribute>
</xsl:template>
<xsl:template match="/g:group/g:list-service"><xsl:copy><xsl:apply-templates select="@*|node()"/>
  <m:level-within-group-hierarchy>2</m:level-within-group-hierarchy></xsl:copy></xsl:template>
<xsl:template match="/"><xsl:if test="not(//m:owner)"><xsl:message terminate="yes">group without owner</xsl:message></xsl:if><xsl:apply-templates/></xsl:template>
</xsl:stylesheet>
`;

const domains = ['red.example', 'blue.example', 'green.example'];

/** A group with this many members, a third of each domain. */
export function groupOf(members: number): string {
  const entries = Array.from(
    { length: members },
    (_, number) => `      <entry uri="sip:user-${number}@${domains[number % 3]}">
        <rl:display-name>Member ${number}</rl:display-name>
        <m:participant-type>${number % 50 === 0 ? 'dispatcher' : 'first responder'}</m:participant-type>
        <m:user-priority>${number % 256}</m:user-priority>
      </entry>
`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>
<group xmlns="urn:oma:xml:poc:list-service" xmlns:rl="urn:ietf:params:xml:ns:resource-lists"
       xmlns:cp="urn:ietf:params:xml:ns:common-policy" xmlns:oxe="urn:oma:xml:xdm:extensions" xmlns:m="urn:3gpp:ns:mcpttGroupInfo:1.0">
  <list-service uri="sip:measured@red.example">
    <list>
${entries.join('')}    </list>
    <cp:ruleset>
      <cp:rule id="members">
        <cp:conditions><is-list-member/></cp:conditions>
        <cp:actions><allow-initiate-conference>true</allow-initiate-conference><join-handling>true</join-handling></cp:actions>
      </cp:rule>
      <cp:rule id="lead">
        <cp:conditions><cp:identity><cp:one id="sip:user-0@red.example"/></cp:identity></cp:conditions>
        <cp:actions><m:allow-MCPTT-emergency-call>true</m:allow-MCPTT-emergency-call></cp:actions>
      </cp:rule>
    </cp:ruleset>
    <oxe:supported-services>
      <oxe:service enabler="urn:urn-7:3gpp-service.ims.icsi.mcptt"><oxe:group-media><m:mcptt-speech/></oxe:group-media></oxe:service>
    </oxe:supported-services>
    <m:owner>Red Civil Protection</m:owner>
    <m:on-network-group-priority>190</m:on-network-group-priority>
    <m:permitted-geographic-area><m:PolygonArea/></m:permitted-geographic-area>
  </list-service>
</group>
`;
}

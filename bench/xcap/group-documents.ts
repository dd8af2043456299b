// Group documents of a wanted size for measurements: valid against the schemas of TS 24.481, members of one system.

/** A document with a counter of eight digits between the two parts. */
export interface CountedDocument {
  readonly before: string;
  readonly after: string;
}

export interface GroupShape {
  /** User part of the group ID; also what tells one document from another. */
  readonly name: string;
  readonly members: number;
}

/** Domain of groups and members. */
export const domain = 'red.example';

/** Number of members that brings a group document near so many bytes. */
export function membersFor(bytes: number): number {
  const size = (members: number): number => {
    const { before, after } = groupDocument({ name: 'sized-00', members });
    return Buffer.byteLength(before) + 8 + Buffer.byteLength(after);
  };
  const empty = size(0);
  return Math.round((bytes - empty) / (size(1) - empty));
}

/** MC service ID of a member. */
export function memberId(member: number): string {
  return `sip:user-${String(member).padStart(5, '0')}@${domain}`;
}

/** The entry of one member, the counter within its display name. */
export function memberEntry(member: number): CountedDocument {
  return {
    before: `<entry uri="${memberId(member)}"><rl:display-name xmlns:rl="urn:ietf:params:xml:ns:resource-lists">Member `,
    after: '</rl:display-name></entry>',
  };
}

/** A group document, the counter within its display name. */
export function groupDocument({ name, members }: GroupShape): CountedDocument {
  const entries = Array.from({ length: members }, (_, member) => entry(member)).join('');
  return {
    before: `<?xml version="1.0" encoding="UTF-8"?>
<group xmlns="urn:oma:xml:poc:list-service"
       xmlns:rl="urn:ietf:params:xml:ns:resource-lists"
       xmlns:cp="urn:ietf:params:xml:ns:common-policy"
       xmlns:oxe="urn:oma:xml:xdm:extensions"
       xmlns:mcpttgi="urn:3gpp:ns:mcpttGroupInfo:1.0">
  <list-service uri="sip:${name}@${domain}">
    <display-name xml:lang="en">Group `,
    after: `</display-name>
    <list>
${entries}    </list>
    <cp:ruleset>
      <cp:rule id="members">
        <cp:conditions>
          <is-list-member/>
        </cp:conditions>
        <cp:actions>
          <allow-initiate-conference>true</allow-initiate-conference>
          <join-handling>true</join-handling>
          <mcpttgi:allow-MCPTT-emergency-call>true</mcpttgi:allow-MCPTT-emergency-call>
          <mcpttgi:on-network-allow-getting-member-list>true</mcpttgi:on-network-allow-getting-member-list>
        </cp:actions>
      </cp:rule>
    </cp:ruleset>
    <oxe:supported-services>
      <oxe:service enabler="urn:urn-7:3gpp-service.ims.icsi.mcptt">
        <oxe:group-media>
          <mcpttgi:mcptt-speech/>
        </oxe:group-media>
      </oxe:service>
    </oxe:supported-services>
    <mcpttgi:owner>Red Harbour Police</mcpttgi:owner>
    <mcpttgi:on-network-invite-members>true</mcpttgi:on-network-invite-members>
    <mcpttgi:on-network-max-participant-count>50</mcpttgi:on-network-max-participant-count>
    <mcpttgi:preferred-voice-encodings>
      <mcpttgi:encoding name="AMR-WB"/>
    </mcpttgi:preferred-voice-encodings>
    <mcpttgi:on-network-hang-timer>PT30S</mcpttgi:on-network-hang-timer>
    <mcpttgi:on-network-maximum-duration>PT4H</mcpttgi:on-network-maximum-duration>
    <mcpttgi:on-network-minimum-number-to-start>1</mcpttgi:on-network-minimum-number-to-start>
    <mcpttgi:protect-media>true</mcpttgi:protect-media>
    <mcpttgi:protect-floor-control-signalling>true</mcpttgi:protect-floor-control-signalling>
    <mcpttgi:on-network-group-priority>6</mcpttgi:on-network-group-priority>
  </list-service>
</group>
`,
  };
}

function entry(member: number): string {
  return `      <entry uri="${memberId(member)}">
        <rl:display-name>Member ${String(member).padStart(8, '0')}</rl:display-name>
        <mcpttgi:on-network-required/>
        <mcpttgi:user-priority>7</mcpttgi:user-priority>
      </entry>
`;
}

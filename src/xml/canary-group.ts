// A valid group document without members, for trying an interconnection.
import { escapeAttributeValue } from './character-data.ts';
import { namespaces } from './names.ts';

/** The document of a group of this ID that nobody is a member of. */
export function composeCanaryGroup(groupId: string): Uint8Array {
  const text = `<?xml version="1.0" encoding="UTF-8"?>
<group xmlns="${namespaces.listService}" xmlns:oxe="${namespaces.omaExtensions}" xmlns:mcpttgi="${namespaces.mcpttGroupInfo}">
  <list-service uri="${escapeAttributeValue(groupId)}">
    <display-name>mcgw canary: may be deleted</display-name>
    <list/>
    <oxe:supported-services>
      <oxe:service enabler="urn:urn-7:3gpp-service.ims.icsi.mcptt"><oxe:group-media><mcpttgi:mcptt-speech/></oxe:group-media></oxe:service>
    </oxe:supported-services>
  </list-service>
</group>
`;
  return Buffer.from(text);
}

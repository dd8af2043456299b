// Namespaces that this gateway knows, each under the name used throughout the sources.
// Values are fixed by OMA XDM Group, 3GPP TS 24.481, TS 24.379, RFC 4745, RFC 4825, RFC 4826 and RFC 5874.

export const namespaces = {
  listService: 'urn:oma:xml:poc:list-service',
  resourceLists: 'urn:ietf:params:xml:ns:resource-lists',
  rlsServices: 'urn:ietf:params:xml:ns:rls-services',
  commonPolicy: 'urn:ietf:params:xml:ns:common-policy',
  omaCommonPolicy: 'urn:oma:xml:xdm:common-policy',
  omaExtensions: 'urn:oma:xml:xdm:extensions',
  mcpttGroupInfo: 'urn:3gpp:ns:mcpttGroupInfo:1.0',
  mcpttInfo: 'urn:3gpp:ns:mcpttInfo:1.0',
  mcvideoInfo: 'urn:3gpp:ns:mcvideoInfo:1.0',
  mcdataInfo: 'urn:3gpp:ns:mcdataInfo:1.0',
  gmop: 'urn:3gpp:ns:mcpttGMOP:1.0',
  xcapCaps: 'urn:ietf:params:xml:ns:xcap-caps',
  xcapDirectory: 'urn:oma:xml:xdm:xcap-directory',
  xcapError: 'urn:ietf:params:xml:ns:xcap-error',
  xcapDiff: 'urn:ietf:params:xml:ns:xcap-diff',
  xml: 'http://www.w3.org/XML/1998/namespace',
  xmlns: 'http://www.w3.org/2000/xmlns/',
  schemaInstance: 'http://www.w3.org/2001/XMLSchema-instance',
} as const;

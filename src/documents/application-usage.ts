// One XCAP application usage (RFC 4825 clause 5): what a server must know of an AUID to serve its documents.
// The usages that come with the gateway are the rows of one table; operators add rows of their own.

import type { ApplicationUsageConfiguration } from '../config/schema.ts';
import { namespaces } from '../xml/names.ts';

export interface ApplicationUsage {
  readonly auid: string;
  /** Media type of whole documents, without parameters. */
  readonly mimeType: string;
  /** RFC 4825 clause 5.2: namespace of unprefixed element names in node selectors; absent = none. */
  readonly defaultDocumentNamespace?: string | undefined;
  /** Name of the schema in the schema library; absent = any well-formed document. */
  readonly schema?: string | undefined;
  /** Namespaces listed in xcap-caps. */
  readonly namespaces: readonly string[];
  /** Documents that the server composes itself and nobody may write (xcap-caps, xcap-directory). */
  readonly composed: boolean;
}

/** AUID of MC service group documents, TS 24.481 clause 7.2. */
export const groupsAuid = 'org.openmobilealliance.groups';
/** AUID of contact lists, RFC 4826 clause 3.4.1. */
export const resourceListsAuid = 'resource-lists';
/** AUID of services behind resource lists, RFC 4826 clause 4.4.1; served when an operator configures it. */
export const rlsServicesAuid = 'rls-services';
/** AUID of the server's capabilities, RFC 4825 clause 12. */
export const capabilitiesAuid = 'xcap-caps';
/** AUID of the directory of a user's documents, OMA XDM. */
export const directoryAuid = 'org.openmobilealliance.xcap-directory';

/** The usages that come with the gateway. */
export const builtInUsages: readonly ApplicationUsage[] = [
  {
    auid: groupsAuid,
    mimeType: 'application/vnd.oma.poc.groups+xml',
    defaultDocumentNamespace: namespaces.listService,
    schema: 'groups',
    namespaces: [
      namespaces.listService,
      namespaces.mcpttGroupInfo,
      namespaces.commonPolicy,
      namespaces.omaCommonPolicy,
      namespaces.omaExtensions,
    ],
    composed: false,
  },
  {
    auid: resourceListsAuid,
    mimeType: 'application/resource-lists+xml',
    defaultDocumentNamespace: namespaces.resourceLists,
    schema: 'resource-lists',
    namespaces: [namespaces.resourceLists],
    composed: false,
  },
  {
    auid: capabilitiesAuid,
    mimeType: 'application/xcap-caps+xml',
    defaultDocumentNamespace: namespaces.xcapCaps,
    schema: 'xcap-caps',
    namespaces: [namespaces.xcapCaps],
    composed: true,
  },
  {
    auid: directoryAuid,
    mimeType: 'application/vnd.oma.xcap-directory+xml',
    defaultDocumentNamespace: namespaces.xcapDirectory,
    schema: 'xcap-directory',
    namespaces: [namespaces.xcapDirectory],
    composed: true,
  },
];

/** The built-in usages and those of an operator; the schema of one of these is called like its AUID. */
export function configuredUsages(configured: readonly ApplicationUsageConfiguration[]): readonly ApplicationUsage[] {
  return [
    ...builtInUsages,
    ...configured.map(({ auid, mimeType, defaultDocumentNamespace, schema }) => ({
      auid,
      mimeType,
      defaultDocumentNamespace,
      schema: schema === undefined ? undefined : auid,
      // RFC 4825 12: a namespace is listed when the server has its schema
      namespaces: schema === undefined || defaultDocumentNamespace === undefined ? [] : [defaultDocumentNamespace],
      composed: false,
    })),
  ];
}

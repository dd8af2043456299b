// One XCAP application usage (RFC 4825 clause 5): what a server must know of an AUID to serve its documents.

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

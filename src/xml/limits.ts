// Limits on XML input, checked before anything else looks at a document.
// They bound memory and time for hostile documents; every default is far above what real group documents need.

/** Upper bounds for one XML document. */
export interface XmlLimits {
  /** Size of the document, bytes. */
  readonly documentBytes: number;
  /** Nesting of elements; the root is at depth 1. libxml2 itself stops at 256. */
  readonly elementDepth: number;
  /** Elements in the document. */
  readonly elements: number;
  /** Attributes and namespace declarations together in one start tag. */
  readonly attributesPerElement: number;
  /** The same for the document element alone, where that is a wrapper of ours; as for the others when absent. */
  readonly rootAttributes?: number | undefined;
  /** Bytes of one element or attribute name, prefix included. */
  readonly nameLength: number;
  /** Namespace declarations in scope at one element, counted with repetitions. */
  readonly namespacesInScope: number;
  /** Different element names, and different sets of namespace declarations; default 10,000 each. They move between threads one by one. */
  readonly different?: number | undefined;
}

/** The limit on different names and declarations where none is set. */
export const defaultDifferent = 10_000;

/** The limits that apply where the configuration names no others. */
export const defaultXmlLimits: XmlLimits = {
  documentBytes: 4 * 1024 * 1024,
  elementDepth: 64,
  elements: 250_000,
  attributesPerElement: 256,
  nameLength: 1024,
  namespacesInScope: 256,
};

// The only module that touches libxml2-wasm: parses bytes, reports what is wrong, and always frees what it allocated.
// No input provider is ever registered, so nothing outside the given bytes can be read.

import { ParseOption, XmlDocument, XmlParseError } from 'libxml2-wasm';
import { Refusal } from '../refusals.ts';

const parseOptions: ParseOption =
  ParseOption.XML_PARSE_NONET |
  ParseOption.XML_PARSE_NO_XXE |
  ParseOption.XML_PARSE_NO_SYS_CATALOG |
  ParseOption.XML_PARSE_BIG_LINES;

/** Whether bytes hold a well-formed, namespace-well-formed document. Throws Refusal `not-well-formed` with the first fault. */
export function checkWellFormed(bytes: Uint8Array): void {
  withDocument(bytes, () => undefined);
}

/** Parses bytes, hands the document to `use`, and frees it. Throws Refusal `not-well-formed`. */
export function withDocument<T>(bytes: Uint8Array, use: (document: XmlDocument) => T): T {
  const document = parseDocument(bytes);
  try {
    return use(document);
  } finally {
    document.dispose();
  }
}

/** Parses bytes; the caller must dispose of the document. Throws Refusal `not-well-formed`. */
export function parseDocument(bytes: Uint8Array): XmlDocument {
  try {
    return XmlDocument.fromBuffer(bytes, { option: parseOptions });
  } catch (error) {
    if (!(error instanceof XmlParseError)) throw error;
    const first = error.details[0];
    const place = first === undefined ? '' : `line ${first.line}: `;
    throw new Refusal('not-well-formed', {
      phrase: `${place}${(first?.message ?? error.message).trim().slice(0, 200)}`,
    });
  }
}

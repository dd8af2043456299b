// Keeps libxml2 (with xpath.ts): parses bytes, compiles schemas, validates, and always frees what it allocated.
// Nothing outside the given bytes can be read: input providers exist only while a schema is compiled, and only for its own files.

import {
  ParseOption,
  XmlBufferInputProvider,
  XmlDocument,
  XmlError,
  XmlLibError,
  XmlParseError,
  XmlValidateError,
  XsdValidator,
  xmlCleanupInputProvider,
  xmlRegisterInputProvider,
} from 'libxml2-wasm';
import { Refusal } from '../refusals.ts';

const parseOptions: ParseOption =
  ParseOption.XML_PARSE_NONET |
  ParseOption.XML_PARSE_NO_XXE |
  ParseOption.XML_PARSE_NO_SYS_CATALOG |
  ParseOption.XML_PARSE_BIG_LINES;

/** One reason why a document does not conform to its schema. */
export interface SchemaProblem {
  /** Line in the document, from 1; 0 when unknown. */
  readonly line: number;
  readonly message: string;
  /** Where, as an XPath of positions. */
  readonly path?: string | undefined;
}

/** Problems reported for one document at most. */
export const maximumProblems = 20;

// libxml2 would otherwise still know the file provider of its environment.
xmlCleanupInputProvider();

/** Bounds of the parser itself, by how its messages begin: what exceeds them may well be XML. */
const bounds: readonly (readonly [beginning: string, phrase: string])[] = [
  ['Excessive depth', 'elements are nested too deeply'],
  ['Name too long', 'a name is too long'],
  ['Comment too big', 'a comment is too long'],
  ['Resource limit exceeded', 'a text or value is too long'],
];

/** Parses bytes, hands the document to `use`, and frees it. Throws Refusal as `parseDocument`. */
export function withDocument<T>(bytes: Uint8Array, use: (document: XmlDocument) => T): T {
  const document = parseDocument(bytes);
  try {
    return use(document);
  } finally {
    document.dispose();
  }
}

/**
 * Parses bytes; the caller must dispose of the document. Throws Refusal `not-well-formed` with the first fault, `constraint-failure` for
 * what exceeds a bound of the parser.
 */
export function parseDocument(bytes: Uint8Array): XmlDocument {
  try {
    return XmlDocument.fromBuffer(bytes, { option: parseOptions });
  } catch (error) {
    if (!(error instanceof XmlParseError)) throw error;
    const first = error.details[0];
    const place = first === undefined ? '' : `line ${first.line}: `;
    const message = (first?.message ?? error.message).trim();
    const bound = bounds.find(([beginning]) => message.startsWith(beginning));
    if (bound !== undefined) throw new Refusal('constraint-failure', { phrase: place + bound[1], cause: message });
    throw new Refusal('not-well-formed', { phrase: place + message.slice(0, 200) });
  }
}

/** A compiled schema. */
export class CompiledSchema {
  readonly #validator: XsdValidator;

  private constructor(validator: XsdValidator) {
    this.#validator = validator;
  }

  /**
   * Compiles the schema file `entry`; what it imports or includes must be among `files` (contents by name).
   * Throws Error with the compiler's first complaints.
   */
  static compile(files: ReadonlyMap<string, Uint8Array>, entry: string): CompiledSchema {
    const source = files.get(entry);
    if (source === undefined) throw new Error(`schema file ${entry} is missing`);
    const provided = Object.fromEntries(
      [...files].map(([name, content]) => [name.includes('://') ? name : `schema:///${name}`, content]),
    );
    xmlRegisterInputProvider(new XmlBufferInputProvider(provided));
    try {
      const document = XmlDocument.fromBuffer(source, { url: `schema:///${entry}`, option: parseOptions });
      try {
        return new CompiledSchema(XsdValidator.fromDoc(document));
      } finally {
        document.dispose();
      }
    } catch (error) {
      if (!(error instanceof XmlError)) throw error;
      const details = error instanceof XmlLibError ? error.details : [];
      const lines = details.slice(0, 3).map((d) => `${d.file ?? entry}:${d.line}: ${d.message.trim()}`);
      throw new Error(lines.length > 0 ? lines.join('; ') : `schema file ${entry}: ${error.message}`);
    } finally {
      xmlCleanupInputProvider();
    }
  }

  /** Problems of a parsed document, the first `maximumProblems` of them; none when it conforms. */
  problems(document: XmlDocument): readonly SchemaProblem[] {
    try {
      this.#validator.validate(document);
      return [];
    } catch (error) {
      if (!(error instanceof XmlValidateError)) throw error;
      return error.details.slice(0, maximumProblems).map((detail) => ({
        line: detail.line,
        message: detail.message.trim().slice(0, 300),
        path: detail.xpath?.slice(0, 300),
      }));
    }
  }

  dispose(): void {
    this.#validator.dispose();
  }
}

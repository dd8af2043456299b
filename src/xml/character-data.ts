// Decodes and escapes XML character data and attribute values.
// Only the five predefined entities and character references exist here: documents with a DTD are refused before.

const predefined: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

/** Raised when a reference names no predefined entity and no XML character. */
export class UndefinedReference extends Error {
  override readonly name = 'UndefinedReference';
}

function characterNumber(name: string): number {
  if (/^#x[0-9a-fA-F]+$/.test(name)) return Number.parseInt(name.slice(2), 16);
  if (/^#[0-9]+$/.test(name)) return Number.parseInt(name.slice(1), 10);
  return -1;
}

function reference(name: string): string {
  const known = predefined.get(name);
  if (known !== undefined) return known;
  const code = characterNumber(name);
  if (!isXmlCharacter(code)) throw new UndefinedReference(`reference &${name}; is not defined`);
  return String.fromCodePoint(code);
}

/** Whether a code point may appear in an XML 1.0 document (XML 1.0 production 2). */
export function isXmlCharacter(code: number): boolean {
  return (
    code === 0x9 ||
    code === 0xa ||
    code === 0xd ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff)
  );
}

/** Whether octets begin like markup in UTF-16 or UTF-32 without a byte order mark (XML 1.0 appendix F): each other one is NUL. */
export function beginsWide([first, second, third, fourth]: Uint8Array): boolean {
  return (first === 0 && third === 0) || (second === 0 && fourth === 0);
}

/** Replaces references in a string by what they stand for. Throws UndefinedReference for others. */
export function decodeReferences(raw: string): string {
  if (!raw.includes('&')) return raw;
  return raw.replace(/&([^;&]{0,64});?/g, (whole, name: string) => {
    if (!whole.endsWith(';')) throw new UndefinedReference(`reference ${whole.slice(0, 20)} is not terminated`);
    return reference(name);
  });
}

/** Line ends CRLF and CR become LF (XML 1.0 2.11). */
export function normaliseLineEnds(raw: string): string {
  return raw.includes('\r') ? raw.replace(/\r\n?/g, '\n') : raw;
}

/** Text content as XML says: line ends are normalised, then references decoded. Throws UndefinedReference. */
export function decodeText(raw: string): string {
  return decodeReferences(normaliseLineEnds(raw));
}

/** Attribute value between its quotes, normalised: literal white space becomes spaces, referenced stays (XML 1.0 3.3.3). Throws UndefinedReference. */
export function decodeAttributeValue(raw: string): string {
  const spaced = /[\t\n\r]/.test(raw) ? raw.replace(/\r\n|[\t\n\r]/g, ' ') : raw;
  return decodeReferences(spaced);
}

/** Escapes a string for element content. CR is written as a reference so that it survives line-end normalisation. */
export function escapeText(text: string): string {
  return /[&<>\r]/.test(text) ? text.replace(/[&<>\r]/g, escapeCharacter) : text;
}

/** Escapes a string for an attribute value in either kind of quotes; white space other than a space becomes a reference. */
export function escapeAttributeValue(value: string): string {
  return /[&<>"'\t\n\r]/.test(value) ? value.replace(/[&<>"'\t\n\r]/g, escapeCharacter) : value;
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&apos;'],
  ['\t', '&#9;'],
  ['\n', '&#10;'],
  ['\r', '&#13;'],
]);

function escapeCharacter(character: string): string {
  return escapes.get(character) ?? character;
}

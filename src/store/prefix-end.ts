// The end of a range of texts with a common prefix, in the order of code points, which is that of the bytes of UTF-8.
// Both engines list by it, so that a prefix is text and no pattern.

/** The least text that is greater than every text with this prefix, by code points; undefined when there is none. */
export function prefixEnd(prefix: string): string | undefined {
  const characters = [...prefix];
  for (let last = characters.pop(); last !== undefined; last = characters.pop()) {
    const code = last.codePointAt(0) ?? 0;
    // The surrogates D800 to DFFF are no characters.
    if (code < 0x10ffff) return characters.join('') + String.fromCodePoint(code === 0xd7ff ? 0xe000 : code + 1);
  }
  return undefined;
}

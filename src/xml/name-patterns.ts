// Names of elements and attributes as sources of regular expressions (flag `u`), for the grammars of selectors.
// Namespaces in XML 1.0, productions 4 and 7.

const nameStart =
  'A-Z_a-z\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C\\u200D\\u2070-\\u218F\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD\\u{10000}-\\u{EFFFF}';

/** A name without a colon. */
export const ncName = `[${nameStart}][${nameStart}\\-.0-9\\u00B7\\u0300-\\u036F\\u203F\\u2040]*`;

/** A name with or without a prefix. */
export const qualifiedName = `(?:${ncName}:)?${ncName}`;

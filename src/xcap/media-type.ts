// Media types of header fields, compared by type and subtype alone.

/** `type/subtype` in lower case, without parameters; undefined when the field is missing or empty. RFC 9110 clause 8.3.1. */
export function mediaType(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const semicolon = value.indexOf(';');
  const type = (semicolon < 0 ? value : value.slice(0, semicolon)).trim().toLowerCase();
  return type === '' ? undefined : type;
}

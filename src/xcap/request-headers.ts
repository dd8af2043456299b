// Small readings of request header fields that both faces share.

/** A header field as the list of its values; undefined when it is absent. */
export function headerValues(header: string | readonly string[] | undefined): readonly string[] | undefined {
  if (header === undefined) return undefined;
  return typeof header === 'string' ? [header] : header;
}

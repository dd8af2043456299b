// Small readings of request header fields that both faces share.
import type { IncomingMessage } from 'node:http';

/** A header field as the list of its values; undefined when it is absent. */
export function headerValues(header: string | readonly string[] | undefined): readonly string[] | undefined {
  if (header === undefined) return undefined;
  return typeof header === 'string' ? [header] : header;
}

/** The values of all header fields of one name (lower case), also of those that Node keeps only once. */
export function everyValue({ rawHeaders }: IncomingMessage, name: string): readonly string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name);
}

// A strict reader of multipart bodies (RFC 2046 clause 5.1): bounded, one pass, no nesting.

/** One body part; header names are lower case. */
export interface BodyPart {
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Bounds of a multipart body. */
export interface MultipartLimits {
  readonly parts: number;
  /** Characters of all header fields of one part. */
  readonly headerLength: number;
}

const defaultMultipartLimits: MultipartLimits = { parts: 8, headerLength: 2048 };

/**
 * Splits a multipart body into its parts.
 * @param boundary value of the `boundary` parameter, without quotes
 * @returns undefined when the boundary or the framing breaks RFC 2046 or a limit is exceeded
 */
export function parseMultipart(
  body: string,
  boundary: string,
  limits: MultipartLimits = defaultMultipartLimits,
): readonly BodyPart[] | undefined {
  // RFC 2046 5.1.1: 1 to 70 characters, not ending with a space
  if (!/^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/.test(boundary)) return undefined;
  const delimiter = `--${boundary}`;
  const parts: BodyPart[] = [];
  let line = firstDelimiter(body, delimiter);
  while (line >= 0) {
    const behind = line + delimiter.length;
    if (body.startsWith('--', behind)) return parts.length > 0 ? parts : undefined;
    const start = afterPadding(body, behind);
    if (start === undefined || parts.length === limits.parts) return undefined;
    const next = nextDelimiter(body, delimiter, start);
    if (next < 0) return undefined;
    const part = parsePart(body, start, next, limits);
    if (part === undefined) return undefined;
    parts.push(part);
    line = next + 2;
  }
  return undefined;
}

function firstDelimiter(body: string, delimiter: string): number {
  if (body.startsWith(delimiter)) return 0;
  // RFC 2046 5.1.1: a preamble is ignored
  const found = nextDelimiter(body, delimiter, 0);
  return found < 0 ? -1 : found + 2;
}

/** Position of the line end before the next delimiter line. A boundary that merely begins like ours is content. */
function nextDelimiter(body: string, delimiter: string, from: number): number {
  // A part without headers and body may begin with its closing line end: the one that ended the delimiter line.
  let at = body.indexOf(`\r\n${delimiter}`, Math.max(0, from - 2));
  while (at >= 0) {
    const behind = at + 2 + delimiter.length;
    if (body.startsWith('--', behind) || afterPadding(body, behind) !== undefined) return at;
    at = body.indexOf(`\r\n${delimiter}`, behind);
  }
  return -1;
}

/** Skips the white space that may follow a delimiter and the line end; undefined when something else stands there. */
function afterPadding(body: string, from: number): number | undefined {
  let at = from;
  while (body[at] === ' ' || body[at] === '\t') at++;
  return body.startsWith('\r\n', at) ? at + 2 : undefined;
}

function parsePart(body: string, start: number, end: number, limits: MultipartLimits): BodyPart | undefined {
  const headers = new Map<string, string>();
  let at = start;
  for (;;) {
    if (at > end) return undefined;
    if (body.startsWith('\r\n', at)) break;
    let lineEnd = body.indexOf('\r\n', at);
    while (lineEnd >= 0 && (body[lineEnd + 2] === ' ' || body[lineEnd + 2] === '\t')) {
      lineEnd = body.indexOf('\r\n', lineEnd + 2);
    }
    if (lineEnd < 0 || lineEnd > end || lineEnd - start > limits.headerLength) return undefined;
    const colon = body.indexOf(':', at);
    if (colon <= at || colon > lineEnd) return undefined;
    const name = body.slice(at, colon).trim().toLowerCase();
    if (name === '' || headers.has(name)) return undefined;
    headers.set(
      name,
      body
        .slice(colon + 1, lineEnd)
        .replace(/\r\n[ \t]+/g, ' ')
        .trim(),
    );
    at = lineEnd + 2;
  }
  return { headers, body: at + 2 <= end ? body.slice(at + 2, end) : '' };
}

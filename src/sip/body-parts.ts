// Finds the parts of a body whose multiparts stand in each other (RFC 2046 clause 5.1, RFC 5621 clause 3): bounded in depth and number.
import { type ParameterisedValue, parseParameterised } from './headers.ts';
import { parseMultipart } from './multipart.ts';

/** A part that is no multipart. */
export interface TypedPart {
  /** Media type in lower case, without parameters. */
  readonly type: string;
  readonly body: string;
  /** `Content-Transfer-Encoding` in lower case; `binary` when absent. */
  readonly transferEncoding: string;
}

/** Whether the octets of a part stand there as they are (RFC 2045 clause 6.2). */
export function isPlain({ transferEncoding }: TypedPart): boolean {
  return ['binary', '8bit', '7bit'].includes(transferEncoding);
}

/** Multiparts of which the parts are looked at. */
export const multipartTypes: readonly string[] = ['multipart/mixed', 'multipart/related'];

/** Multiparts in each other. */
const deepest = 4;
/** Parts of all multiparts together. */
const mostParts = 32;

/**
 * The parts of a body with this media type, those of inner multiparts in their place; the body itself when it is no multipart.
 * @returns undefined when a multipart breaks RFC 2046, or there are too many
 */
export function bodyParts(type: ParameterisedValue, body: string): readonly TypedPart[] | undefined {
  const found: TypedPart[] = [];
  let left = mostParts;
  const collect = ({ value, parameters }: ParameterisedValue, text: string, coding: string, depth: number): boolean => {
    const name = value.toLowerCase();
    if (!multipartTypes.includes(name)) {
      found.push({ type: name, body: text, transferEncoding: coding });
      return true;
    }
    const parts = depth === deepest ? undefined : parseMultipart(text, parameters.get('boundary') ?? '');
    left -= parts?.length ?? 0;
    if (parts === undefined || left < 0) return false;
    return parts.every((part) => {
      // RFC 2046 5.2: a part that does not say what it is, is plain text
      const inner = parseParameterised(part.headers.get('content-type') ?? 'text/plain');
      const innerCoding = part.headers.get('content-transfer-encoding')?.toLowerCase() ?? 'binary';
      return inner === undefined || collect(inner, part.body, innerCoding, depth + 1);
    });
  };
  return collect(type, body, 'binary', 0) ? found : undefined;
}

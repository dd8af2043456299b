// Compressed bodies (RFC 3261 clause 20.12): applications get text over the control protocol, so `deflate` ends here.
import { constants, inflateRawSync, inflateSync } from 'node:zlib';
import { fieldValues, type SipRequest } from './message.ts';

/** Octets of an inflated body; more is refused. */
const INFLATED_LIMIT = 524_288;

/** The request with its body inflated, or the status that says why it cannot be. */
export type Decoded = SipRequest | 400 | 413;

/** Undoes `Content-Encoding: deflate`; every other coding is left to the application, which refuses it. */
export function decoded(request: SipRequest): Decoded {
  const codings = fieldValues(request.fields, 'content-encoding');
  if (codings.length !== 1 || codings[0]?.trim().toLowerCase() !== 'deflate' || request.body === '') return request;
  const body = inflated(Buffer.from(request.body, 'latin1'));
  if (typeof body === 'number') return body;
  const fields = request.fields.flatMap((field) => {
    if (field.key === 'content-encoding') return [];
    return [field.key === 'content-length' ? { ...field, value: String(body.length) } : field];
  });
  return { ...request, fields, body: body.toString('latin1') };
}

function inflated(octets: Buffer): Buffer | 400 | 413 {
  const limits = { maxOutputLength: INFLATED_LIMIT, finishFlush: constants.Z_FINISH };
  try {
    // RFC 1950 2.2: the zlib format begins so; some senders leave its frame away.
    return octets.length > 1 && (octets[0] ?? 0) % 16 === 8 && octets.readUInt16BE(0) % 31 === 0
      ? inflateSync(octets, limits)
      : inflateRawSync(octets, limits);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 413 : 400;
  }
}

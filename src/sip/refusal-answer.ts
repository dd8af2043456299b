// How a refusal looks in SIP: status, reason phrase, the header fields that the status demands, and the stable code in a
// Warning (RFC 3261 clause 20.43).
import type { Refusal } from '../refusals.ts';

/** A final response without body. */
export interface SipAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Methods that the face answers with something else than 405. */
export const allowedMethods = 'SUBSCRIBE, NOTIFY, OPTIONS';
/** RFC 5875 clause 4.1. */
export const eventPackage = 'xcap-diff';
export const notifyBodyType = 'application/xcap-diff+xml';

// Codes that RFC 3261, RFC 6665 and RFC 4412 know; a status that belongs to HTTP alone becomes what it means in SIP.
const sipStatus = new Set([400, 403, 404, 405, 406, 413, 414, 415, 416, 420, 423, 481, 482, 489, 500, 501, 503]);

/**
 * Renders a refusal.
 * @param warnAgent host that stands in the Warning, RFC 3261 clause 25.1
 * @param codings content codings accepted, for 415
 */
export function refusalAnswer(refusal: Refusal, warnAgent: string, codings: string): SipAnswer {
  const { detail, row } = refusal;
  const status = statusInSip(row.status);
  const headers: Record<string, string> = {
    Warning: `399 ${warnAgent} "${refusal.code}: ${refusal.phrase.replace(/["\\\r\n]/g, "'")}"`,
  };
  if (status === 405) headers.Allow = detail.allow?.join(', ') ?? allowedMethods;
  if (status === 406) headers.Accept = detail.accept?.join(', ') ?? notifyBodyType;
  if (status === 415) {
    headers.Accept = detail.accept?.join(', ') ?? '';
    headers['Accept-Encoding'] = codings;
  }
  if (status === 420) headers.Unsupported = detail.unsupported?.join(', ') ?? '';
  if (status === 423) headers['Min-Expires'] = String(detail.minimumExpires ?? 0);
  // RFC 6665 4.2.1.1 and, for older subscribers, RFC 3265 3.1.6.1
  if (status === 489) headers['Allow-Events'] = eventPackage;
  if (status === 503 && detail.retryAfter !== undefined) headers['Retry-After'] = String(detail.retryAfter);
  return { status, headers };
}

function statusInSip(status: number): number {
  if (sipStatus.has(status)) return status;
  // RFC 6665 4.2.1.3 has 401 for digest alone; who fails our check is not authorised.
  if (status === 401) return 403;
  if (status === 409) return 400;
  return status >= 500 ? 503 : 400;
}

// The kinds of values that several sections of the configuration have, each with the sentence that says what it must be.
import { isIP } from 'node:net';
import { z } from 'zod';
import { parsePostgresUrl } from '../postgres-url.ts';

export const text = z.string().min(1);
export const port = z.int().min(0).max(65535);
export const fileName = text;
export const systemName = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'must be lower-case letters, digits and hyphens');
export const sipUri = z.string().regex(/^sips?:[^\s]+$/i, 'must be a sip: URI');
export const identity = z.string().regex(/^(sips?|tel):[^\s]+$/i, 'must be a sip: or tel: URI');
export const httpUri = z
  .string()
  .regex(/^https?:\/\/[^\s?#/]+\/?[^\s?#]*$/i, 'must be an http: or https: URI without query');
export const postgresUrl = z.string().superRefine((url, context) => {
  const parsed = parsePostgresUrl(url);
  if ('problem' in parsed) context.addIssue({ code: 'custom', message: parsed.problem });
});
export const domain = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'must be a domain name')
  .transform((name) => name.toLowerCase());
// RFC 6750 2.1: it travels in a header field
export const secret = text
  .min(8, 'must have at least 8 characters')
  .regex(/^[\x21-\x7e]*$/, 'must be printable ASCII without spaces');
export const instant = z.iso.datetime({
  offset: true,
  error: 'must be a date and time with zone, such as 2026-01-31T00:00:00Z',
});
export const addressRange = z
  .string()
  .refine(isAddressRange, 'must be an IP address or a CIDR range such as 10.0.0.0/8');

/** What the key of revocation lists beside these CAs means. */
export function crlMeaning(authorities: string): string {
  return `file: certificate revocation lists of every CA in ${authorities}, PEM; read again at SIGHUP`;
}

function isAddressRange(value: string): boolean {
  const [address = '', prefix, ...rest] = value.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}

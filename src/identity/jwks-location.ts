// Where a JSON Web Key Set may be: in a file, or at a URL whose answer nobody on the way can replace.
import { isLoopbackAddress } from './address-list.ts';

/** True when the location is a URL, acceptable or not, and no file name. */
export function isUrl(location: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(location);
}

/** The URL of a key set: https:, or http: on a loopback address. Throws an Error for any other. */
export function acceptableUrl(location: string): URL {
  if (!URL.canParse(location)) throw new Error(`"${location}" is not a URL`);
  const url = new URL(location);
  // Keys fetched in the clear could be anybody's; within the machine nobody is in between
  const loopback = isLoopbackAddress(url.hostname.replace(/^\[|\]$/g, ''));
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback)) {
    throw new Error(`"${location}" must be an https: URL (http: only with a loopback address)`);
  }
  return url;
}

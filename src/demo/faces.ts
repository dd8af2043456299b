// The demo's plain HTTP look at the faces of a gateway: XCAP as administrators, servers and clients use it, and the management API.
import { request } from 'undici';

export interface Answer {
  readonly status: number;
  /** Entity tag without quotes; empty when there is none. */
  readonly tag: string;
  readonly body: string;
}

export interface XcapRequest {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  /** Path below the XCAP root. */
  readonly path: string;
  /** Asserted by the trusted HTTP proxy that the demo stands for, TS 24.482 clause A.2.3. */
  readonly identity: string;
  readonly body?: string;
}

export const groupsMimeType = 'application/vnd.oma.poc.groups+xml';

/** Path of a group addressed by its ID, below any XCAP root. */
export function byGroupId(groupId: string): string {
  return `org.openmobilealliance.groups/global/byGroupID/${groupId}`;
}

/** One XCAP request to a root, on behalf of `identity`. */
export async function xcap(root: string, { method, path, identity, body }: XcapRequest): Promise<Answer> {
  const response = await request(`${root}/${path}`, {
    method,
    headers: {
      'x-3gpp-asserted-identity': `"${identity}"`,
      ...(body === undefined ? {} : { 'content-type': groupsMimeType }),
    },
    ...(body === undefined ? {} : { body }),
  });
  const tag = response.headers.etag;
  return {
    status: response.statusCode,
    tag: typeof tag === 'string' ? tag.replace(/^"|"$/g, '') : '',
    body: await response.body.text(),
  };
}

/** One GET of the management API, as parsed JSON. Throws on any status but 200. */
export async function manage(url: string, token: string, path: string): Promise<unknown> {
  const response = await request(`${url}/api/v1/${path}`, { headers: { authorization: `Bearer ${token}` } });
  if (response.statusCode !== 200) throw new Error(`management API answered ${response.statusCode} to GET ${path}`);
  return response.body.json();
}

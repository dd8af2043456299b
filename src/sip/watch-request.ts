// A SUBSCRIBE of ours to groups at a partner's group management server (RFC 5875 clause 4.4, TS 24.481 clause 6.3.13).
import { composeResourceLists } from '../xml/compose.ts';
import { groupEntry } from './partner-notify.ts';
import { eventPackage, notifyBodyType } from './refusal-answer.ts';
import type { SubscribeRequest } from './sip-port.ts';
import { resourceListsType } from './subscription-body.ts';

/** What differs from one SUBSCRIBE to the next. */
export interface WatchRequestParts {
  /** Our public service identity. */
  readonly gms: string;
  readonly partnerGms: string;
  readonly nextHop: string | undefined;
  readonly callId: string;
  readonly localTag: string;
  /** The dialog it refreshes or ends; absent = it makes one. */
  readonly dialogId?: string | undefined;
  /** Seconds. */
  readonly expires: number;
  /** Canonical group IDs; none = no body. */
  readonly groups: Iterable<string>;
}

/** The request for the engine. */
export function watchRequest(parts: WatchRequestParts): SubscribeRequest {
  const { gms, partnerGms, nextHop, callId, localTag, dialogId, expires, groups } = parts;
  const user = gms.slice(gms.indexOf(':') + 1, gms.indexOf('@') + 1);
  // RFC 3261 8.1.1.8: a SIPS Request-URI or top Route needs a SIPS Contact
  const scheme = isSips(partnerGms) || isSips(nextHop ?? '') ? 'sips' : 'sip';
  const entries = [...groups].map(groupEntry);
  const body = entries.length === 0 ? '' : composeResourceLists(entries);
  return {
    uri: partnerGms,
    dialogId,
    nextHop,
    headers: {
      'Call-ID': callId,
      From: `<${gms}>;tag=${localTag}`,
      To: `<${partnerGms}>`,
      // The engine puts its address in place of `localhost`.
      Contact: `<${scheme}:${user === '' ? 'gms@' : user}localhost;gr>`,
      'P-Asserted-Identity': `<${gms}>`,
      Event: eventPackage,
      Accept: notifyBodyType,
      Supported: 'gruu',
      Expires: String(expires),
      ...(body === '' ? {} : { 'Content-Type': resourceListsType }),
    },
    body,
  };
}

function isSips(uri: string): boolean {
  return /^sips:/i.test(uri);
}

// What RFC 4826 clause 4.4.5 demands of rls-services documents beyond their schema. The usage is an operator's to configure.

import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { DocumentKey } from '../store/store.ts';
import { namespaces } from '../xml/names.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { resourceListsAuid } from './application-usage.ts';
import { nodePath } from './node-path.ts';

/** One service of a document and its URI, canonical where that is possible. */
export interface ServiceUri {
  readonly uri: string;
  /** Where it stands, RFC 4825 clause 11.1. */
  readonly field: string;
}

/** The services of an rls-services document in document order. */
export function serviceUris(index: OffsetIndex): readonly ServiceUri[] {
  return servicesOf(index).flatMap((service) => {
    const uri = index.attribute(service, 'uri');
    if (uri === undefined) return [];
    return [{ uri: canonicalUri(uri) ?? uri, field: nodePath(index, service, 'uri') }];
  });
}

/** Throws Refusal `uniqueness-failure` for a URI used twice in the document, `constraint-failure` for a list of another user. */
export function checkRlsServices(index: OffsetIndex, key: DocumentKey): void {
  const seen = new Set<string>();
  for (const { uri, field } of serviceUris(index)) {
    if (seen.has(uri)) throw new Refusal('uniqueness-failure', { exists: [{ field, altValues: [] }] });
    seen.add(uri);
  }
  for (const service of servicesOf(index)) {
    const list = index.firstNamed(service, namespaces.rlsServices, 'resource-list');
    if (list === undefined || isListOf(index.text(list).trim(), key)) continue;
    throw new Refusal('constraint-failure', {
      phrase: `${nodePath(index, list)} must be the absolute URI of a resource list of the same user`,
    });
  }
}

function servicesOf(index: OffsetIndex): readonly ElementId[] {
  return index.childrenNamed(index.root, namespaces.rlsServices, 'service');
}

// The URI alone is looked at; whether a list is there is nobody's business.
function isListOf(uri: string, key: DocumentKey): boolean {
  if (!/^https?:/i.test(uri) || !URL.canParse(uri)) return false;
  const segments = new URL(uri).pathname.split('/').map(decoded);
  const selector = segments.indexOf('~~');
  const path = selector < 0 ? segments : segments.slice(0, selector);
  return path.some((segment, at) => {
    if (segment !== resourceListsAuid) return false;
    return key.tree === 'global' || (path[at + 1] === 'users' && canonicalUri(path[at + 2] ?? '') === key.xui);
  });
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

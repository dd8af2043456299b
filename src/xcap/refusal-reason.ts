// What a partner says about a refusal, as one line for operators.
import { Refusal } from '../refusals.ts';
import type { XmlLimits } from '../xml/limits.ts';
import { namespaces } from '../xml/names.ts';
import { readSmallBody } from '../xml/small-body.ts';
import { mediaType } from './media-type.ts';

/**
 * The reason that an answer's body gives, without line ends and control characters, at most 300 characters: the first line of plain text,
 * or element and phrase of an xcap-error document (RFC 4825 clause 11.2). Undefined when it gives none that can be read.
 */
export function refusalReason(contentType: string | undefined, body: Uint8Array): string | undefined {
  const type = mediaType(contentType);
  const reason =
    type === 'text/plain' ? firstLine(body) : type === 'application/xcap-error+xml' ? xcapErrorReason(body) : undefined;
  const line = reason?.replace(/\p{C}/gu, '').trim().slice(0, 300);
  return line === '' ? undefined : line;
}

function firstLine(body: Uint8Array): string {
  const text = Buffer.from(body.subarray(0, 1000)).toString('utf8');
  return text.split(/[\r\n]/, 1)[0] ?? '';
}

function xcapErrorReason(body: Uint8Array): string | undefined {
  try {
    const { namespace, localName, children } = readSmallBody(body, limits);
    const [condition] = children;
    if (namespace !== namespaces.xcapError || localName !== 'xcap-error' || condition === undefined) return undefined;
    const phrase = condition.attributes.get('phrase');
    return phrase === undefined ? condition.localName : `${condition.localName}: ${phrase}`;
  } catch (error) {
    // A partner's broken error document changes nothing about its refusal
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

const limits: XmlLimits = {
  documentBytes: 64 * 1024,
  elementDepth: 16,
  elements: 1000,
  attributesPerElement: 16,
  nameLength: 256,
  namespacesInScope: 32,
};

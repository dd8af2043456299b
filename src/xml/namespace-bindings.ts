// The query component of an XCAP URI: XPointer xmlns() parts that bind the prefixes of a node selector. RFC 4825 clause 6.4.
import { Refusal } from '../refusals.ts';

export interface NamespaceBinding {
  readonly prefix: string;
  readonly namespace: string;
}

/**
 * Bindings in a decoded query, in order; of two for one prefix the later counts. Parts of other schemes are ignored, as RFC 4825 clause
 * 6.4 demands. Throws `bad-request` for what is no XPointer expression.
 */
export function parseNamespaceBindings(query: string): readonly NamespaceBinding[] {
  const bindings = new Map<string, string>();
  let at = 0;
  while (at < query.length) {
    if (/\s/.test(query.charAt(at))) {
      at++;
      continue;
    }
    const open = query.indexOf('(', at);
    const scheme = query.slice(at, open < 0 ? query.length : open);
    if (!/^[\p{L}_][\p{L}\p{N}._:-]*$/u.test(scheme)) throw notUnderstood();
    // XPointer framework 3.2: a bare name is a shorthand pointer
    if (open < 0) return [];
    const { data, end } = schemeData(query, open + 1);
    at = end;
    if (scheme === 'xmlns') bind(bindings, data);
  }
  return [...bindings].map(([prefix, namespace]) => ({ prefix, namespace }));
}

function bind(bindings: Map<string, string>, data: string): void {
  const equals = data.indexOf('=');
  const prefix = data.slice(0, Math.max(equals, 0)).trim();
  if (!/^[\p{L}_][\p{L}\p{N}._-]*$/u.test(prefix)) throw notUnderstood();
  // Namespaces in XML 3: these two are bound by definition, and no pointer part can bind them to anything else
  if (prefix === 'xml' || prefix === 'xmlns') return;
  bindings.set(prefix, data.slice(equals + 1).trim());
}

// XPointer framework 3.1: parentheses balance, or are escaped with a circumflex as the circumflex itself is
function schemeData(query: string, from: number): { readonly data: string; readonly end: number } {
  let data = '';
  let depth = 1;
  for (let at = from; at < query.length; at++) {
    const character = query.charAt(at);
    if (character === '^') {
      const escaped = query.charAt(++at);
      if (escaped !== '(' && escaped !== ')' && escaped !== '^') throw notUnderstood();
      data += escaped;
      continue;
    }
    if (character === '(') depth++;
    if (character === ')') depth--;
    if (depth === 0) return { data, end: at + 1 };
    data += character;
  }
  throw notUnderstood();
}

function notUnderstood(): Refusal {
  return new Refusal('bad-request', { phrase: 'The query is no XPointer expression' });
}

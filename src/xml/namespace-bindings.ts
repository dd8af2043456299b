// The query component of an XCAP URI: XPointer xmlns() parts that bind the prefixes of a node selector. RFC 4825 clause 6.4.
import { ncName } from './name-patterns.ts';

export interface NamespaceBinding {
  readonly prefix: string;
  readonly namespace: string;
}

const space = /[ \t\r\n]/;
const prefixPattern = new RegExp(`^${ncName}$`, 'u');
const schemePattern = new RegExp(`^(?:${ncName}:)?${ncName}$`, 'u');

/**
 * Bindings in a decoded query, in order; of two for one prefix the later counts. Parts of other schemes are ignored, as RFC 4825 clause
 * 6.4 demands; an xmlns() part that does not fit its syntax binds nothing, as the xmlns() scheme has it in clause 3; from where the query
 * is no XPointer expression any more nothing is bound either. So only a prefix that is used and not bound can be wrong.
 */
export function parseNamespaceBindings(query: string): readonly NamespaceBinding[] {
  const bindings = new Map<string, string>();
  let at = 0;
  while (at < query.length) {
    if (space.test(query.charAt(at))) {
      at++;
      continue;
    }
    const open = query.indexOf('(', at);
    // XPointer framework 3.2: a bare name is a shorthand pointer
    const part = open < 0 || !schemePattern.test(query.slice(at, open)) ? undefined : schemeData(query, open + 1);
    if (part === undefined) break;
    if (query.slice(at, open) === 'xmlns') bind(bindings, part.data);
    at = part.end;
  }
  return [...bindings].map(([prefix, namespace]) => ({ prefix, namespace }));
}

function bind(bindings: Map<string, string>, data: string): void {
  const equals = data.indexOf('=');
  const prefix = data.slice(0, Math.max(equals, 0)).trim();
  // Namespaces in XML 3: these two are bound by definition, and no pointer part can bind them to anything else
  if (!prefixPattern.test(prefix) || prefix === 'xml' || prefix === 'xmlns') return;
  bindings.set(prefix, data.slice(equals + 1).trim());
}

// XPointer framework 3.1: parentheses balance, or are escaped with a circumflex as the circumflex itself is; undefined where they do not
function schemeData(query: string, from: number): { readonly data: string; readonly end: number } | undefined {
  let data = '';
  let depth = 1;
  for (let at = from; at < query.length; at++) {
    const character = query.charAt(at);
    if (character === '^') {
      const escaped = query.charAt(++at);
      if (escaped !== '(' && escaped !== ')' && escaped !== '^') return undefined;
      data += escaped;
      continue;
    }
    if (character === '(') depth++;
    if (character === ')') depth--;
    if (depth === 0) return { data, end: at + 1 };
    data += character;
  }
  return undefined;
}

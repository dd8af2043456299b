// Selections that match nothing in any document at hand: most of them are misspelt.
import type { FileProblem } from '../config/file-problem.ts';
import { Refusal } from '../refusals.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { readXml } from '../xml/xml-document.ts';
import { withXPath, XPathError, xpathPrefixes } from '../xml/xpath.ts';
import type { LoadedPolicy } from './loaded-policy.ts';

/** Elements that one expression may look at here; what could take longer is taken to match. */
const mostWork = 5_000_000;

/** A problem for each selection of a policy that selects nothing in any of the documents; none when there are no documents. */
export function unmatchedSelections(policy: LoadedPolicy, documents: Iterable<Uint8Array>): readonly FileProblem[] {
  const open = new Set(policy.selections());
  let seen = 0;
  for (const bytes of documents) {
    if (open.size === 0) break;
    try {
      const index = readXml(bytes, defaultXmlLimits);
      seen++;
      withXPath(index, (document) => {
        for (const selection of open) {
          if (index.count ** selection.scans > mostWork || document.test(selection.xpath)) open.delete(selection);
        }
      });
    } catch (error) {
      // A document that cannot be read says nothing about a policy.
      if (!(error instanceof Refusal || error instanceof XPathError)) throw error;
    }
  }
  if (seen === 0) return [];
  return [...open].map(({ file, line, key, xpath }) => ({
    file,
    line,
    key,
    text: `${xpath.expression} selects nothing in any stored or example group${hintFor(xpath.expression)}`,
  }));
}

// XPath 1.0 clause 2.3: a name without a prefix is in no namespace, where group documents have no element.
function hintFor(expression: string): string {
  const hasPrefix = Object.keys(xpathPrefixes).some((prefix) => expression.includes(`${prefix}:`));
  const names = expression.replace(/'[^']*'|"[^"]*"|@\s*[\w.-]+|[\w-]+(?=\s*(?:\(|::))/g, '');
  return hasPrefix || !/[A-Za-z]/.test(names) ? '' : '; names of elements need a prefix, such as mcpttgi:owner';
}

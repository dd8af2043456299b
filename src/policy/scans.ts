// How often an XPath goes over a whole document for each node of a whole document: the power of the number of elements that evaluating
// it may take. A bound, not an estimate: what it calls cheap is cheap.

const token = /"[^"]*"|'[^']*'|\/\/|::|\.\.|[A-Za-z_][\w.-]*|\S/g;
const scanningAxis = /^(?:ancestor|descendant|following|preceding|parent)/;
/** Behind these a "/" starts at the document, not at what was selected before. */
const openers = new Set(['', '[', '(', ',', '|', '=', '!', '<', '>', '+', '-', 'and', 'or', 'div', 'mod']);

/** The power, at least 1. */
export function scansOf(expression: string): number {
  let predicates = 0;
  let depth = 0;
  let most = 1;
  let outer = 0;
  let inner = 0;
  let before = '';
  for (const [text] of expression.matchAll(token)) {
    if (text === '[') predicates++;
    else if (text === ']') predicates--;
    if (text === '[' || text === '(') depth++;
    else if (text === ']' || text === ')') depth--;
    // Side by side, not inside of each other: these add up instead of multiplying.
    if (depth === 0 && (text === '|' || text === 'and' || text === 'or')) [outer, inner] = [0, 0];
    if (isScan(text, before)) {
      if (predicates > 0) inner++;
      else outer++;
    }
    // What is selected step by step may be a whole document, too.
    most = Math.max(most, Math.max(1, outer) + inner);
    before = text;
  }
  return most;
}

function isScan(text: string, before: string): boolean {
  if (text === '//' || text === '..') return true;
  if (text === '::') return scanningAxis.test(before);
  return text === '/' && openers.has(before) && before !== '';
}

// Questions about group patterns that need no group: whether a pattern can cover anything homed in a domain at all.
// A pattern that cannot is a spelling mistake which would silently refuse everything.

/** True when some canonical group ID homed in one of `domains` is covered by `pattern`; `tel:` patterns are explicit and always are. */
export function canMatchDomain(pattern: string, domains: readonly string[]): boolean {
  if (/^tel:/.test(pattern)) return true;
  // port and parameters stand behind the domain and say nothing about it
  const upToDomain = pattern.replace(/;[^@]*$/, '').replace(/:\d+$/, '');
  return domains.some((domain) =>
    [`sip:*@${domain}`, `sips:*@${domain}`, `sip:${domain}`, `sips:${domain}`].some((homed) =>
      patternsMeet(upToDomain, homed),
    ),
  );
}

/** True when some text is covered by both patterns, in which `*` stands for any run of characters. */
export function patternsMeet(one: string, other: string): boolean {
  // reachable[j]: some text is covered by one[0..i) and other[0..j)
  let reachable = closure([true, ...new Array<boolean>(other.length).fill(false)], other);
  for (const character of one) {
    const next = new Array<boolean>(other.length + 1).fill(false);
    for (let j = 0; j <= other.length; j += 1) {
      if (reachable[j] !== true) continue;
      if (character === '*') {
        // a star covers nothing, or any literals of the other pattern
        for (let k = j; k <= other.length; k += 1) next[k] = true;
      } else if (other[j] === '*') {
        next[j] = true;
      } else if (other[j] === character) {
        next[j + 1] = true;
      }
    }
    reachable = closure(next, other);
  }
  return reachable[other.length] === true;
}

function closure(reachable: boolean[], pattern: string): boolean[] {
  for (let j = 0; j < pattern.length; j += 1) if (reachable[j] === true && pattern[j] === '*') reachable[j + 1] = true;
  return reachable;
}

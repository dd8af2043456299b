// The rewrite rule: gives identities, or selected texts, another spelling by a regular expression. With `identities` no position is left
// out; domains in rules follow when the expression moves all their users alike, and refuse when it moves only some.
import { canonicalUri, uriDomain } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { AttributeView, ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { type BoundedPattern, replaceFirst } from './bounded-pattern.ts';
import type { ElementPaths, PolicyEdit } from './edits.ts';
import { attributeEdit, readableIdentity } from './identity-edits.ts';
import { canonicalDomain } from './identity-filter.ts';
import { identityPositions } from './identity-positions.ts';

export interface Rewriting {
  readonly pattern: BoundedPattern;
  readonly replacement: string;
}

/** User parts that stand for every user of a domain: an expression that moves all of these alike moves everybody. */
const probes = ['a', 'ZULU', '7', 'first.last-2_x', '+4912345', '%C3%A9', 'a;b=c'];

/** Plans the edits of `rewrite: { identities: true }`. Throws Refusal `constraint-failure` for what it cannot resolve. */
export function planRewrite(
  index: OffsetIndex,
  paths: ElementPaths,
  rewriting: Rewriting,
  endToEnd: boolean,
): readonly PolicyEdit[] {
  const { users, manys } = identityPositions(index, endToEnd);
  const edits: PolicyEdit[] = [];
  /** Domains that at least one identity of the document has left. */
  const left = new Set<string>();
  /** Domains of which at least one identity of the document stays. */
  const stayed = new Set<string>();
  const known = new Map<string, string>();
  const rewriteUser = (element: ElementId, attribute: AttributeView): void => {
    const identity = readableIdentity(paths, element, attribute.value);
    const rewritten = known.get(identity) ?? rewrittenUri(rewriting, identity);
    known.set(identity, rewritten);
    const domain = uriDomain(identity);
    if (domain !== undefined) (uriDomain(rewritten) === domain ? stayed : left).add(domain);
    if (rewritten === identity) return;
    edits.push(attributeEdit(index, paths, element, attribute, rewritten));
  };
  for (const { element, attribute } of users) rewriteUser(element, attribute);
  const domains: [ElementId, AttributeView][] = [];
  for (const many of manys) {
    if (many.domain !== undefined) domains.push([many.element, many.domain]);
    for (const { element, id, domain } of many.excepts) {
      if (id !== undefined) rewriteUser(element, id);
      if (domain !== undefined) domains.push([element, domain]);
    }
  }
  for (const [element, attribute] of domains) {
    const domain = canonicalDomain(attribute.value);
    if (domain === undefined) throw cannotTell(paths, element, attribute.value);
    const moved = movedDomain(rewriting, domain);
    const target = moved ?? domain;
    // A probe is a plain SIP URI; `sips:`, a port or a parameter may keep an identity from the pattern.
    const isPart = target === 'some' || (target === domain ? left : stayed).has(domain);
    if (isPart) throw cannotTell(paths, element, domain);
    if (moved !== undefined && moved !== domain) edits.push(attributeEdit(index, paths, element, attribute, moved));
  }
  return edits;
}

/** The canonical URI that an identity becomes. Throws Refusal `constraint-failure` when that is no URI. */
function rewrittenUri({ pattern, replacement }: Rewriting, identity: string): string {
  const rewritten = replaceFirst(pattern, identity, replacement);
  if (rewritten === undefined) return identity;
  const canonical = canonicalUri(rewritten);
  if (canonical === undefined) {
    throw new Refusal('constraint-failure', {
      phrase: `rewriting ${identity} gives "${rewritten.slice(0, 200)}", which is no URI`,
    });
  }
  return canonical;
}

/** The domain that all users of a domain move to; undefined when the expression leaves them where they are. */
function movedDomain(rewriting: Rewriting, domain: string): string | 'some' | undefined {
  const targets = new Set(
    probes.map((user) => {
      const identity = canonicalUri(`sip:${user}@${domain}`) ?? '';
      const moved = replaceFirst(rewriting.pattern, identity, rewriting.replacement);
      return moved === undefined ? undefined : (uriDomain(canonicalUri(moved) ?? '') ?? 'some');
    }),
  );
  const [target] = targets;
  return targets.size === 1 ? target : 'some';
}

function cannotTell(paths: ElementPaths, element: ElementId, domain: string): Refusal {
  return new Refusal('constraint-failure', {
    phrase: `${paths.of(element)} names all users of ${domain.slice(0, 200)}, of whom the pattern rewrites only some`,
  });
}

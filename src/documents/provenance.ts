// Where a served foreign document comes from: what the policy did to the source, kept in bounds beside source and overlay.
// Who was notified is in the journal.
import type { RecordWrite } from '../store/store.ts';
import type { ForeignGroup } from './documents.ts';

/** Under which kinds the store keeps, by canonical group ID, what a policy did, and why it refused a kept source. */
export const provenanceKind = 'provenance';
export const refusedKind = 'derivation-refused';

/** One rule that changed something, with what stood there before and after. */
export interface RuleTrace {
  readonly rule: string;
  readonly kind: string;
  readonly changes: readonly {
    readonly path: string;
    readonly before?: string | undefined;
    readonly after?: string | undefined;
  }[];
  /** How many more changes the rule made. */
  readonly unlisted?: number | undefined;
}

/** What a policy did to a source. */
export interface DerivationTrace {
  /** Digest of the policy's texts; absent for what no file describes. */
  readonly policyDigest?: string | undefined;
  readonly rules: readonly RuleTrace[];
}

/** What is kept of a derivation. */
export interface KeptDerivation extends DerivationTrace {
  readonly policy: string;
  readonly policyVersion: number;
  /** Tag of what the policy made, before local edits. */
  readonly derivedTag: string;
  /** ISO 8601. */
  readonly derivedAt: string;
}

/** A policy that did not accept the source any more; what is served is older. */
export interface RefusedDerivation {
  readonly policy: string;
  readonly policyVersion: number;
  readonly policyDigest?: string | undefined;
  readonly code: string;
  readonly cause: string;
  /** ISO 8601. */
  readonly at: string;
}

/** Characters of all changes that are kept of one group. */
const mostText = 64 * 1024;

/** What a commit that stores a derived document keeps with it. */
export function provenanceWrites(group: ForeignGroup, derivedTag: string, derivedAt: string): readonly RecordWrite[] {
  const { groupId, policy, policyVersion, derivation } = group;
  const forgotten = { kind: refusedKind, name: groupId };
  if (derivation === undefined) return [forgotten];
  const { policyDigest, rules } = derivation;
  const kept: KeptDerivation = { policy, policyVersion, policyDigest, derivedTag, derivedAt, rules: bounded(rules) };
  return [forgotten, { kind: provenanceKind, name: groupId, value: JSON.stringify(kept) }];
}

/** What goes when a foreign group goes. */
export function forgottenProvenance(groupId: string): readonly RecordWrite[] {
  return [
    { kind: provenanceKind, name: groupId },
    { kind: refusedKind, name: groupId },
  ];
}

function bounded(rules: readonly RuleTrace[]): readonly RuleTrace[] {
  let room = mostText;
  return rules.map((rule) => {
    const changes = rule.changes.filter(({ path, before = '', after = '' }) => {
      room -= path.length + before.length + after.length;
      return room >= 0;
    });
    const left = rule.changes.length - changes.length + (rule.unlisted ?? 0);
    return { ...rule, changes, unlisted: left === 0 ? undefined : left };
  });
}

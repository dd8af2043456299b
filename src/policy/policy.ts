// A partner's policy as a value: loaded from YAML, applied as a pure function of document and context.
// How rules act lives in the files beside this one; here is what the other rooms see.
import type { McService } from '../config/schema.ts';

/** Everything a rule may know beside the document. */
export interface PolicyContext {
  /** True when the identity (canonical URI) receives service in this system. */
  readonly isServed: (identity: string) => boolean;
  readonly partner: string;
  readonly direction: 'inbound' | 'outbound';
  readonly groupId: string;
  /** Services the agreement lets through; absent = all. */
  readonly services?: readonly McService[] | undefined;
  /** What the agreement says about members of third systems; absent = they stay. */
  readonly thirdSystemMembers?: ThirdSystemMembers | undefined;
}

export interface ThirdSystemMembers {
  readonly treatment: 'drop' | 'refuse';
  /** True when the identity (canonical URI) belongs to one of the two systems of the agreement. */
  readonly isOfEither: (identity: string) => boolean;
}

/** One rule that changed the document. */
export interface AppliedRule {
  readonly rule: string;
  readonly kind: string;
  readonly changes: readonly RuleChange[];
}

export interface RuleChange {
  /** Where: readable path from the root, e.g. `group/list-service/list/entry[3]`. */
  readonly path: string;
  /** Source text before; absent = inserted. */
  readonly before?: string | undefined;
  /** Source text after; absent = removed. */
  readonly after?: string | undefined;
}

export interface Derivation {
  readonly bytes: Uint8Array;
  readonly applied: readonly AppliedRule[];
}

/** Judges a derived document; throws the Refusal of what is wrong with it. */
export type DocumentCheck = (document: Uint8Array) => Promise<void>;

/** A loaded policy. */
export interface Policy {
  readonly name: string;
  readonly version: number;
  /** SHA-256 of the file's text: tells an edited file from the one before, even where the version was forgotten. */
  readonly digest?: string | undefined;
  /**
   * Derives a document from one that is known to be valid; bytes that no rule touches stay. With `check`, a result that differs is
   * checked. Throws Refusal `constraint-failure` with the phrase of a failed `require`, of a rule that cannot act, or naming the rule
   * whose result `check` refuses.
   */
  apply(document: Uint8Array, context: PolicyContext, check?: DocumentCheck): Promise<Derivation>;
}

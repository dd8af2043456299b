// A partner's policy as a value: loaded from YAML, applied as a pure function of document and context.
// How rules act lives in the files beside this one; here is what the other rooms see.
import type { McService } from '../config/schema.ts';

/** Everything a rule may know beside the document. */
export interface PolicyContext {
  /** True when the identity (canonical URI) receives service in this system. */
  readonly isServed: (identity: string) => boolean;
  /** The same as plain data: lets rules run in a thread of their own. Absent: they run in the calling one. */
  readonly users?: PolicyUsers | undefined;
  readonly partner: string;
  readonly direction: 'inbound' | 'outbound';
  readonly groupId: string;
  /** Services the agreement lets through; absent = all. */
  readonly services?: readonly McService[] | undefined;
  /** What the agreement says about members of third systems; absent = they stay. */
  readonly thirdSystemMembers?: ThirdSystemMembers | undefined;
}

/** Whom the systems of an agreement serve, as plain data. */
export interface PolicyUsers {
  readonly own: {
    readonly domains: readonly string[];
    readonly servedUsers: readonly string[];
    readonly awayUsers: readonly string[];
  };
  /** Domains and users of both systems. */
  readonly either: { readonly domains: readonly string[]; readonly users: readonly string[] };
}

export interface ThirdSystemMembers {
  readonly treatment: 'drop' | 'refuse';
  /** True when the identity (canonical URI) belongs to one of the two systems of the agreement. */
  readonly isOfEither: (identity: string) => boolean;
}

/** One rule that changed the document; bounded in size, whatever the document. */
export interface AppliedRule {
  readonly rule: string;
  readonly kind: string;
  /** The first changes in document order, until `listedText` is reached by all rules together. */
  readonly changes: readonly RuleChange[];
  /** How many more the rule made; absent = none. */
  readonly unlisted?: number | undefined;
}

export interface RuleChange {
  /** Where: readable path from the root, e.g. `group/list-service/list/entry[3]`. */
  readonly path: string;
  /** Source text before; absent = inserted. Longer text than `longestChange` is cut and ends with an ellipsis. */
  readonly before?: string | undefined;
  /** Source text after, cut likewise; absent = removed. */
  readonly after?: string | undefined;
}

/** Characters of all changes listed for one derivation. */
export const listedText = 500_000;
/** Longest text of one side of a change, characters. */
export const longestChange = 1000;

export interface Derivation {
  readonly bytes: Uint8Array;
  readonly applied: readonly AppliedRule[];
}

/** Judges a derived document; throws the Refusal of what is wrong with it. */
export type DocumentCheck = (document: Uint8Array) => Promise<void>;

/** The texts that a policy is made of: what a version can be kept as, and what is compiled again from it. Holds no key. */
export interface PolicySource {
  /** Name of the policy file. */
  readonly file: string;
  readonly text: string;
  /** Included policies, areas and stylesheets: text by name below the folder of the policy file, with `/`. */
  readonly files: Readonly<Record<string, string>>;
}

/** A loaded policy. */
export interface Policy {
  readonly name: string;
  readonly version: number;
  /** SHA-256 of all texts: tells an edited file from the one before, even where the version was forgotten. */
  readonly digest?: string | undefined;
  /** Absent for what no file describes. */
  readonly source?: PolicySource | undefined;
  /**
   * Derives a document from one that is known to be valid; bytes that no rule touches stay. With `check`, a result that differs is
   * checked. Throws Refusal `constraint-failure` with the phrase of a failed `require`, of a rule that cannot act, or naming the rule
   * whose result `check` refuses.
   */
  apply(document: Uint8Array, context: PolicyContext, check?: DocumentCheck): Promise<Derivation>;
  /** Frees what the policy holds; derivations under way end as they would. */
  close(): void;
}

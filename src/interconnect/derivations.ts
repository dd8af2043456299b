// How far the derivation of a partner's groups by changed settings is, for operators. Kept in memory: after a restart it begins anew.

/** The derivation that runs or ran last for a partner. */
export interface DerivationProgress {
  /** Name and version of the policy. */
  readonly policy: string;
  readonly policyVersion: number;
  /** ISO 8601. */
  readonly started: string;
  /** ISO 8601; absent = it runs. */
  readonly finished?: string | undefined;
  /** Groups to derive; the other counts add up to it when it has finished. */
  readonly total: number;
  readonly changed: number;
  readonly unchanged: number;
  /** Groups that the policy does not accept any more: what was served before stays. */
  readonly refused: number;
}

export type DerivationOutcome = 'changed' | 'unchanged' | 'refused';

/** Digests of a partner's policies; empty for the one without a file. */
export interface PolicyDigests {
  readonly inbound: string;
  readonly outbound: string;
}

export class Derivations {
  readonly #progress = new Map<string, DerivationProgress>();
  readonly #inLine = new Map<string, PolicyDigests>();

  begin(partner: string, about: Pick<DerivationProgress, 'policy' | 'policyVersion' | 'started' | 'total'>): void {
    this.#progress.set(partner, { ...about, changed: 0, unchanged: 0, refused: 0 });
  }

  count(partner: string, outcome: DerivationOutcome): void {
    const before = this.#progress.get(partner);
    if (before !== undefined) this.#progress.set(partner, { ...before, [outcome]: before[outcome] + 1 });
  }

  /** `finished`: ISO 8601. */
  end(partner: string, finished: string): void {
    const before = this.#progress.get(partner);
    if (before !== undefined) this.#progress.set(partner, { ...before, finished });
  }

  /** Everything of a partner is as the policies with these digests want it. */
  inLine(partner: string, digests: PolicyDigests): void {
    this.#inLine.set(partner, digests);
  }

  /** The policies with which everything was in line last; undefined before that. */
  inLineWith(partner: string): PolicyDigests | undefined {
    return this.#inLine.get(partner);
  }

  /** Undefined when nothing had to be derived since the start. */
  of(partner: string): DerivationProgress | undefined {
    return this.#progress.get(partner);
  }
}

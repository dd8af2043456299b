// How the commits of a store were batched, for metrics and tests. Both engines count alike.

/** What a store has done since it was opened. */
export interface CommitCounters {
  /** Durable transactions, each one wait for the disk. */
  readonly transactions: number;
  /** Commits asked for, whatever came of them. */
  readonly commits: number;
  /** Commits refused because an expectation or a group ID did not hold. */
  readonly conflicts: number;
  /** Commits rejected because the disk or the engine failed. */
  readonly failures: number;
}

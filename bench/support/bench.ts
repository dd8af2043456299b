// What every measurement of the bench folder exports.

export interface BenchOptions {
  /** How often each candidate is measured, in turns. */
  readonly rounds: number;
  /** How long one round of one candidate lasts. */
  readonly seconds: number;
  /** File that takes the results as JSON, where the measurement knows how. */
  readonly json: string | undefined;
  /** Whether a missed bar is a failure too, where a measurement has several. */
  readonly check: boolean;
  /** Only these rows of the table, where the measurement has several that can be told apart; absent = all. */
  readonly rows?: readonly string[] | undefined;
  readonly write: (line: string) => void;
}

export interface Bench {
  /** Measures and prints; resolves to the exit code: 1 when something failed or a bar was missed. Throws when something is missing. */
  run(options: BenchOptions): Promise<number>;
}

// What every measurement of the bench folder exports.

export interface BenchOptions {
  /** How often each candidate is measured, in turns. */
  readonly rounds: number;
  /** How long one round of one candidate lasts. */
  readonly seconds: number;
  readonly write: (line: string) => void;
}

export interface Bench {
  /** Measures and prints; resolves to the exit code: 1 when a bar was missed or something needed is missing. */
  run(options: BenchOptions): Promise<number>;
}

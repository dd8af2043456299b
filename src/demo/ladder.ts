// The ladder of messages as the demo prints it: one line a message, the flow's step number in front, indented claims below.

export interface Ladder {
  /** A heading between groups of messages. */
  heading(text: string): void;
  /** One message: step number of TS 23.280 (or empty), who to whom, the protocol line that carried it. */
  message(step: string, from: string, to: string, line: string): void;
  /** Something that happened inside one system and was seen from outside. */
  claim(step: string, text: string): void;
}

/** A ladder written line by line through `write` (without line ends). */
export function textLadder(write: (line: string) => void): Ladder {
  const started = performance.now();
  const clock = (): string => `${((performance.now() - started) / 1000).toFixed(2).padStart(6)}s`;
  return {
    heading: (text) => write(`\n${text}`),
    message: (step, from, to, line) => write(`${clock()}  ${step.padEnd(10)} ${`${from} -> ${to}`.padEnd(29)} ${line}`),
    claim: (step, text) => write(`${clock()}  ${step.padEnd(10)} ${''.padEnd(29)} verified: ${text}`),
  };
}

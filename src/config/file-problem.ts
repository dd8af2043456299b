// One thing wrong with a file an operator wrote: the shape every check of configuration and policy files reports in.

/** `file` and `line` (from 1) say where, `key` which key or rule, `text` what is wrong. */
export interface FileProblem {
  readonly file: string;
  readonly line: number;
  readonly key: string;
  readonly text: string;
}

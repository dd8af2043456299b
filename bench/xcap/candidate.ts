// What is measured: our gateway, and the servers it is compared with.

export type CandidateName = 'mcgw' | 'node:http' | 'nginx' | 'kamailio';

export interface Candidate {
  readonly name: CandidateName;
  readonly port: number;
  /** Processes whose time, with that of their descendants, counts as the candidate's. */
  readonly processes: readonly number[];
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Media type of documents and of elements, sent with PUT. */
  readonly types: { readonly document: string; readonly element: string };
  /** Request target of a document. */
  documentPath(name: string): string;
  /** Stores a document before the measurement. */
  store(name: string, document: string): Promise<void>;
  /** Watches the event loop of the server, where it has one that we can see into. */
  readonly loop?: LoopWatch;
}

export interface LoopWatch {
  start(): void;
  /** Longest time since `start` that the loop was blocked, milliseconds. */
  stop(): Promise<number>;
}

// One request with its answer under way, as the listener hands it to a face.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BodyAccount } from './body-budget.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The caller waits for 100 (Continue) before it sends the body. */
  readonly expectsContinue: boolean;
  /** Pays for the body until the request is answered. */
  readonly account: BodyAccount;
}

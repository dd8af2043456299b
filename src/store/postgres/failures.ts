// What went wrong at the server or on the way to it, told apart by SQLSTATE (PostgreSQL documentation, appendix A), in words for operators.
// No message repeats a password or a stored text: only what the server calls the error's message is passed on.

import { DatabaseError } from 'pg';
import { type PostgresAddress, shownPostgresAddress } from '../../postgres-url.ts';
import { StoreError, type StoreErrorReason } from '../store-error.ts';

/** A connection is gone. What was under way on it may or may not have been done. */
export class ConnectionLost extends Error {
  constructor(cause: unknown) {
    super(`the connection was lost: ${messageOf(cause)}`);
    this.name = 'ConnectionLost';
  }
}

/** SQLSTATE of an error that the server reported; undefined for every other one. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}

/** Errors after which a session is of no use: it ends, the server does, or the server takes no writes any more (a demoted primary). */
export function endsSession(error: unknown): boolean {
  return /^(?:08...|57P0[1-5]|25006|25P03)$/.test(sqlState(error) ?? '');
}

/** In a transaction that has failed already: the error before it says why. */
export function followsAnother(error: unknown): boolean {
  return sqlState(error) === '25P02';
}

/** A value that the server refuses concerns one commit; everything else concerns all that share its transaction. */
export function concernsOneCommit(error: unknown): boolean {
  return /^(?:22|23|54)/.test(sqlState(error) ?? '');
}

/** The StoreError for whatever kept us from opening or using the store at `address`. */
export function storeFailure(address: PostgresAddress, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const [reason, text] = explained(address, error);
  return new StoreError(reason, `${shownPostgresAddress(address)}: ${text}`, withoutDetail(error));
}

/** A StoreError about the store at `address`. */
export function storeProblem(address: PostgresAddress, reason: StoreErrorReason, text: string): StoreError {
  return new StoreError(reason, `${shownPostgresAddress(address)}: ${text}`);
}

/** The message of whatever was thrown; of several attempts at one host the first. */
export function messageOf(error: unknown): string {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const { message, code } = (first ?? {}) as { readonly message?: unknown; readonly code?: unknown };
  if (typeof message === 'string' && message !== '') return message;
  return typeof code === 'string' ? code : String(first);
}

function explained({ user, database }: PostgresAddress, error: unknown): readonly [StoreErrorReason, string] {
  const message = messageOf(error);
  switch (sqlState(error)) {
    case undefined:
      if (/client password must be/i.test(message)) {
        return [
          'refused',
          `the server asks for the password of role ${user}, and none is given (in the URL or PGPASSWORD)`,
        ];
      }
      if (error instanceof ConnectionLost) return ['unreachable', message];
      return ['unreachable', `the server cannot be reached: ${message}`];
    case '28P01':
      return ['refused', `the server refuses role ${user}: wrong password, or no such role`];
    case '28000':
      return ['refused', `the server refuses role ${user}: ${message}`];
    case '3D000':
      return [
        'refused',
        `the database ${database} does not exist; create it with: createdb -E UTF8 -O ${user} ${database}`,
      ];
    case '42501':
      return ['not-writable', `role ${user} lacks a right: ${message}`];
    case '25006':
      return ['not-writable', `the server takes no writes: ${message}`];
    case '53300':
    case '57P03':
      return ['unreachable', `the server takes no connections now: ${message}`];
    default:
      return endsSession(error) ? ['unreachable', `the server ended the connection: ${message}`] : ['failed', message];
  }
}

// The detail of an error quotes rows, and a cause is logged whole.
function withoutDetail(error: unknown): unknown {
  if (!(error instanceof DatabaseError)) return error;
  return Object.assign(new Error(error.message), { code: error.code });
}

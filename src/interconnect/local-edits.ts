// What operators do with the local edits of foreign groups: drop them, or base them anew on what the policy derives now.
import type { OverlayChange, OverlayEdit } from '../documents/overlay.ts';
import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { InterconnectionContext } from './context.ts';
import { changeLocalEdits } from './foreign.ts';

/** How local edits are based anew. */
export interface RebaseOrder {
  /** Number of one edit; absent = all, and those that conflict are dropped. */
  readonly edit?: number | undefined;
  /** With `edit`: the selector (RFC 5261) at which its operation acts from now on. */
  readonly select?: string | undefined;
}

export class LocalEdits {
  readonly #context: InterconnectionContext;

  constructor(context: InterconnectionContext) {
    this.#context = context;
  }

  /** Drops one edit or all, and derives the group again. Throws `not-found`. */
  async drop(groupId: string, edit: number | undefined, actor: string): Promise<readonly OverlayEdit[]> {
    return this.#change(
      groupId,
      (edits) => {
        if (!edits.some(({ number }) => edit === undefined || number === edit)) throw noSuchEdit();
        return { edits: edits.filter(({ number }) => edit !== undefined && number !== edit) };
      },
      actor,
    );
  }

  /**
   * Takes what the policy derives now as what the edits are based on: those that do not apply to it are dropped. With one edit and a
   * selector, that edit acts there from now on; where it does not apply, nothing is changed (`constraint-failure`).
   */
  async rebase(groupId: string, { edit, select }: RebaseOrder, actor: string): Promise<readonly OverlayEdit[]> {
    const change: OverlayChange = (edits) => {
      if (edit === undefined) {
        if (edits.length === 0) throw noSuchEdit();
        return { edits: edits.filter(({ conflict }) => conflict === undefined) };
      }
      const moved = edits.find(({ number }) => number === edit);
      if (moved === undefined) throw noSuchEdit();
      const [operation, another] = moved.operations;
      if (operation === undefined || (select !== undefined && another !== undefined)) {
        throw new Refusal('bad-request', { phrase: 'The edit has several operations: drop it and make it anew' });
      }
      const operations = select === undefined ? moved.operations : [{ ...operation, sel: select }];
      const { conflict: _, ...rest } = moved;
      const based = { ...rest, operations };
      return { edits: edits.map((one) => (one === moved ? based : one)), mustApply: edit };
    };
    return this.#change(groupId, change, actor);
  }

  async #change(groupId: string, change: OverlayChange, actor: string): Promise<readonly OverlayEdit[]> {
    const canonical = canonicalUri(groupId) ?? groupId;
    await changeLocalEdits(this.#context, canonical, change, actor);
    return (await this.#context.documents.overlay(canonical)).edits;
  }
}

function noSuchEdit(): Refusal {
  return new Refusal('not-found', { phrase: 'This group has no such local edit' });
}

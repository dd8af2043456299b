// A policy as a value that the other rooms use: compiled once, run here when that is sure to be quick, else in a worker thread; checked
// afterwards, and when the result does not pass, run again to find the rule that broke it.
import { Refusal } from '../refusals.ts';
import { withAgreement } from './agreement-rules.ts';
import {
  type CompiledPolicy,
  compilePolicy,
  compileRead,
  type PlacedSelection,
  type ReadRules,
} from './compile-policy.ts';
import type { Derivation, DocumentCheck, Policy, PolicyContext, PolicySource } from './policy.ts';
import type { PolicyResources } from './policy-resources.ts';
import type { PlainContext } from './policy-worker.ts';
import type { PolicyWorkers } from './policy-workers.ts';
import { runRules } from './run-rules.ts';

/** Documents up to this size run in the calling thread, bytes. */
const smallDocument = 64 * 1024;
/** The same for the number of start tags. */
const fewTags = 1500;
/** The same for how many elements the rules may have to look at, each of them as often as it does. */
const lightWork = 30_000;
/** What every rule costs for each element: reading what the rule before it left. */
const everyRule = 1;

let policiesLoaded = 0;

/** What a policy is made of. */
export interface PolicyParts {
  readonly resources: PolicyResources;
  readonly digest: string;
  readonly name: string;
  readonly version: number;
  /** Its rules as data; absent for a policy that is too large to be handed around like that. */
  readonly rules?: ReadRules | undefined;
  /** Its rules ready to run, the policy's from now on; absent for a policy that runs in worker threads alone. */
  readonly compiled?: CompiledPolicy | undefined;
}

export class LoadedPolicy implements Policy {
  readonly name: string;
  readonly version: number;
  readonly digest: string;
  readonly source: PolicySource;
  /** Expressions by which rules select parts of a document, with their places. */
  readonly selections: () => readonly PlacedSelection[];
  readonly #id: string;
  readonly #resources: PolicyResources;
  readonly #rules: ReadRules | undefined;
  readonly #workers: () => PolicyWorkers;
  #compiled: CompiledPolicy | undefined;
  #running = 0;
  #closed = false;

  constructor({ resources, digest, name, version, rules, compiled }: PolicyParts, workers: () => PolicyWorkers) {
    this.#resources = resources;
    this.#rules = rules;
    this.#workers = workers;
    this.#compiled = compiled;
    this.#id = `${digest} ${++policiesLoaded}`;
    this.name = name;
    this.version = version;
    this.digest = digest;
    this.source = resources.source;
    this.selections = () => this.#ready().selections;
  }

  async apply(document: Uint8Array, context: PolicyContext, check?: DocumentCheck): Promise<Derivation> {
    this.#running++;
    try {
      const derivation = await this.#derive(document, context);
      if (check === undefined || derivation.applied.length === 0) return derivation;
      try {
        await check(derivation.bytes);
      } catch (error) {
        if (!(error instanceof Refusal) || error.code === 'unavailable') throw error;
        throw await this.#withCulprit(document, context, derivation, check, error);
      }
      return derivation;
    } finally {
      this.#running--;
      if (this.#closed) this.#free();
    }
  }

  close(): void {
    this.#closed = true;
    this.#free();
  }

  #free(): void {
    if (this.#running > 0) return;
    this.#compiled?.dispose();
    this.#compiled = undefined;
  }

  // Whoever got hold of a policy before it was replaced may still use it.
  #ready(): CompiledPolicy {
    this.#compiled ??=
      this.#rules === undefined ? compilePolicy(this.#resources) : compileRead(this.#resources, this.#rules);
    return this.#compiled;
  }

  async #derive(document: Uint8Array, context: PolicyContext, most?: number): Promise<Derivation> {
    const plain = plainContext(context);
    // What is too large to be compiled here, or was freed already, runs where compiling it holds up nobody.
    if (plain !== undefined && (this.#compiled === undefined || !isQuick(this.#compiled, document))) {
      return this.#workers().derive(
        { id: this.#id, resources: this.#resources, rules: this.#rules },
        document,
        plain,
        most,
      );
    }
    return runRules(withAgreement(this.#ready().rules, context), document, context, { most });
  }

  /** The refusal of a derived document, naming the last rule that turned a good document into a bad one. */
  async #withCulprit(
    document: Uint8Array,
    context: PolicyContext,
    { applied }: Derivation,
    check: DocumentCheck,
    refusal: Refusal,
  ): Promise<Refusal> {
    let number = applied.length;
    while (number > 1) {
      const { bytes } = await this.#derive(document, context, number - 1);
      if (await passes(check, bytes)) break;
      number--;
    }
    const culprit = applied[number - 1]?.rule;
    return new Refusal('constraint-failure', {
      phrase: `The policy rule "${culprit}" leaves a document that is not valid: ${refusal.phrase}`,
      cause: `policy rule "${culprit}": ${refusal.code}: ${refusal.detail.cause ?? refusal.phrase}`,
    });
  }
}

/** True when running the rules on a document is sure to take little time. */
function isQuick({ rules }: CompiledPolicy, document: Uint8Array): boolean {
  const bytes = document.byteLength;
  if (bytes > smallDocument || rules.some(({ kind }) => kind === 'stylesheet')) return false;
  const elements = tagsIn(document);
  if (elements > fewTags) return false;
  const size = { bytes, elements };
  const work = rules.reduce((sum, rule) => sum + elements * everyRule + (rule.weight?.(size) ?? 0), 0);
  return work <= lightWork;
}

function plainContext(context: PolicyContext): PlainContext | undefined {
  const { users, direction, groupId, partner, services, thirdSystemMembers } = context;
  if (users === undefined) return undefined;
  return { users, direction, groupId, partner, services, treatment: thirdSystemMembers?.treatment };
}

function tagsIn(bytes: Uint8Array): number {
  let tags = 0;
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === 0x3c && bytes[at + 1] !== 0x2f) tags++;
  return tags;
}

async function passes(check: DocumentCheck, bytes: Uint8Array): Promise<boolean> {
  try {
    await check(bytes);
    return true;
  } catch (error) {
    if (error instanceof Refusal && error.code !== 'unavailable') return false;
    throw error;
  }
}

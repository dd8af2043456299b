// Worker thread that reads policies, and runs them on large documents, stylesheets, and whatever could take long. Tells which rule it is at, so that one
// that takes too long can be named; keeps the policies that it was given.
import { parentPort, workerData } from 'node:worker_threads';
import type { FileProblem } from '../config/file-problem.ts';
import { servedUsers } from '../identity/served.ts';
import { canonicalUri, uriDomain } from '../identity/uri.ts';
import { Refusal, type RefusalCode, type RefusalDetail } from '../refusals.ts';
import { withAgreement } from './agreement-rules.ts';
import { type CompiledPolicy, compilePolicy, compileRead, type ReadRules } from './compile-policy.ts';
import type { Derivation, PolicyContext, PolicySource, PolicyUsers, ThirdSystemMembers } from './policy.ts';
import { PolicyFileError } from './policy-problems.ts';
import { type CompiledStylesheet, digestOf, type PolicyResources } from './policy-resources.ts';
import { parsingOnce } from './policy-text.ts';
import { resourcesOf } from './read-policy.ts';
import { runRules } from './run-rules.ts';
import { useStylesheetProcessor } from './stylesheet.ts';
import { installCommand, StylesheetProcessor } from './stylesheet-processor.ts';

/** What a rule may know, as plain data. */
export interface PlainContext extends Pick<PolicyContext, 'direction' | 'groupId' | 'partner' | 'services'> {
  readonly users: PolicyUsers;
  readonly treatment?: ThirdSystemMembers['treatment'] | undefined;
}

export type PolicyJob =
  | { readonly kind: 'compile'; readonly stylesheet: string }
  | { readonly kind: 'read'; readonly source: PolicySource }
  | {
      readonly kind: 'derive';
      /** Tells the policy from all others of this process. */
      readonly policy: string;
      /** What to compile it from; a thread that does not know the policy asks for it. */
      readonly made?: { readonly resources: PolicyResources; readonly rules: ReadRules | undefined } | undefined;
      readonly document: Uint8Array;
      readonly context: PlainContext;
      /** Rules that may change something before the run stops. */
      readonly most?: number | undefined;
    };

export type PolicyVerdict =
  | { readonly compiled: CompiledStylesheet }
  | { readonly read: ReadPolicy }
  | { readonly problems: readonly FileProblem[] }
  | { readonly derivation: Derivation }
  | { readonly unknownPolicy: true }
  | { readonly refusal: RefusalCode; readonly detail: RefusalDetail }
  | { readonly failure: string };

/** A policy that was read here and is usable: compiling it needs no look at its texts. */
export interface ReadPolicy extends Omit<PolicyResources, 'source'> {
  readonly digest: string;
  readonly name: string;
  readonly version: number;
  /** Absent for a policy that is too large to be compiled in the thread of the event loop. */
  readonly rules?: ReadRules | undefined;
}

/** Characters of all texts of a policy above which its rules stay in threads like this. */
const largePolicy = 64 * 1024;
/** Policies that a thread keeps compiled. */
const policiesKept = 100;

const { saxon } = workerData as { readonly saxon: string };
const policies = new Map<string, CompiledPolicy>();
let processor: Promise<StylesheetProcessor | undefined> | undefined;

async function loadedProcessor(): Promise<StylesheetProcessor | undefined> {
  processor ??= StylesheetProcessor.load(saxon);
  const loaded = await processor;
  useStylesheetProcessor(loaded);
  return loaded;
}

async function compileStylesheet(text: string): Promise<PolicyVerdict> {
  const loaded = await loadedProcessor();
  parentPort?.postMessage({ started: true });
  return { compiled: loaded === undefined ? withoutProcessor : loaded.compile(text) };
}

const withoutProcessor: CompiledStylesheet = {
  problems: [{ text: `stylesheets need an optional package: ${installCommand}` }],
};

async function read(source: PolicySource): Promise<PolicyVerdict> {
  parentPort?.postMessage({ started: true });
  const parse = parsingOnce();
  const compile = async (text: string): Promise<CompiledStylesheet> => {
    const loaded = await loadedProcessor();
    return loaded === undefined ? withoutProcessor : loaded.compile(text);
  };
  try {
    const resources = await resourcesOf(source, { parse, compile });
    const { read: rules, dispose, name, version } = compilePolicy(resources, parse);
    dispose();
    const { unreadable, keys, stylesheets } = resources;
    const made = { unreadable, keys, stylesheets, digest: digestOf(resources), name, version };
    return { read: isLarge(source) ? made : { ...made, rules } };
  } catch (error) {
    if (error instanceof PolicyFileError) return { problems: error.problems };
    throw error;
  }
}

function isLarge({ text, files }: PolicySource): boolean {
  return Object.values(files).reduce((sum, one) => sum + one.length, text.length) > largePolicy;
}

async function derive(job: Extract<PolicyJob, { kind: 'derive' }>): Promise<PolicyVerdict> {
  let policy = policies.get(job.policy);
  if (policy === undefined) {
    if (job.made === undefined) return { unknownPolicy: true };
    const { resources, rules } = job.made;
    if (resources.stylesheets.size > 0) await loadedProcessor();
    policy = rules === undefined ? compilePolicy(resources) : compileRead(resources, rules);
    // The oldest goes first; used ones move behind.
    for (const [name, old] of policies) {
      if (policies.size < policiesKept) break;
      old.dispose();
      policies.delete(name);
    }
  }
  policies.delete(job.policy);
  policies.set(job.policy, policy);
  parentPort?.postMessage({ started: true });
  const context = contextOf(job.context);
  const derivation = await runRules(withAgreement(policy.rules, context), job.document, context, {
    most: job.most,
    at: (rule) => parentPort?.postMessage({ place: rule }),
  });
  return { derivation };
}

function contextOf({ users, treatment, ...rest }: PlainContext): PolicyContext {
  const { domains: own, servedUsers: guests, awayUsers } = users.own;
  const { isServed } = servedUsers({ domains: [...own], servedUsers: [...guests], awayUsers: [...awayUsers] });
  const domains = new Set(users.either.domains.map((domain) => domain.toLowerCase()));
  const either = new Set(users.either.users.map((user) => canonicalUri(user) ?? user));
  const isOfEither = (identity: string): boolean => either.has(identity) || domains.has(uriDomain(identity) ?? '');
  return {
    ...rest,
    isServed,
    users,
    ...(treatment === undefined ? {} : { thirdSystemMembers: { treatment, isOfEither } }),
  };
}

async function verdictOn(job: PolicyJob): Promise<PolicyVerdict> {
  try {
    if (job.kind === 'compile') return await compileStylesheet(job.stylesheet);
    return job.kind === 'read' ? await read(job.source) : await derive(job);
  } catch (error) {
    if (error instanceof Refusal) return { refusal: error.code, detail: error.detail };
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

parentPort?.on('message', (job: PolicyJob) => {
  void verdictOn(job).then((result) => {
    const bytes = 'derivation' in result ? result.derivation.bytes.buffer : undefined;
    parentPort?.postMessage({ result }, bytes instanceof ArrayBuffer && ownsBuffer(result) ? [bytes] : []);
  });
});

// Small buffers share one block with others and cannot move by themselves.
function ownsBuffer(result: PolicyVerdict): boolean {
  if (!('derivation' in result)) return false;
  const { bytes } = result.derivation;
  return bytes.byteLength === bytes.buffer.byteLength;
}

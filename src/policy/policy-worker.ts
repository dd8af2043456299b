// Worker thread that runs policies on large documents, stylesheets, and whatever could take long. Tells which rule it is at, so that one
// that takes too long can be named; keeps the policies that it was given.
import { parentPort, workerData } from 'node:worker_threads';
import { servedUsers } from '../identity/served.ts';
import { canonicalUri, uriDomain } from '../identity/uri.ts';
import { Refusal, type RefusalCode, type RefusalDetail } from '../refusals.ts';
import { withAgreement } from './agreement-rules.ts';
import { type CompiledPolicy, compilePolicy } from './compile-policy.ts';
import type { Derivation, PolicyContext, PolicyUsers, ThirdSystemMembers } from './policy.ts';
import type { CompiledStylesheet, PolicyResources } from './policy-resources.ts';
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
  | {
      readonly kind: 'derive';
      /** Tells the policy from all others of this process. */
      readonly policy: string;
      /** What to compile it from; a thread that does not know the policy asks for it. */
      readonly resources?: PolicyResources | undefined;
      readonly document: Uint8Array;
      readonly context: PlainContext;
      /** Rules that may change something before the run stops. */
      readonly most?: number | undefined;
    };

export type PolicyVerdict =
  | { readonly compiled: CompiledStylesheet }
  | { readonly derivation: Derivation }
  | { readonly unknownPolicy: true }
  | { readonly refusal: RefusalCode; readonly detail: RefusalDetail }
  | { readonly failure: string };

/** Policies that a thread keeps compiled. */
const policiesKept = 32;

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
  if (loaded === undefined) {
    return { compiled: { problems: [{ text: `stylesheets need an optional package: ${installCommand}` }] } };
  }
  return { compiled: loaded.compile(text) };
}

async function derive(job: Extract<PolicyJob, { kind: 'derive' }>): Promise<PolicyVerdict> {
  let policy = policies.get(job.policy);
  if (policy === undefined) {
    if (job.resources === undefined) return { unknownPolicy: true };
    policy = compilePolicy(job.resources);
    // The oldest goes first; used ones move behind.
    for (const [name, old] of policies) {
      if (policies.size < policiesKept) break;
      old.dispose();
      policies.delete(name);
    }
    if (job.resources.stylesheets.size > 0) await loadedProcessor();
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
    return job.kind === 'compile' ? await compileStylesheet(job.stylesheet) : await derive(job);
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

// What the agreement restricts, services and members of third systems, as rules around those of a policy file: it holds whatever they say.
import { Refusal } from '../refusals.ts';
import type { OffsetIndex } from '../xml/offset-index.ts';
import type { ElementPaths, PolicyEdit } from './edits.ts';
import { planMembers } from './members.ts';
import type { PolicyContext } from './policy.ts';
import type { CompiledRule } from './run-rules.ts';
import { planAllow } from './services.ts';

/** The rules of a policy with those of the agreement around them. */
export function withAgreement(rules: readonly CompiledRule[], context: PolicyContext): readonly CompiledRule[] {
  const third = thirdSystems(context);
  // The agreement judges what crosses the border: before our own rules when it comes in, after them when it leaves.
  const all = context.direction === 'inbound' ? [...third, ...rules] : [...rules, ...third];
  return [...agreedServices(context), ...all];
}

function agreedServices({ services }: PolicyContext): readonly CompiledRule[] {
  if (services === undefined) return [];
  return [
    { name: 'services of the agreement', kind: 'services', plan: (index, paths) => planAllow(index, paths, services) },
  ];
}

function thirdSystems({ thirdSystemMembers }: PolicyContext): readonly CompiledRule[] {
  if (thirdSystemMembers === undefined) return [];
  const { treatment, isOfEither } = thirdSystemMembers;
  const name = 'members of third systems';
  const leaving = (index: OffsetIndex, paths: ElementPaths): readonly PolicyEdit[] =>
    planMembers(index, paths, { keep: [{ served: true }] }, isOfEither);
  if (treatment === 'drop') return [{ name, kind: 'members', plan: leaving }];
  const refuse: CompiledRule['plan'] = (index, paths) => {
    if (leaving(index, paths).length === 0) return [];
    throw new Refusal('constraint-failure', { phrase: 'The agreement refuses groups with members of third systems' });
  };
  return [{ name, kind: 'require', plan: refuse }];
}

// What the configuration of a stranger's pull request may change: it may ask for more, never for less. Pure.

import { relative } from 'node:path';
import type { AllowRule, Config, StaticThresholds } from './types.js';
import { show } from './validate.js';

const WHO = 'a pull request from another repository';
/** From the loosest to the strictest. */
const POLICIES: readonly Config['policy'][] = ['static', 'evidence', 'strict'];

/** Keys that say how it is judged, or on whose machine: to be left as they are. */
const FIXED = [
  'kernels',
  'dtype',
  'execution_provider',
  'prompts',
  'max_prompt_tokens',
  'layers',
  'shards',
  'runs_on',
  'runners',
  'output',
] as const;

/**
 * One line for each key by which `theirs` asks for less than `ours`, or for other machines.
 * @param ours the configuration of the base branch, with the same inputs over it
 * @param root the workspace: paths in it are shown as the file has them
 * @param place names a key for messages
 */
export function loosened(theirs: Config, ours: Config, root: string, place: (key: string) => string): string[] {
  const lines: string[] = [];
  const shown = (value: unknown): string => show(typeof value === 'string' && value.startsWith(`${root}/`) ? relative(root, value) : value);
  const say = (key: string, what: string, rule: string): unknown =>
    lines.push(`${place(key.replaceAll('_', '-'))}: ${what}; ${WHO} may ${rule}`);
  for (const key of FIXED)
    if (JSON.stringify(theirs[key]) !== JSON.stringify(ours[key]))
      say(key, `${shown(theirs[key])} is not what the base branch has (${shown(ours[key])})`, 'not change it');
  for (const group of ['static', 'numeric'] as const)
    for (const [key, value] of Object.entries(theirs[group])) {
      const own = (ours[group] as StaticThresholds)[key as keyof StaticThresholds];
      if (value !== own) say(`${group}.${key}`, `${String(value)} is not what the base branch has (${own})`, 'not change it');
    }
  if (POLICIES.indexOf(theirs.policy) < POLICIES.indexOf(ours.policy))
    say('policy', `${theirs.policy} is looser than ${ours.policy}, which the base branch has`, 'only make it stricter');
  if (ours.require_gpu && !theirs.require_gpu) say('require_gpu', 'is true on the base branch', 'not take it back');
  const ids = (config: Config): string[] => config.models.map(({ id }) => id);
  sayMissing('models', ids(theirs), ids(ours));
  sayMissing('fail_on', theirs.fail_on, ours.fail_on);
  for (const rule of theirs.allow) {
    if (ours.allow.some((own) => covers(own, rule))) continue;
    const kernel = rule.kernel === null ? '' : `, kernel ${show(rule.kernel)}`;
    say(
      'allow',
      `${show(rule.model)}${kernel} up to ${rule.until} is not allowed on the base branch`,
      'only take entries out or shorten them',
    );
  }
  return lines;

  function sayMissing(key: string, here: readonly string[], there: readonly string[]): void {
    const missing = there.filter((entry) => !here.includes(entry));
    if (missing.length > 0) say(key, `lacks ${missing.map(show).join(', ')}, which the base branch has`, 'only add to it');
  }
}

function covers(own: AllowRule, { model, kernel, until }: AllowRule): boolean {
  return own.model === model && own.kernel === kernel && until <= own.until;
}

// What the probes of a kernel gave, in short: how many passed, which did not, what nobody could see. How it looks is the renderers'.

import { count } from './numbers.js';
import type { KernelResult } from './types.js';

/** What a kernel must leave alone. Only some backends can see it; where one cannot, report.json has no such probe. */
const SEEN_BY_BACKEND = ['outputs_written', 'guard_bands', 'inputs_unchanged'];

export interface ProbeSummary {
  readonly kernel: KernelResult;
  /** `11 of 13 probes pass; its backend cannot see guard_bands`. */
  readonly line: string;
  /** Failing ones first. */
  readonly open: readonly { readonly name: string; readonly words: string; readonly detail: string }[];
}

/** Kernels that were probed, those with findings first. */
export function probeSummaries(kernels: readonly KernelResult[]): ProbeSummary[] {
  const summaries = kernels.flatMap((kernel) => (kernel.probes === null ? [] : [summary(kernel, kernel.probes)]));
  return summaries.sort((a, b) => Number(b.open.length > 0) - Number(a.open.length > 0));
}

function summary(kernel: KernelResult, probes: NonNullable<KernelResult['probes']>): ProbeSummary {
  const named = (status: string, words: string) =>
    probes.filter((probe) => probe.status === status).map(({ name, detail }) => ({ name, words, detail }));
  const open = [...named('fail', 'fails'), ...named('inconclusive', 'could not be judged')];
  const unseen = SEEN_BY_BACKEND.filter((name) => !probes.some((probe) => probe.name === name));
  const passed = probes.length - open.length;
  const all = open.length === 0 ? count(probes.length, 'probe') : `${passed} of ${count(probes.length, 'probe')}`;
  return {
    kernel,
    line: `${all} ${open.length === 0 && passed === 1 ? 'passes' : 'pass'}${unseen.length === 0 ? '' : `; its backend cannot see ${unseen.join(', ')}`}`,
    open,
  };
}

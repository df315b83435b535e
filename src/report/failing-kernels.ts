// Which kernels fail, and in how many models: where many models fail, that says more than each of them alone.

import { code } from './escape.js';
import { count, multiple } from './numbers.js';
import type { KernelResult, ModelReport } from './types.js';

/** Below this the models themselves say it. */
const FEWEST_MODELS = 3;
const KERNELS_SHOWN = 10;

interface Failures {
  readonly kernel: KernelResult;
  models: number;
  worst: { readonly ratio: number; readonly model: string } | null;
}

/** A table of the kernels that fail in the most models; empty where few models have one that fails. */
export function failingKernels(models: readonly ModelReport[]): string[] {
  const byName = new Map<string, Failures>();
  let failing = 0;
  for (const model of models) {
    const failed = (model.numeric?.kernels ?? []).filter(({ status }) => status === 'fail');
    if (failed.length > 0) failing += 1;
    for (const kernel of failed) byName.set(kernel.kernel, withFailure(byName.get(kernel.kernel), kernel, model.id));
  }
  if (failing < FEWEST_MODELS) return [];
  const sorted = [...byName.values()].sort((a, b) => b.models - a.models || (b.worst?.ratio ?? 0) - (a.worst?.ratio ?? 0));
  const rows = sorted.slice(0, KERNELS_SHOWN).map(({ kernel, models: number, worst }) => {
    const cells = [code(kernel.kernel), code(kernel.op), `${number} of ${models.length}`, multiple(worst?.ratio ?? null)];
    return `| ${[...cells, worst === null ? '' : code(worst.model)].join(' | ')} |`;
  });
  const more = sorted.length > rows.length ? [`\n… and ${count(sorted.length - rows.length, 'more kernel')} in report.json`] : [];
  const head = '| kernel | op | fails in models | worst × noise floor | there |\n| --- | --- | --: | --: | --- |';
  return [['**Kernels that fail**\n', head, ...rows, ...more].join('\n')];
}

function withFailure(known: Failures | undefined, kernel: KernelResult, model: string): Failures {
  const ratios = [kernel.accuracy_ratio, kernel.max_ratio].filter((ratio) => ratio !== null);
  const entry = known ?? { kernel, models: 0, worst: null };
  entry.models += 1;
  if (ratios.length > 0 && Math.max(...ratios) > (entry.worst?.ratio ?? -1)) entry.worst = { ratio: Math.max(...ratios), model };
  return entry;
}

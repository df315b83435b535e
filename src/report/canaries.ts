// The canaries of one model or of a whole report in one line. What each of them gave is in report.json.

import { count, difference } from './numbers.js';
import type { Canary, ModelReport } from './types.js';

/** `52 canaries planted, 52 caught; smallest scale error that could be seen: 0.13%`. Null: none was planted. */
export function canaryLine(models: readonly Pick<ModelReport, 'numeric'>[]): string | null {
  const planted = models.flatMap(({ numeric }) => numeric?.canaries ?? []);
  if (planted.length === 0) return null;
  const scales = models.flatMap(({ numeric }) => numeric?.smallest_scale_error ?? []);
  // The largest: below it, some place would have kept the error hidden.
  const scale = scales.length === 0 ? '' : `; smallest scale error that could be seen: ${difference(Math.max(...scales) * 100)}%`;
  return `${count(planted.length, 'canary', 'canaries')} planted, ${planted.length - missedCanaries(planted).length} caught${scale}`;
}

export function missedCanaries(canaries: readonly Canary[]): Canary[] {
  return canaries.filter(({ caught }) => !caught);
}

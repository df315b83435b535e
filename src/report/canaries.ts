// The canaries of one model or of a whole report in one line. What each of them gave is in report.json.

import { count, difference } from './numbers.js';
import type { Canary, ModelReport } from './types.js';

/** `52 canaries planted, 52 caught; the reference against itself passes 6 of 6 controls; smallest scale error that could be seen: 0.13%`. Null: none was planted. */
export function canaryLine(models: readonly Pick<ModelReport, 'numeric'>[]): string | null {
  const planted = models.flatMap(({ numeric }) => numeric?.canaries ?? []);
  if (planted.length === 0) return null;
  const scales = models.flatMap(({ numeric }) => numeric?.smallest_scale_error ?? []);
  // The largest: below it, some place would have kept the error hidden.
  const scale = scales.length === 0 ? '' : `; smallest scale error that could be seen: ${difference(Math.max(...scales) * 100)}%`;
  const controls = models.flatMap(({ numeric }) => numeric?.controls ?? []);
  const same = controls.filter(({ passed }) => passed).length;
  const identity = controls.length === 0 ? '' : `; the reference against itself passes ${same} of ${count(controls.length, 'control')}`;
  return `${count(planted.length, 'canary', 'canaries')} planted, ${planted.length - missedCanaries(planted).length} caught${identity}${scale}`;
}

export function missedCanaries(canaries: readonly Canary[]): Canary[] {
  return canaries.filter(({ caught }) => !caught);
}

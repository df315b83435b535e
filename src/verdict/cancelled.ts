// How a report tells that its job was cancelled. Apart from verdict.ts, so that the doors need not load what judges.

import type { ModelReport } from '../report/types.js';

/** Whether the job was cancelled before all of these were judged. */
export function wasCancelled(models: readonly Pick<ModelReport, 'reasons'>[]): boolean {
  return models.some(({ reasons }) => reasons.some(({ code }) => code === 'cancelled'));
}

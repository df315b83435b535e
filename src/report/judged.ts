// How a report tells that a model was not judged at all. What follows for the gate is verdict.ts's business.

import type { ModelReport } from './types.js';

/** A job that was cancelled, a shard that left no report: nobody can know what would have come of it. */
const NOT_JUDGED: readonly string[] = ['cancelled', 'shard_missing'];

/** Whether the job was cancelled before all of these were judged. */
export function wasCancelled(models: readonly Pick<ModelReport, 'reasons'>[]): boolean {
  return models.some(({ reasons }) => reasons.some(({ code }) => code === 'cancelled'));
}

/** Whether anything was found out about the model, be it that it cannot be judged. */
export function wasJudged({ reasons }: Pick<ModelReport, 'reasons'>): boolean {
  return !reasons.some(({ code }) => NOT_JUDGED.includes(code));
}

// How much work a model is, by its size. How large it is sizes.ts asks, and which shard it goes to is plan.ts's business: who joins shards loads
// this file, and nothing that opens a model.

import type { Config } from '../config/types.js';

/** What a model costs before its first weight: threads, tokenizer, probes. In MiB of weights, which is what costs are counted in. */
const MODEL_COST = 64;
/** One kernel at the sites of one layer: its calls, the oracle's and those of the recipes that the noise floor is made of. */
const KERNEL_LAYER_COST = 1;

export interface ModelSize {
  /** Bytes of its weight files; null: it could not be asked. */
  readonly bytes: number | null;
  /** num_hidden_layers of its config.json; null: not known. */
  readonly layers: number | null;
}

/**
 * What each model costs, in MiB of weights; only their proportions count. The static check reads kilobytes of each, whatever its size. A
 * model whose size is not known is taken for as large as the largest: where that is wrong, a shard ends early.
 */
export function costsOf(sizes: readonly ModelSize[], { policy }: Pick<Config, 'policy'>, kernels: number): number[] {
  if (policy === 'static') return sizes.map(() => 1);
  const known = sizes.map(({ bytes, layers }) =>
    bytes === null ? null : MODEL_COST + Math.ceil(bytes / 2 ** 20) + (layers ?? 0) * kernels * KERNEL_LAYER_COST,
  );
  const largest = Math.max(MODEL_COST, ...known.map((cost) => cost ?? 0));
  return known.map((cost) => cost ?? largest);
}

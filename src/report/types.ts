// The report as data: what report.json holds, word for word. schemas/report.schema.json says the same to the outside.
// A value that was not measured is null, never 0.

import type { ReasonCode } from '../errors.js';

export const VERDICTS = ['INCOMPATIBLE', 'IMPLEMENTATION_ISSUE', 'INCONCLUSIVE', 'WARNING', 'COMPATIBLE'] as const;
export type Verdict = (typeof VERDICTS)[number];
export type Policy = 'evidence' | 'strict' | 'static';
export type ServingDtype = 'bfloat16' | 'float16' | 'float32';
/** Outcome of a numeric level. */
export type Level = 'pass' | 'warn' | 'fail' | 'inconclusive';

export interface Reason {
  code: ReasonCode;
  message: string;
}

export interface Finding {
  /** e.g. `massive_norm_weight`, `float16_overflow`, `bias_norm`, `qk_joint_gain`; docs/static-check.md has them all. */
  code: string;
  layer: number | null;
  tensor: string | null;
  value: number | null;
  message: string;
}

export interface StaticLayer {
  layer: number;
  max_k: number | null;
  median_k: number | null;
  k_ratio: number | null;
  max_q: number | null;
  median_q: number | null;
  q_ratio: number | null;
  extreme: boolean;
}

export interface StaticResult {
  status: 'COMPATIBLE' | 'WARNING' | 'INCOMPATIBLE';
  score: number;
  scores: { ratio: number; extreme_layers: number; max_weight: number };
  max_k_weight: number | null;
  k_weight_ratio: number | null;
  max_q_weight: number | null;
  extreme_layers: number;
  layers_total: number;
  estimated_amplification: number;
  bytes_read: number;
  bytes_total: number;
  /** null where the check read files on this machine. */
  requests: number | null;
  bytes_transferred: number | null;
  findings: Finding[];
  layers: StaticLayer[];
}

export interface KernelResult {
  kernel: string;
  op: string;
  backend: string;
  /** What ran it, e.g. `CPU (onnxruntime 1.30.0)`. */
  device: string | null;
  status: Level;
  /** Why it is not `pass`; null for a pass. */
  detail: string | null;
  /** Sites compared: one op of one layer each. */
  sites: number;
  /** fused − eager, over all outputs of all sites. */
  max_abs_diff: number | null;
  mean_abs_diff: number | null;
  /** Share (0..1) of output elements bitwise equal to eager's. */
  bitwise_equal: number | null;
  max_ulp: number | null;
  /** Share of elements at 0, 1, 2, 3-4, 5-8, more ULP from eager. */
  ulp_histogram: Record<'0' | '1' | '2' | '3-4' | '5-8' | '>8', number> | null;
  /** Worst site: RMS(fused − oracle) over the noise floor. */
  accuracy_ratio: number | null;
  /** Worst site: max|fused − oracle| over the same floor taken of maxima. */
  max_ratio: number | null;
  /** Worst site by standard errors: mean of (fused − oracle)/oracle. */
  scale_error: number | null;
  scale_error_standard_error: number | null;
  /** Output elements that are NaN or infinite where the oracle is finite. */
  non_finite: number;
  nearest_recipe: string | null;
  nearest_recipe_equal: number | null;
  /** Of the site that `detail` tells of; of a kernel that passes, of the largest accuracy_ratio. */
  worst_layer: number | null;
  worst_site: string | null;
  /** Smallest scale error that would have been seen at every site and output compared, as a share: 0.001 is 0.1 %. */
  smallest_scale_error: number | null;
  probes: { name: string; status: Level; detail: string }[] | null;
  /** The user's own unfused path by the same criteria; null: the kernel offers none, or it was not run. */
  standard: StandardResult | null;
}

/** The `standard` variant of a kernel, teacher-forced at the same sites. */
export interface StandardResult {
  status: Level;
  /** Why it is not `pass`; null for a pass. */
  detail: string | null;
  accuracy_ratio: number | null;
  max_abs_diff: number | null;
  bitwise_equal: number | null;
}

/** How long one call of a kernel takes at one site of the model. Its microseconds and what follows from them differ between two runs. */
export interface KernelTime {
  kernel: string;
  /** transformers' module name of the site that was timed. */
  site: string;
  layer: number | null;
  /** Tokens of the timed call. */
  tokens: number;
  /** Median of one call. */
  fused_us: number | null;
  standard_us: number | null;
  /** standard_us over fused_us: 2 is twice as fast as standard. */
  speedup: number | null;
  /** `device`: the backend's own events; `wall`: the clock around the call. */
  timer: 'device' | 'wall' | null;
  /** `own`: the user's standard variant; `unfused chain`: the contract's ops one by one on the same device. */
  standard: 'own' | 'unfused chain' | null;
  /** Why something was not measured, or what the time holds beside the kernel. */
  note: string | null;
}

export interface Performance {
  kernels: KernelTime[];
  /** Of the first kernel that is a whole model; null: none is. */
  tokens_per_second: TokensPerSecond | null;
}

/** Of a kernel that is a whole model. */
export interface TokensPerSecond {
  fused: number | null;
  standard: number | null;
}

export interface ModelLayer {
  layer: number;
  /** Teacher-forced: largest relative RMS error (fused − oracle over oracle) of this layer's sites. */
  injected: number | null;
  /** Free-running: relative RMS error of the layer's output against the oracle's. */
  inherited: number | null;
  /** The same for the worst valid recipe. */
  floor: number | null;
}

/** A kernel in some layers that alone makes the whole model as bad as it is. */
export interface Responsible {
  kernel: string;
  /** Empty: its sites outside of the layers. */
  layers: number[];
  /** Of a model with the kernel in these layers only. */
  kl_ratio: number | null;
}

export interface ModelLevel {
  status: Level;
  detail: string | null;
  /** KL(oracle ‖ fused), nats, mean over positions. */
  kl_fused: number | null;
  /** Largest KL(oracle ‖ recipe) over the valid recipes. */
  kl_floor: number | null;
  kl_ratio: number | null;
  /** KL of each valid recipe. */
  kl_recipes: Record<string, number | null>;
  top1_agreement: number | null;
  decisive_flips: number | null;
  positions: number;
  perplexity: { oracle: number | null; eager: number | null; fused: number | null };
  /** RMS error of the final hidden state over RMS error injected at the first site. */
  amplification: number | null;
  /** The same for the output of each layer in place of the final hidden state. */
  amplification_curve: (number | null)[];
  /** The same of a random perturbation of the kernel's size at the first site, in a model that rounds nowhere: what the weights alone do to it. */
  sensitivity: number | null;
  /** The first layer whose `inherited` is over pass_ratio times its `floor`; null: none is. */
  first_layer_above_floor: number | null;
  /** The smallest sets of sites found that alone make the model as bad as it is; empty: no kernel alone does; null: not searched. */
  responsible: Responsible[] | null;
  layers: ModelLayer[];
}

/** A known fault planted into the reference's own output, judged as a kernel is. */
export interface Canary {
  /** The kernel that was judged at the same site; null: the model level. */
  kernel: string | null;
  name: string;
  caught: boolean;
  /** The criterion that caught it. */
  by: Criterion | null;
  /** Where and what was planted, and the number that gave it away. */
  detail: string;
}

/** The reference compared with itself, judged as a kernel is: the other side of the canaries. */
export interface Control {
  /** Contract of the site where eager was run once more, or `model`: all valid recipes as whole models. */
  level: string;
  /** Whether it showed no difference and no alarm; if not, the level is inconclusive. */
  passed: boolean;
  /** From eager; null for `model`. */
  max_abs_diff: number | null;
  bitwise_equal: number | null;
  /** Where, and the numbers. */
  detail: string;
}

/** What a level can fail by. */
export type Criterion = 'non_finite' | 'accuracy_ratio' | 'max_ratio' | 'scale_error' | 'kl_ratio' | 'decisive_flips';

/** Greedy text after one prompt, as standard (eager) writes it and with the kernels standing in. */
export interface Generation {
  /** Text of the prompt; its token ids where there is no tokenizer. */
  prompt: string;
  /** Most tokens that each text could have. */
  tokens: number;
  text_standard: string;
  text_fused: string;
  ids_prompt: number[];
  ids_standard: number[];
  ids_fused: number[];
  /** null: they say the same as far as both go. */
  first_divergence: Divergence | null;
  loops: { standard: boolean; fused: boolean };
  /** The oracle's −log p of a text's tokens, nats, mean; null: no tokens, or the oracle is not finite. */
  nll_standard: number | null;
  nll_fused: number | null;
  /** By how much that is above the oracle's own first choices at the same places. */
  excess_standard: number | null;
  excess_fused: number | null;
  /** Whether the fused text makes sense to the oracle; null: it could not be judged. */
  coherent: boolean | null;
  /** Why it is not coherent, or could not be judged. */
  detail: string | null;
}

/** Where two texts part. */
export interface Divergence {
  /** Of the first token that differs, from 0. */
  position: number;
  /** The oracle's logits of the two tokens are within the noise of correct implementations. */
  near_tie: boolean;
  /** How far apart they are. */
  margin: number;
}

/** What an implementation does otherwise than the model needs; docs/causes.md has them all. */
export type CauseCode =
  | 'rope_layout'
  | 'rope_base'
  | 'rotary_dim'
  | 'position_offset'
  | 'missing_qk_norm'
  | 'norm_weight'
  | 'norm_weight_offset'
  | 'eps'
  | 'scale'
  | 'softcap'
  | 'mask'
  | 'window'
  | 'head_mapping'
  | 'head_dim'
  | 'activation'
  | 'gate_up_order'
  | 'missing_bias'
  | 'tied_head'
  | 'accumulation_dtype';

/** A change of the reference that gives what a kernel gives, where the unchanged one does not. */
export interface Cause {
  kernel: string;
  variant: 'fused' | 'standard';
  code: CauseCode;
  /** What the kernel does, with the numbers that show it: the rest of a sentence that begins with its name. */
  message: string;
}

export interface NumericResult {
  status: Level;
  /** Valid rounding recipes the noise floor was measured with. */
  recipes: string[];
  /** Tokens of each prompt that were run. */
  prompt_tokens: number[];
  kernels: KernelResult[];
  /** Causes of what fails or warns, as far as one was found. */
  causes: Cause[];
  /** null: no kernel ran, so there was no fused model. */
  model: ModelLevel | null;
  /** One entry per prompt that texts were written for; null: none were, or no kernel ran. Never a test of equality. */
  generation: Generation[] | null;
  /** Never a reason for a verdict; null: no kernel ran. */
  performance: Performance | null;
  /** Faults without effect on this data are not planted; null: nothing was compared. */
  canaries: Canary[] | null;
  /** One per contract with canaries, and one of the whole model; null: nothing was compared. */
  controls: Control[] | null;
  /** The largest of the kernels': a scale error above it would have been seen wherever it stands. */
  smallest_scale_error: number | null;
}

export interface ModelReport {
  id: string;
  revision: string | null;
  architecture: string | null;
  dtype: ServingDtype | null;
  verdict: Verdict;
  reasons: Reason[];
  static: StaticResult | null;
  numeric: NumericResult | null;
  diagnosis: Reason[] | { code: string; message: string }[];
  recommendations: string[];
  /** null: there is no baseline, or it was not used. */
  baseline: ModelBaseline | null;
  /** Why its verdict does not fail the gate although it is one of `fail_on`; null: nothing allows it, or nothing has to. */
  allowed: Allowance | null;
}

/** Against the baseline. worse, better: by more than noise. */
export type Change = 'new' | 'worse' | 'better' | 'same';

/** A model beside what the baseline says of it. */
export interface ModelBaseline {
  change: Change;
  /** Of the baseline; null: it does not have this model. */
  verdict: Verdict | null;
  /** The baseline's worst error of kernels and model over the noise floor. */
  noise_ratio: number | null;
  /** What changed, with numbers; null: nothing. */
  detail: string | null;
  kernels: KernelBaseline[];
  /** Kernels of the baseline that did not run on this model. */
  missing_kernels: string[];
}

export interface KernelBaseline {
  kernel: string;
  change: Change;
  status: Level | null;
  /** The larger of the baseline's accuracy_ratio and max_ratio. */
  noise_ratio: number | null;
  detail: string | null;
}

/** The report that this one was compared with. */
export interface Baseline {
  /** Version of fused-compat that made it; null: it could not be read. */
  version: string | null;
  started_at: string | null;
  /** Why it was not used; null: it was. */
  problem: string | null;
  /** Models that it has and this report has not. */
  missing_models: string[];
}

/** A known failure that the configuration allows for a while. */
export interface Allowance {
  reason: string;
  /** Last day (UTC) of it, e.g. 2026-12-31. */
  until: string;
  /** Kernels that it is for; null: whatever fails in this model. */
  kernels: string[] | null;
}

/** One entry of the configuration's `allow`, and what came of it. */
export interface AllowEntry {
  model: string;
  kernel: string | null;
  reason: string;
  until: string;
  status: 'used' | 'expired' | 'unused';
  /** Why it had no effect; null: it had. */
  detail: string | null;
}

/** Which shard of which plan a report is. */
export interface ShardStamp {
  /** From 1. */
  shard: number;
  of: number;
  plan: string;
  /** SHA-256 of the configuration that the shard ran with. */
  config: string;
  commit: string | null;
  /** Attempt of the run; of two reports of one shard the later counts. */
  attempt: number;
}

/** What arrived of one shard. */
export interface ArrivedShard {
  shard: number;
  models: number;
  /** null: it left no report that counts. */
  attempt: number | null;
  gpu: string | null;
}

export interface Report {
  schema_version: 1;
  tool: { name: 'fused-compat'; version: string; onnxruntime: string | null };
  host: { platform: string; arch: string; node: string; cpu: string | null; gpu: string | null };
  policy: Policy;
  fail_on: Verdict[];
  gate: 'pass' | 'fail';
  models: ModelReport[];
  /** null: none was given. */
  baseline: Baseline | null;
  /** Known failures that the configuration allows, in its order. */
  allow: AllowEntry[];
  /** Arguments of `fused-compat check` that give this configuration again, but for its models. */
  reproduce: string[];
  /** Only in the report of a shard. */
  shard?: ShardStamp;
  /** Only in a report that was joined from shards. */
  shards?: ArrivedShard[];
  /** This and the measured times of `numeric.performance` are all that differs between two runs on the same input. */
  timing: { started_at: string; duration_ms: number; models: { id: string; duration_ms: number }[] };
}

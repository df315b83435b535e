// What the user asked for, complete: every key has a value, because the schema (schemas/config.schema.json) holds the defaults.

import type { Policy, ServingDtype, Verdict } from '../report/types.js';

export interface StaticThresholds {
  /** A layer is extreme when its largest |K or Q norm weight| is above this. */
  extreme_weight: number;
  ratio_warn: number;
  ratio_fail: number;
  extreme_share_warn: number;
  extreme_share_fail: number;
  max_weight_warn: number;
  max_weight_fail: number;
  /** Weights of the three scores; they add up to 1. */
  ratio_weight: number;
  extreme_layers_weight: number;
  max_weight_weight: number;
  /** estimated_amplification: product over extreme layers of 1 + this × (max_k + max_q) / 2. */
  amplification_per_weight: number;
  score_incompatible: number;
  score_warning: number;
  /** COMPATIBLE also needs k_weight_ratio below this ... */
  compatible_ratio: number;
  /** ... and max_k_weight below this. */
  compatible_max_weight: number;
}

export interface NumericThresholds {
  /** accuracy_ratio, max_ratio and kl_ratio: pass up to here ... */
  pass_ratio: number;
  /** ... warn up to here, fail above. */
  warn_ratio: number;
  /** A scale error fails beyond this many standard errors (and the two other bounds of the design). */
  scale_standard_errors: number;
  /** A top-1 change is decisive when the oracle's margin is over this many times the logit noise. */
  decisive_margin: number;
}

/** A prompt: text for the model's tokenizer, or token ids as they are. */
export type Prompt = { text: string } | { input_ids: number[] };

export interface ModelRef {
  /** As the user wrote it; the `id` of its report. */
  id: string;
  /** Absolute: resolved against the file that names it, or the working directory. */
  path: string;
}

/** A known failure that does not fail the gate for a while. */
export interface AllowRule {
  /** As `models` names it, with or without its `@revision`. */
  model: string;
  /** null: whatever fails in this model. */
  kernel: string | null;
  reason: string;
  /** Last day (UTC), `YYYY-MM-DD`. */
  until: string;
}
/** A label of a runner, or labels that it must all have. */
export type RunsOn = string | string[];

export interface Config {
  /** At least one, each path once, in the user's order. */
  models: ModelRef[];
  /** Absolute folder below which `kernel.json` files are; null: the kernels that ONNX Runtime ships. */
  kernels: string | null;
  policy: Policy;
  /** Empty: the gate only reports (`fail-on: never`). */
  fail_on: Verdict[];
  dtype: 'auto' | ServingDtype;
  execution_provider: 'cpu' | 'webgpu' | 'cuda' | 'auto';
  require_gpu: boolean;
  /** Never use the network. */
  offline: boolean;
  /** null: the built-in set. */
  prompts: Prompt[] | null;
  /** Prompts are cut to this many tokens. */
  max_prompt_tokens: number;
  /** Layers whose sites are compared teacher-forced; a list is sorted and has no duplicates. */
  layers: 'all' | number[];
  /** How many models are judged at the same time; null: as many as suits the policy. */
  jobs: number | null;
  /** Absolute path of a report.json to compare with; null: none. */
  baseline: string | null;
  /** Known failures. */
  allow: AllowRule[];
  /** Arguments of `check` that give this configuration again, but for its models; what no argument can say is not in it. */
  reproduce: string[];
  /** Most shards of a plan. */
  shards: number;
  /** Runner of a shard, as a workflow's `runs-on` names it. */
  runs_on: RunsOn;
  /** Models that need another runner; the first entry that names a model counts. */
  runners: { models: string[]; runs_on: RunsOn }[];
  /** Absolute folder for report.json and report.md. */
  output: string;
  static: StaticThresholds;
  numeric: NumericThresholds;
}

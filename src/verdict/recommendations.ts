// What to do next, in order of use. One sentence per cause; a cause that was not seen gets none.

import type { ReasonCode } from '../errors.js';
import type { Cause, CauseCode, KernelResult, ModelLevel, StaticResult, Verdict } from '../report/types.js';
import { magnitude, percent } from '../report/numbers.js';
import type { Evidence } from './verdict.js';

/** What to do after a failure of that code. */
export const AFTER_FAILURE: Partial<Record<ReasonCode, string>> = {
  model_not_found:
    'Check the path: a model is a folder that holds config.json, relative to the file or the folder that names it, or org/name[@revision] on the Hugging Face Hub.',
  access_denied:
    'Open the page of the model as the owner of the token: accept its licence if it has one, and set HF_TOKEN to a token that may read it.',
  hub_unreachable: 'See that the runner reaches the Hub (HF_ENDPOINT, HTTPS_PROXY, NO_PROXY), then run again; or give a local folder.',
  download_failed: 'Run again: what was downloaded is kept. If it fails again, the server or a proxy between damages its answers.',
  integrity: 'Run again. If it repeats, a proxy, a mirror or the disk changes bytes: compare the file with the published hash.',
  refused_for_safety: 'Do not use this source before you know why it names such a path or address.',
  no_disk_space: 'Free space, or set FUSED_COMPAT_CACHE to a folder on a larger disk; `policy: static` needs no download.',
  config_invalid: "Compare the model's config.json with the published one; download it again if it was cut.",
  unknown_model_type:
    'Take the model out of the list, or ask for its architecture; until then only `fused-compat inspect` says something about its weights.',
  unsupported_config: 'Use a checkpoint without the unsupported setting, or ask for it; guessing it would make the reference worthless.',
  weights_invalid: 'Download the weight files again and compare their size or hash with the published ones.',
  weights_mismatch: 'Make config.json and the weights come from the same revision of the same model.',
  unsupported_weights:
    'Give the safetensors checkpoint for a numeric diff; `fused-compat inspect` (or `policy: static`) judges these weights by themselves.',
  tensor_missing: 'Make sure that every file which the index names is there, and that config.json belongs to these weights.',
  non_finite_weights: 'Repair or re-export the checkpoint: no kernel can be judged on NaN or infinite weights.',
  serving_overflow: 'Serve the model in bfloat16 or float32 (`dtype`): its values do not fit into the range of the serving dtype.',
  tokenizer_invalid:
    'Give token ids, which need no tokenizer: `prompts: [{input-ids: [1, 2, 3]}]`; or add the tokenizer.json or tokenizer.model of the model.',
  prompt_too_long: "Shorten the prompt or lower max-prompt-tokens to what the model's max_position_embeddings allows.",
  input_ids_out_of_range: "Use token ids below the model's vocab_size; ids of another model's tokenizer do not fit.",
  no_kernels: 'Name the folder of your kernel manifests in `kernels`, or use `policy: static` if no kernel is to be judged.',
  no_gpu: 'Run on a runner with a GPU, or drop `require-gpu` to check on the CPU.',
  no_runtime: 'Run on linux-x64, or install onnxruntime-node for this platform.',
  cancelled:
    'Run it again ("Re-run jobs" of the run) unless a newer commit took its place; of a matrix run the cancelled shard again, and the merge with it.',
  shard_missing: 'Look at the log of its job, then use "Re-run failed jobs" of the run: the reports of the other shards are kept.',
  internal_error: 'This is a defect of fused-compat: run again with FUSED_COMPAT_DEBUG=1 and report the stack.',
};

/** Recommendations for a verdict; empty for a clean pass. */
export function recommend(evidence: Evidence, verdict: Verdict): string[] {
  const { static: checked, numeric, failure, policy } = evidence;
  const advice: (string | undefined)[] = [];
  if (failure !== null) advice.push(AFTER_FAILURE[failure.code]);
  if (numeric?.kernels.length === 0) advice.push(AFTER_FAILURE.no_kernels);
  for (const kernel of numeric?.kernels ?? []) {
    const cause = numeric?.causes.find((each) => each.kernel === kernel.kernel);
    advice.push(cause === undefined ? forKernel(kernel, evidence.thresholds.numeric.scale_standard_errors) : forCause(cause));
  }
  if (numeric?.model?.status === 'inconclusive') advice.push(forOpenModel(numeric.model));
  const kernelsHold = !numeric?.kernels.some((kernel) => kernel.status === 'fail');
  if (numeric?.model?.status === 'fail' && kernelsHold) advice.push(forModel(numeric.model));
  if (checked !== null && checked.status !== 'COMPATIBLE') advice.push(...forCheckpoint(checked, policy, verdict, numeric !== null));
  return [...new Set(advice.filter((entry) => entry !== undefined))];
}

/** Why the whole model could not be judged, where that is not a kernel's doing. */
function forOpenModel({ detail }: ModelLevel): string | undefined {
  if (detail?.startsWith('canary ')) return CANARY;
  if (detail?.startsWith('identity control: ')) return CONTROL;
  return detail?.includes('whose largest finite value') ? AFTER_FAILURE.serving_overflow : undefined;
}

/** Every kernel holds where it was compared, and yet the model fails. */
function forModel({ responsible }: ModelLevel): string {
  const names = [...new Set((responsible ?? []).map(({ kernel }) => kernel))].join(', ');
  return names === ''
    ? 'Every kernel holds by itself, yet their errors add up over the layers: look at the per-layer errors in report.json and start at the layer where `inherited` leaves `floor`.'
    : `Kernel ${names}: it holds at the sites that were compared, yet makes the model fail where the reason says; compare those layers too (\`layers\`), and look for what differs there.`;
}

const CONTROL =
  'The reference did not agree with itself here: run again, on another machine if it repeats, and report it as a defect of fused-compat.';
const CANARY =
  'A fault that was planted to see whether this run can see one passed its criteria: use the default thresholds of `numeric`, and more or longer prompts.';

const AFTER_CAUSE: Readonly<Record<CauseCode, string>> = {
  rope_layout:
    'rotate the pairs that `layout` names: half-split pairs i with i + rotary_dim/2 (Llama, Qwen), interleaved ones 2i with 2i + 1 (ERNIE 4.5); or permute the rows of the Q and K weights once when they are loaded.',
  rope_base: 'take rope_theta and the scaling of config.json, or the cos and sin that the call brings, in place of a constant.',
  rotary_dim: 'rotate the first rotary_dim dimensions of a head, and only those.',
  position_offset:
    'let the first token of a prompt have position 0, for queries and keys alike, and count on from the length of the KV cache.',
  missing_qk_norm: 'norm Q and K per head before RoPE, as this family does.',
  norm_weight: 'multiply by the norm weight once, after the normalisation.',
  norm_weight_offset: 'add `weight_offset` to the norm weight: 1 in Gemma, 0 elsewhere.',
  eps: 'take rms_norm_eps of config.json, and add it to the mean square under the root.',
  scale: 'multiply the scores by the `scale` of the call once, before the softmax.',
  softcap: 'cap the scores as softcap · tanh(score / softcap) before the mask.',
  mask: 'let a query see the keys up to its own position only: with S keys and T queries, query t has position S − T + t.',
  window: 'let a query see itself and the window − 1 positions before it, in the layers that have a window only.',
  head_mapping: 'let query head h read KV head floor(h / (num_heads / num_kv_heads)).',
  head_dim: 'take head_dim of config.json: it need not be hidden_size / num_attention_heads.',
  activation: 'take the activation that hidden_act of config.json names.',
  gate_up_order: 'activate the gate projection and multiply by the up projection; see which half of a joined weight is which.',
  missing_bias: "add the checkpoint's biases.",
  tied_head: 'follow tie_word_embeddings of config.json: the embeddings are the head only where it is true.',
  accumulation_dtype: 'keep accumulators in float32 and round once at the end.',
};

function forCause({ kernel, variant, code }: Cause): string {
  return `Kernel ${kernel}${variant === 'standard' ? ', its standard variant first' : ''}: ${AFTER_CAUSE[code]}`;
}

/** The usual suspects of an op, in the order in which they are found in practice. */
function forKernel(kernel: KernelResult, standardErrors: number): string | undefined {
  const where = `Kernel ${kernel.kernel}`;
  if (kernel.status === 'inconclusive' && kernel.standard?.status === 'fail')
    return `${where}: bring its standard variant to what transformers computes for this model first, the fused one after that: ${suspects(kernel.op)}`;
  if (kernel.status === 'inconclusive' && kernel.detail?.startsWith('canary ')) return CANARY;
  if (kernel.status === 'inconclusive' && kernel.detail?.startsWith('identity control: ')) return CONTROL;
  // That is the model's doing, and its advice.
  if (kernel.status === 'inconclusive' && kernel.detail?.startsWith('not compared: ')) return undefined;
  if (kernel.status === 'inconclusive')
    return `${where}: see that it runs to its end on this model's shapes; until then nothing is known about it.`;
  if (kernel.status === 'pass') return undefined;
  if (kernel.non_finite > 0)
    return `${where}: look for an overflow of the serving dtype, a division by zero, or output that is never written.`;
  if (kernel.nearest_recipe !== null && kernel.nearest_recipe !== 'eager' && (kernel.nearest_recipe_equal ?? 0) > 0.99) {
    return `${where}: ${percent(kernel.nearest_recipe_equal)} of its output equals the recipe ${kernel.nearest_recipe}; move the rounding to where PyTorch eager has it.`;
  }
  const biased =
    kernel.scale_error !== null &&
    kernel.scale_error_standard_error !== null &&
    Math.abs(kernel.scale_error) > standardErrors * kernel.scale_error_standard_error;
  const scale = biased
    ? ` Its output is off by a factor of ${(1 + (kernel.scale_error ?? 0)).toFixed(5)}: look for a constant that is wrong, such as eps, a scale or a reciprocal.`
    : '';
  return `${where}: ${suspects(kernel.op)}${scale}`;
}

function suspects(op: string): string {
  if (op === 'decoder_layer' || op === 'model' || op === 'generate')
    return 'give the ops inside it as kernels of their own too: the first that fails there is where the error begins.';
  if (op === 'attention')
    return 'check the scale (1/sqrt(head_dim)), the causal mask and window, which KV head a query head reads, and that softmax accumulates in float32.';
  if (op.includes('norm'))
    return 'round the normalised value to the serving dtype BEFORE the multiply with the norm weight, as PyTorch does; then check eps, weight_offset, and that the mean of squares accumulates in float32.';
  if (op.includes('rope')) return 'check the layout (half or interleaved), rotary_dim, and that position 0 is the first token.';
  if (op.endsWith('_mul') || op === 'swiglu_mlp')
    return 'check which half is the gate, the activation, and that it is rounded before the multiply as PyTorch does.';
  return 'check accumulation in float32, the tail of sizes that are no multiple of a tile, and the order of the weight rows.';
}

function forCheckpoint(checked: StaticResult, policy: Evidence['policy'], verdict: Verdict, ran: boolean): string[] {
  const advice: string[] = [];
  const size = checked.max_k_weight === null ? 'large Q/K norm weights' : `K-norm weights up to ${magnitude(checked.max_k_weight)}`;
  if (verdict === 'WARNING' && policy === 'evidence' && ran) {
    advice.push(`Keep this model in the list: ${size} make it the first to show a changed rounding, tiling or accumulation.`);
  } else {
    advice.push(
      `Mind ${size}: accumulate the Q/K norm in float32 and round once to the serving dtype before the norm weight is applied, as PyTorch does.`,
    );
  }
  if (policy === 'static')
    advice.push('Use `policy: evidence` to see whether your kernels really fail on this checkpoint: the static check only tells a risk.');
  if (policy === 'strict' && verdict === 'INCOMPATIBLE' && ran)
    advice.push('Under `policy: evidence` the numeric diff would decide; `strict` asks for a checkpoint without extreme Q/K norm weights.');
  return advice;
}

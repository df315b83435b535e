// The words of a verdict's reasons: every one carries the numbers it rests on. Which verdict they add up to is verdict.ts's business.

import type { NumericThresholds, StaticThresholds } from '../config/types.js';
import type { Generation, KernelResult, ModelLevel, NumericResult, Reason, Responsible, StaticResult } from '../report/types.js';
import { against, count, difference, magnitude, multiple, percent, score } from '../report/numbers.js';
import type { Failure } from './verdict.js';

export function failureReason({ code, message }: Failure): Reason {
  return { code, message };
}

const STATIC_CODES = { INCOMPATIBLE: 'static_incompatible', WARNING: 'static_warning', COMPATIBLE: 'static_compatible' } as const;

/** `Static check INCOMPATIBLE, score 0.00: k_ratio 42.3 > 20; 16 of 28 layers extreme; max_k 96.5 > 50.` */
export function staticReason(result: StaticResult, limits: StaticThresholds): Reason {
  const head = `Static check ${result.status}, score ${score(result.score)}`;
  const facts = staticFacts(result, limits);
  return { code: STATIC_CODES[result.status], message: `${head}: ${facts.join('; ')}.` };
}

function staticFacts(result: StaticResult, limits: StaticThresholds): string[] {
  const facts: string[] = [];
  const { k_weight_ratio: ratio, max_k_weight: max } = result;
  if (ratio === null && max === null && result.max_q_weight === null) return [`no Q/K norm in ${count(result.layers_total, 'layer')}`];
  if (ratio !== null) facts.push(aboveFact('k_ratio', ratio, [limits.ratio_fail, limits.ratio_warn]));
  if (result.extreme_layers > 0) {
    facts.push(`${result.extreme_layers} of ${result.layers_total} layers extreme (a Q or K norm weight above ${limits.extreme_weight})`);
  }
  if (max !== null) facts.push(aboveFact('max_k', max, [limits.max_weight_fail, limits.max_weight_warn, limits.compatible_max_weight]));
  return facts;
}

/** The largest of the limits (descending) that the value is above; the value alone when it is above none. */
function aboveFact(name: string, value: number, limits: number[]): string {
  const limit = limits.find((candidate) => value > candidate);
  return limit === undefined ? `${name} ${magnitude(value)}` : `${name} ${against(value, limit)} > ${limit}`;
}

/** Failing and unfinished kernels one by one, the model level, then all passing kernels in one line. */
export function numericReasons(numeric: NumericResult | null, limits: NumericThresholds): Reason[] {
  if (numeric === null) return [];
  if (numeric.kernels.length === 0) {
    return [
      { code: 'no_kernels', message: 'None of the kernels under test stands for an op of this model, so there is no numeric evidence.' },
    ];
  }
  const reasons = (['fail', 'inconclusive', 'warn'] as const).flatMap((status) => [
    ...numeric.kernels.filter((kernel) => kernel.status === status).map((kernel) => kernelReason(kernel, limits)),
    ...(numeric.model?.status === status ? [modelReason(numeric.model, limits)] : []),
  ]);
  if (numeric.model === null) reasons.push({ code: 'model_inconclusive', message: 'The whole model was not run with the fused kernels.' });
  if (numeric.model?.status === 'pass') reasons.push(modelReason(numeric.model, limits));
  reasons.push(...incoherentReason(numeric.generation ?? []));
  const passing = numeric.kernels.filter((kernel) => kernel.status === 'pass');
  if (passing.length > 0) reasons.push(passingKernels(passing));
  return reasons;
}

/** No level of its own: whatever makes a text incoherent is judged by its numbers above. */
function incoherentReason(texts: readonly Generation[]): Reason[] {
  const incoherent = texts.filter(({ coherent }) => coherent === false);
  const [first] = incoherent;
  if (first === undefined) return [];
  const head = `The fused model's greedy text is incoherent after ${incoherent.length} of ${count(texts.length, 'prompt')}`;
  return [{ code: 'generation_incoherent', message: sentence(head, [first.detail ?? '']) }];
}

const KERNEL_CODES = { fail: 'kernel_fail', warn: 'kernel_warn', inconclusive: 'kernel_inconclusive', pass: 'kernel_pass' } as const;
const KERNEL_WORDS = { fail: 'fails', warn: 'is near the limit', inconclusive: 'could not be judged', pass: 'passes' } as const;

function kernelReason(kernel: KernelResult, limits: NumericThresholds): Reason {
  // The stage's own words come first; what they already say is not said again.
  const said = kernel.detail?.replace(/\.$/, '') ?? '';
  const facts = said === '' ? [] : [said];
  if (said === '' && kernel.non_finite > 0)
    facts.push(`${count(kernel.non_finite, 'output element')} NaN or infinite where the oracle is finite`);
  if (said === '') facts.push(...ratioFacts(kernel, limits));
  // What a probe found has its own inputs, and a canary is not the kernel's doing; the numbers of the sites would be read as theirs.
  const probed = said.startsWith('probe ') || isCanary(said);
  if (kernel.max_abs_diff !== null && !probed && !said.includes('max_abs_diff'))
    facts.push(`max_abs_diff ${difference(kernel.max_abs_diff)}`);
  if (kernel.worst_layer !== null && !probed && !said.includes('layer'))
    facts.push(`worst in layer ${kernel.worst_layer}${kernel.worst_site === null ? '' : ` at ${kernel.worst_site}`}`);
  if (kernel.status === 'fail' && kernel.standard?.status === 'pass')
    facts.push('its standard variant passes, so the fault is in the fused one');
  const unjudged = kernel.status === 'inconclusive' && kernel.standard?.status === 'fail';
  return {
    code: unjudged ? 'standard_fail' : isCanary(said) ? 'canary_passed' : KERNEL_CODES[kernel.status],
    message: sentence(`Kernel ${kernel.kernel} (${kernel.op}) ${KERNEL_WORDS[kernel.status]}`, facts),
  };
}

/** Whether a level is open because its criteria let a known fault pass. */
function isCanary(said: string): boolean {
  return said.startsWith('canary ');
}

function ratioFacts(kernel: KernelResult, limits: NumericThresholds): string[] {
  const ratios: [string, number | null][] = [
    ['accuracy_ratio', kernel.accuracy_ratio],
    ['max_ratio', kernel.max_ratio],
  ];
  return ratios.flatMap(([name, ratio]) =>
    ratio === null || ratio <= limits.pass_ratio ? [] : [aboveFact(name, ratio, [limits.warn_ratio, limits.pass_ratio])],
  );
}

const MODEL_CODES = { fail: 'model_fail', warn: 'model_warn', inconclusive: 'model_inconclusive', pass: 'model_pass' } as const;
const MODEL_WORDS = {
  fail: 'The whole model leaves the reference',
  warn: 'The whole model is near the limit',
  inconclusive: 'The whole model could not be judged',
  pass: 'The whole model stays within the noise of correct implementations',
} as const;

function modelReason(model: ModelLevel, limits: NumericThresholds): Reason {
  const said = model.detail?.replace(/\.$/, '') ?? '';
  const facts = said === '' ? [] : [said];
  if (model.kl_ratio !== null && !said.includes('kl_ratio')) {
    facts.push(
      model.kl_ratio > limits.pass_ratio
        ? aboveFact('kl_ratio', model.kl_ratio, [limits.warn_ratio, limits.pass_ratio])
        : `kl_ratio ${multiple(model.kl_ratio)}`,
    );
  }
  if (model.decisive_flips !== null && !said.includes('flip'))
    facts.push(`${count(model.decisive_flips, 'decisive flip')} in ${count(model.positions, 'position')}`);
  if (model.top1_agreement !== null) facts.push(`top-1 agreement ${percent(model.top1_agreement)}`);
  facts.push(...responsibleFacts(model));
  return { code: isCanary(said) ? 'canary_passed' : MODEL_CODES[model.status], message: sentence(MODEL_WORDS[model.status], facts) };
}

/** `cuda-qk-norm in layers 12 to 15 alone makes kl_ratio 7.3×`. */
function responsibleFacts({ responsible, layers, first_layer_above_floor: first }: ModelLevel): string[] {
  if (responsible === null) return [];
  const left = first === null ? [] : [`the fused model leaves the noise floor in layer ${first}`];
  if (responsible.length === 0) return [...left, 'no kernel alone makes it so: their errors add up'];
  return [...left, ...responsible.map((one) => responsibleFact(one, layers.length))];
}

function responsibleFact({ kernel, layers, kl_ratio: ratio }: Responsible, total: number): string {
  const where =
    layers.length === 0 ? 'outside of the layers' : `in ${layers.length === total && total > 1 ? 'every layer' : layerNames(layers)}`;
  return `${kernel} ${where} alone makes ${ratio === null ? 'logits that are not finite' : `kl_ratio ${multiple(ratio)}`}`;
}

/** `layer 14`, `layers 12 to 15`, `layers 0, 3 to 5 and 27`. */
function layerNames(layers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const layer of layers) {
    const open = ranges.at(-1);
    if (open !== undefined && open[1] === layer - 1) open[1] = layer;
    else ranges.push([layer, layer]);
  }
  const names = ranges.map(([start, end]) => (start === end ? `${start}` : `${start} to ${end}`));
  const last = names.pop() ?? '';
  return `layer${layers.length === 1 ? '' : 's'} ${names.length === 0 ? last : `${names.join(', ')} and ${last}`}`;
}

function passingKernels(kernels: KernelResult[]): Reason {
  const sites = kernels.reduce((sum, kernel) => sum + kernel.sites, 0);
  const ratios = kernels.flatMap((kernel) => (kernel.accuracy_ratio === null ? [] : [kernel.accuracy_ratio]));
  const probes = kernels.reduce((sum, kernel) => sum + (kernel.probes?.length ?? 0), 0);
  const probed = probes === 0 ? '' : ` and in ${count(probes, 'probe')}`;
  const worst = ratios.length === 0 ? '' : `; largest error ${multiple(Math.max(...ratios))} the noise floor`;
  return {
    code: 'kernel_pass',
    message: `${count(kernels.length, 'kernel')} ${kernels.length === 1 ? 'passes' : 'pass'} at ${count(sites, 'site')}${probed}${worst}.`,
  };
}

/** The sentence that tells a sensitive checkpoint from a bad kernel. */
export function sensitiveReason(level: 'pass' | 'warn'): Reason {
  const kernels =
    level === 'pass' ? 'this kernel set is fine on it: its error stays within the noise floor' : 'this kernel set is near its limit on it';
  return { code: 'sensitive_checkpoint', message: `Sensitive checkpoint: its weights can magnify rounding differences, and ${kernels}.` };
}

function sentence(head: string, facts: string[]): string {
  return facts.length === 0 ? `${head}.` : `${head}: ${facts.join('; ')}.`;
}

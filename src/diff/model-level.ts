// Free-running comparison: what errors do on their way through the whole model, layer by layer and at the logits.

import type { Op, Program } from '../architectures/program.js';
import type { NumericThresholds } from '../config/types.js';
import type { Placement } from '../kernels/sites.js';
import type { Sequence } from '../reference/sequence.js';
import type { Lane } from '../reference/walk.js';
import type { Level, ModelLayer, ModelLevel } from '../report/types.js';
import type { Judgement } from './kernel-level.js';
import type { LogitsSummary } from './logits-meter.js';
import { tokenName } from './rows.js';

/** A relative error of a layer's output below this is nobody's: float32 rounds 60 times as much. A floor of 0 is none to be above of. */
const LEAST_RELATIVE = 1e-9;
/** Below this many nats a KL is the arithmetic noise of its own computation (src/diff/logits-meter.ts). */
export const LEAST_KL = 1e-14;

export interface LayerMeter {
  /** Takes the lanes' values after an op that ends a layer or the model. */
  afterOp(op: Op): void;
  /** Relative RMS distance from the oracle of each lane but the oracle, per layer. */
  readonly relative: readonly (readonly number[])[];
  /** The same as RMS distance. */
  readonly absolute: readonly (readonly number[])[];
  /** RMS distance from the oracle of the final hidden state, per lane but the oracle. */
  readonly final: readonly number[];
}

/** @param lanes the oracle first */
export function layerMeter(program: Program, lanes: readonly Lane[]): LayerMeter {
  const relative: number[][] = program.layer_outputs.map(() => []);
  const absolute: number[][] = program.layer_outputs.map(() => []);
  const final: number[] = [];
  const last = program.hidden.at(-1) as string;
  const store = (value: string, lane: number, data: ArrayLike<number>) => {
    const { error, size } = distance(data, lanes[0]?.values.get(value)?.data as Float64Array);
    const layer = program.layer_outputs.indexOf(value);
    if (layer < 0) final[lane] = error;
    else {
      // Nothing off nothing is no error.
      (relative[layer] as number[])[lane] = error === 0 ? 0 : error / size;
      (absolute[layer] as number[])[lane] = error;
    }
  };
  // A kernel whose run crosses the end of a layer makes the layer's output later than the other lanes do.
  let pending: { value: string; lane: number }[] = [];
  return {
    relative,
    absolute,
    final,
    afterOp(op) {
      for (const value of Object.values(op.outputs)) {
        if (value === last || program.layer_outputs.includes(value)) pending.push(...lanes.slice(1).map((_, lane) => ({ value, lane })));
      }
      pending = pending.filter(({ value, lane }) => {
        const data = lanes[lane + 1]?.values.get(value)?.data;
        if (data !== undefined) store(value, lane, data);
        return data === undefined;
      });
    },
  };
}

function distance(data: ArrayLike<number>, oracle: Float64Array): { error: number; size: number } {
  let error = 0;
  let size = 0;
  for (let i = 0; i < oracle.length; i++) {
    const expected = oracle[i] as number;
    const delta = (data[i] as number) - expected;
    error += delta * delta;
    size += expected * expected;
  }
  return { error: Math.sqrt(error / oracle.length), size: Math.sqrt(size / oracle.length) };
}

export interface ModelEvidence<K> {
  readonly program: Program;
  /** Names of the valid recipes, in the order of their lanes. */
  readonly recipes: readonly string[];
  /** Models with kernels standing in, in the order of their lanes after the recipes. */
  readonly assemblies: readonly { readonly placements: readonly Placement<K>[]; readonly failure: string | null }[];
  /** Teacher-forced error of a placement. */
  injected(placement: Placement<K>): { rms: number; relative: number } | null;
  readonly layers: LayerMeter;
  readonly logits: LogitsSummary;
  /** RMS error of the final hidden state over that of a perturbation at the first site, in a model that rounds nowhere. */
  readonly sensitivity: number | null;
  /** The tokens of the run. */
  readonly sequence: Sequence;
  readonly limits: NumericThresholds;
}

/** The model level of each assembly. */
export function modelLevels<K>(evidence: ModelEvidence<K>): ModelLevel[] {
  return evidence.assemblies.map((_, i) => assemblyLevel(evidence, i));
}

export const SEVERITY: readonly Level[] = ['pass', 'warn', 'inconclusive', 'fail'];

/** The model level of the report: the worst of the assemblies; null without any. */
export function worstLevel(levels: readonly ModelLevel[]): ModelLevel | null {
  const [first] = levels;
  if (first === undefined) return null;
  return levels.reduce((worst, level) => {
    const bySeverity = SEVERITY.indexOf(level.status) - SEVERITY.indexOf(worst.status);
    return bySeverity > 0 || (bySeverity === 0 && (level.kl_ratio ?? 0) > (worst.kl_ratio ?? 0)) ? level : worst;
  }, first);
}

function assemblyLevel<K>(evidence: ModelEvidence<K>, assembly: number): ModelLevel {
  const { program, recipes, logits, layers, limits } = evidence;
  const lane = recipes.length + assembly;
  const { placements, failure } = evidence.assemblies[assembly] as ModelEvidence<K>['assemblies'][number];
  const kls = recipes.map((_, i) => logits.kl[i] as number);
  const floor = Math.max(...kls, LEAST_KL);
  const klFused = logits.kl[lane] as number;
  const ratio = klFused / floor;
  const first = placements[0];
  const injected = first === undefined ? null : evidence.injected(first);
  // Errors grow from what the kernels inject first, so that is what every later one is measured in.
  const grown = (error: number | undefined) =>
    injected === null || injected.rms === 0 || error === undefined ? null : finite(error / injected.rms);
  const base = {
    kl_fused: finite(klFused),
    kl_floor: finite(floor),
    kl_ratio: finite(ratio),
    kl_recipes: Object.fromEntries(recipes.map((name, i) => [name, finite(kls[i])])),
    top1_agreement: logits.top1_agreement[lane] ?? null,
    decisive_flips: logits.decisive_flips[lane] ?? null,
    positions: logits.positions,
    perplexity: { oracle: logits.perplexity[0] ?? null, eager: logits.perplexity[1] ?? null, fused: logits.perplexity[lane + 1] ?? null },
    amplification: grown(layers.final[lane]),
    amplification_curve: program.layer_outputs.map((_, layer) => grown(layers.absolute[layer]?.[lane])),
    sensitivity: first === undefined ? null : evidence.sensitivity,
    first_layer_above_floor: leftFloor(evidence, lane),
    responsible: null,
    layers: layerTable(evidence, placements, lane),
  };
  if (failure !== null) {
    // Eager's values took over where the kernel gave up: these figures are not the fused model's.
    return {
      ...base,
      kl_fused: null,
      kl_ratio: null,
      top1_agreement: null,
      decisive_flips: null,
      amplification: null,
      amplification_curve: program.layer_outputs.map(() => null),
      first_layer_above_floor: null,
      status: 'inconclusive',
      detail: failure,
    };
  }
  return { ...base, ...judgeLogits(logits, evidence.sequence, recipes.length, lane, ratio, limits) };
}

/**
 * The criteria of the model level.
 * @param recipes number of lanes after the oracle that are valid recipes
 * @param lane 0: the first after the oracle
 * @param ratio kl_ratio of the lane
 */
export function judgeLogits(
  logits: LogitsSummary,
  sequence: Sequence,
  recipes: number,
  lane: number,
  ratio: number,
  limits: NumericThresholds,
): { status: Level; detail: string | null } {
  const broken = (index: number) => logits.non_finite[index] ?? 0;
  const at = (index: number) =>
    `at ${broken(index)} of ${logits.positions} positions (the first: ${tokenName(sequence, logits.first_non_finite[index] ?? 0)})`;
  if (broken(0) > 0) return { status: 'inconclusive', detail: `the oracle's own logits are not finite ${at(0)}` };
  for (let i = 0; i < recipes; i++) {
    if (broken(i + 1) > 0) {
      return {
        status: 'inconclusive',
        detail: `the logits of a valid recipe overflow the serving dtype ${at(i + 1)}, so there is no noise floor`,
      };
    }
  }
  if (broken(lane + 1) > 0)
    return {
      status: 'fail',
      detail: `the fused model's logits are NaN or infinite ${at(lane + 1)}`,
    };
  const flips = logits.decisive_flips[lane] ?? 0;
  if (flips > 0)
    return {
      status: 'fail',
      detail: `${flips} decisive flips: another token comes first although the oracle's margin is over ${limits.decisive_margin} times the logit noise`,
    };
  if (ratio > limits.warn_ratio) return { status: 'fail', detail: null };
  return { status: ratio > limits.pass_ratio ? 'warn' : 'pass', detail: null };
}

/** A model level as the judgement of the one kernel that the whole model is. */
export function modelJudgement({ status, detail, kl_ratio }: ModelLevel, limits: NumericThresholds): Judgement {
  if (status === 'pass') return { level: status, detail: null };
  const limit = status === 'fail' ? limits.warn_ratio : limits.pass_ratio;
  return { level: status, detail: detail ?? `kl_ratio ${kl_ratio === null ? 'is not finite' : `${kl_ratio.toPrecision(3)} > ${limit}`}` };
}

function layerTable<K>(
  { program, recipes, layers, injected }: ModelEvidence<K>,
  placements: readonly Placement<K>[],
  lane: number,
): ModelLayer[] {
  return program.layer_outputs.map((_, layer) => {
    const relative = layers.relative[layer] ?? [];
    const own = placements.filter(({ site }) => site.layer === layer).flatMap((placement) => injected(placement)?.relative ?? []);
    return {
      layer,
      injected: own.length === 0 ? null : finite(Math.max(...own)),
      inherited: finite(relative[lane]),
      floor: finite(Math.max(...recipes.map((_name, i) => relative[i] ?? NaN))),
    };
  });
}

/** The first layer whose output is further from the oracle's than correct implementations are; what is not a number is. */
function leftFloor<K>({ recipes, layers, limits }: ModelEvidence<K>, lane: number): number | null {
  const layer = layers.relative.findIndex((relative) => {
    const error = relative[lane];
    return (
      error !== undefined && !(error <= limits.pass_ratio * Math.max(LEAST_RELATIVE, ...recipes.map((_name, i) => relative[i] ?? NaN)))
    );
  });
  return layer < 0 ? null : layer;
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

// The static check (K-ratio checker): is a checkpoint's weights sensitive to small differences? Definitions: docs/static-check.md.
// A risk, not evidence: what kernels really do with the model is measured elsewhere.

import type { StaticThresholds } from '../config/types.js';
import type { Finding, StaticLayer, StaticResult } from '../report/types.js';
import type { Checkpoint } from '../weights/checkpoint.js';
import { collectFindings } from './findings.js';
import { findNormTensors, isGenaiExport } from './norm-tensors.js';
import type { LayerVectors, Vector } from './norm-values.js';
import { largest, lowerMedian, multipliesByOnePlusWeight, readNormValues } from './norm-values.js';

/**
 * Checks a checkpoint by the effective weights of its norms: |w|, or |1 + w| for Gemma-style ones. Works on tensor names, so also for a
 * `model_type` that no architecture knows; reads norms and Q/K/V biases only, kilobytes of a checkpoint of any size.
 * @param modelConfig config.json of the model
 * @throws ModelError `non_finite_weights` for a tensor with NaN or infinite values, `weights_invalid` for one that cannot be read
 */
export async function staticCheck(
  checkpoint: Checkpoint,
  modelConfig: Record<string, unknown>,
  thresholds: StaticThresholds,
): Promise<StaticResult> {
  const inventory = findNormTensors(checkpoint);
  const values = await readNormValues(checkpoint, inventory, multipliesByOnePlusWeight(checkpoint, modelConfig));
  const measured = values.layers.filter((layer) => layer.k !== null || layer.q !== null).map((layer) => measure(layer, thresholds));
  const layers = measured.map(({ report }) => report);
  const ratio = maxOrNull(measured.map((layer) => layer.ratio));
  const maxK = maxOrNull(layers.map((layer) => layer.max_k));
  const extreme = layers.filter((layer) => layer.extreme);
  const share = inventory.layersTotal === 0 ? 0 : extreme.length / inventory.layersTotal;
  const scores = {
    ratio: ratioScore(ratio ?? 0, thresholds),
    extreme_layers: extremeLayersScore(share, thresholds),
    max_weight: maxWeightScore(maxK ?? 0, thresholds),
  };
  const { ratio_weight, extreme_layers_weight, max_weight_weight, amplification_per_weight } = thresholds;
  const score = cleaned(
    ratio_weight * scores.ratio + extreme_layers_weight * scores.extreme_layers + max_weight_weight * scores.max_weight,
  );
  return {
    status: statusOf(score, ratio ?? 0, maxK ?? 0, thresholds),
    score,
    scores,
    max_k_weight: maxK,
    k_weight_ratio: finiteOrNull(ratio),
    max_q_weight: maxOrNull(layers.map((layer) => layer.max_q)),
    extreme_layers: extreme.length,
    layers_total: inventory.layersTotal,
    estimated_amplification: extreme.reduce((product, layer) => product * (1 + amplification_per_weight * meanMax(layer)), 1),
    bytes_read: checkpoint.bytesRead,
    bytes_total: checkpoint.byteLength,
    requests: null,
    bytes_transferred: null,
    findings: [...unknownFamily(checkpoint, modelConfig), ...collectFindings(inventory, values, layers, modelConfig, thresholds)],
    layers,
  };
}

/** An ONNX file that comes alone may be of a family whose norms multiply by 1 + weight: nothing in it says so. */
function unknownFamily(checkpoint: Checkpoint, modelConfig: Record<string, unknown>): Finding[] {
  if (checkpoint.format !== 'onnx' || typeof modelConfig['model_type'] === 'string' || isGenaiExport(checkpoint)) return [];
  const message =
    'The ONNX file comes without config.json, so its norms count by |weight|. For Gemma-style models, whose norms multiply by 1 + weight, ' +
    'that is wrong: put the config.json of the model beside the file.';
  return [{ code: 'model_type_unknown', layer: null, tensor: null, value: null, message }];
}

/** A layer's entry in the report, and its K ratio with Infinity for a median of zero, which JSON cannot hold. */
function measure(layer: LayerVectors, thresholds: StaticThresholds): { report: StaticLayer; ratio: number | null } {
  const k = statistics(layer.k);
  const q = statistics(layer.q);
  const report = {
    layer: layer.layer,
    max_k: k.max,
    median_k: k.median,
    k_ratio: finiteOrNull(k.ratio),
    max_q: q.max,
    median_q: q.median,
    q_ratio: finiteOrNull(q.ratio),
    extreme: (k.max ?? 0) > thresholds.extreme_weight || (q.max ?? 0) > thresholds.extreme_weight,
  };
  return { report, ratio: k.ratio };
}

function statistics(vector: Vector | null): { max: number | null; median: number | null; ratio: number | null } {
  if (vector === null) return { max: null, median: null, ratio: null };
  const max = largest(vector.values);
  const median = lowerMedian(vector.values);
  // Half of the channels switched off: no ratio says how extreme the rest is, and none may pass for fine.
  return { max, median, ratio: median === 0 ? Infinity : max / median };
}

/** 1 up to `ratio_warn`, then from 0.5 down to 0 at `ratio_fail`. */
function ratioScore(ratio: number, { ratio_warn: warn, ratio_fail: fail }: StaticThresholds): number {
  if (ratio > fail) return 0;
  return ratio > warn ? cleaned((0.5 * (fail - ratio)) / (fail - warn)) : 1;
}

/** 1 up to `extreme_share_warn`, then down to 0.6 at `extreme_share_fail` (by default 1 − 2·(share − 0.3)), 0 above. */
function extremeLayersScore(share: number, { extreme_share_warn: warn, extreme_share_fail: fail }: StaticThresholds): number {
  if (share > fail) return 0;
  return share > warn ? cleaned(1 - (0.4 * (share - warn)) / (fail - warn)) : 1;
}

/** 1 up to `max_weight_warn`, then down to 0 at `max_weight_fail`. */
function maxWeightScore(max: number, { max_weight_warn: warn, max_weight_fail: fail }: StaticThresholds): number {
  if (max > fail) return 0;
  return max > warn ? cleaned((fail - max) / (fail - warn)) : 1;
}

function statusOf(score: number, ratio: number, maxK: number, thresholds: StaticThresholds): StaticResult['status'] {
  if (score < thresholds.score_incompatible) return 'INCOMPATIBLE';
  if (score < thresholds.score_warning) return 'WARNING';
  return ratio < thresholds.compatible_ratio && maxK < thresholds.compatible_max_weight ? 'COMPATIBLE' : 'WARNING';
}

/** (max_k + max_q) / 2; where a layer has only one of the norms, that one's maximum. */
function meanMax({ max_k: k, max_q: q }: StaticLayer): number {
  return ((k ?? q ?? 0) + (q ?? k ?? 0)) / 2;
}

function maxOrNull(values: readonly (number | null)[]): number | null {
  const present = values.filter((value) => value !== null);
  return present.length === 0 ? null : largest(present);
}

function finiteOrNull(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}

/** Sums of decimal fractions without the last bits: 0.6 and not 0.6000000000000001, which would also miss a threshold. */
function cleaned(value: number): number {
  return Math.round(value * 1e12) / 1e12;
}

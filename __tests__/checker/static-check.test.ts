// The static check: the published numbers on real files, and every threshold from both sides on made-up ones.
import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { staticCheck } from '../../src/checker/static-check.js';
import { openFolder } from '../../src/hub/folder.js';
import type { StaticResult } from '../../src/report/types.js';
import { openCheckpoint } from '../../src/weights/checkpoint.js';
import { THRESHOLDS, inMemory, norm, qkLayers } from './checkpoints.js';

// Computed once with NumPy 2 from the same files, independently of this code.
const NUMPY = { amplification: 1.2938358586201417, max_q: 4.28125, gemma_max_k: 2.1796875, gemma_ratio: 1.6011477761836441 };

async function checkModel(path: string): Promise<StaticResult> {
  const checkpoint = await openCheckpoint(await openFolder(path));
  try {
    return await staticCheck(checkpoint, JSON.parse(readFileSync(`${path}/config.json`, 'utf8')) as Record<string, unknown>, THRESHOLDS);
  } finally {
    await checkpoint.close();
  }
}

function check(
  layers: Parameters<typeof qkLayers>[0],
  thresholds = THRESHOLDS,
  config: Record<string, unknown> = {},
): Promise<StaticResult> {
  return staticCheck(inMemory(qkLayers(layers)), config, thresholds);
}

/** `count` layers of which the first `extreme` have a K weight of 11. */
function withShare(extreme: number, count: number): Promise<StaticResult> {
  return check(Array.from({ length: count }, (_, layer) => ({ k: layer < extreme ? norm(11, 5) : norm(2, 1), q: norm(1, 1) })));
}

describe('the demo models', () => {
  test('qwen3-mini has the published extremes of Qwen3-0.6B and is INCOMPATIBLE', async () => {
    const result = await checkModel('examples/models/qwen3-mini');
    expect(result).toMatchObject({
      status: 'INCOMPATIBLE',
      score: 0,
      scores: { ratio: 0, extreme_layers: 0, max_weight: 0 },
      max_k_weight: 96.5,
    });
    expect(result.k_weight_ratio).toBe(96.5 / 2.28125);
    expect(result).toMatchObject({ extreme_layers: 16, layers_total: 28 });
    expect(result.layers).toHaveLength(28);
    expect(result.layers[0]).toMatchObject({ layer: 0, max_k: 96.5, median_k: 2.28125, k_ratio: 96.5 / 2.28125, extreme: true });
    // NumPy 2: np.prod(1 + 0.001 * (max_k + max_q) / 2) over the extreme layers, np.max of q_norm over all.
    expect(result.estimated_amplification).toBeCloseTo(NUMPY.amplification, 12);
    expect(result.max_q_weight).toBe(NUMPY.max_q);
  });

  test('the layers are in the order of their numbers, not of their names', async () => {
    const result = await checkModel('examples/models/qwen3-mini');
    expect(result.layers.map((layer) => layer.layer)).toEqual(Array.from({ length: 28 }, (_, layer) => layer));
  });

  test.each([
    ['examples/models/tinyllama-mini', 22],
    ['examples/models/ernie45-mini', 18],
    ['__tests__/models/mistral-mini', 10],
  ])('%s has no Q/K norm, scores 1.00 and is COMPATIBLE without findings', async (path, layers) => {
    expect(await checkModel(path)).toMatchObject({
      status: 'COMPATIBLE',
      score: 1,
      max_k_weight: null,
      k_weight_ratio: null,
      max_q_weight: null,
      extreme_layers: 0,
      layers_total: layers,
      estimated_amplification: 1,
      findings: [],
      layers: [],
    });
  });

  test('gemma3-mini multiplies by 1 + weight, and is COMPATIBLE with its sandwich norms named', async () => {
    const result = await checkModel('__tests__/models/gemma3-mini');
    expect(result).toMatchObject({ status: 'COMPATIBLE', score: 1, extreme_layers: 0, layers_total: 12 });
    // NumPy 2: np.max(np.abs(1 + k_norm)), and of its ratio to np.sort(...)[(n - 1) // 2].
    expect(result.max_k_weight).toBe(NUMPY.gemma_max_k);
    expect(result.k_weight_ratio).toBeCloseTo(NUMPY.gemma_ratio, 12);
    expect(result.findings.map((finding) => finding.code)).toEqual(['sandwich_norms']);
  });

  test('only a small part of the file is read', async () => {
    const result = await checkModel('examples/models/qwen3-mini');
    const file = readFileSync('examples/models/qwen3-mini/model.safetensors');
    const header = 8 + Number(file.readBigUInt64LE(0));
    // 28 layers of K, Q [32] and two norms [64] in bfloat16, and the final norm.
    expect(result.bytes_read).toBe(header + 28 * (2 * 64 + 2 * 128) + 128);
    expect(result.bytes_total).toBe(file.byteLength);
  });
});

describe('ratio score', () => {
  test.each([
    [1, 1],
    [14.999, 1],
    [15, 1],
    [15.0625, (0.5 * (20 - 15.0625)) / 5],
    [17.5, 0.25],
    [20, 0],
    [20.0625, 0],
    [42.3, 0],
  ])('a K ratio of %d gives %d', async (ratio, expected) => {
    // Weights below 10, so that nothing but the ratio is judged; median 1/8 keeps the quotient exact.
    const result = await check([{ k: norm(ratio / 8, 1 / 8), q: norm(1, 1) }]);
    expect(result.k_weight_ratio).toBeCloseTo(ratio, 5);
    expect(result.scores.ratio).toBeCloseTo(expected, 5);
    expect(result.score).toBeCloseTo(0.4 * expected + 0.6, 5);
  });

  test('the largest ratio of all layers counts, also where another layer has the largest weight', async () => {
    const result = await check([{ k: norm(9, 3) }, { k: norm(4, 0.25) }, { k: norm(2, 1) }]);
    expect(result).toMatchObject({ k_weight_ratio: 16, max_k_weight: 9 });
  });

  test('the lower of the two middle weights is the median', async () => {
    const result = await check([{ k: [4, 1, 2, 8] }, { k: [5, 1, 3] }]);
    expect(result.layers.map((layer) => [layer.median_k, layer.k_ratio])).toEqual([
      [2, 4],
      [3, 5 / 3],
    ]);
  });

  test('negative weights count by their size', async () => {
    const result = await check([{ k: [-12, 1, -1, 1], q: [-3, 1, 1, 1] }]);
    expect(result).toMatchObject({ max_k_weight: 12, max_q_weight: 3, extreme_layers: 1 });
  });

  test('Q has its own maximum, median and ratio, and no part in the score', async () => {
    const result = await check([{ k: norm(2, 1), q: norm(9, 0.25) }]);
    expect(result.layers[0]).toMatchObject({ max_q: 9, median_q: 0.25, q_ratio: 36 });
    expect(result).toMatchObject({ score: 1, status: 'COMPATIBLE' });
  });
});

describe('extreme layers score', () => {
  test.each([
    [0, 10, 1],
    [3, 10, 1],
    [31, 100, 0.98],
    [4, 10, 0.8],
    [5, 10, 0.6],
    [51, 100, 0],
    [10, 10, 0],
  ])('%d extreme layers of %d give %d', async (extreme, count, expected) => {
    const result = await withShare(extreme, count);
    expect(result).toMatchObject({ extreme_layers: extreme, layers_total: count });
    expect(result.scores.extreme_layers).toBe(expected);
    expect(result.scores).toMatchObject({ ratio: 1, max_weight: 1 });
    expect(result.score).toBeCloseTo(0.7 + 0.3 * expected, 12);
  });

  test('a layer is extreme above 10 and not at 10, by K or by Q', async () => {
    const result = await check([
      { k: norm(10, 5), q: norm(10, 5) },
      { k: norm(10.0625, 5), q: norm(1, 1) },
      { k: norm(1, 1), q: norm(10.0625, 5) },
    ]);
    expect(result.layers.map((layer) => layer.extreme)).toEqual([false, true, true]);
  });
});

describe('max weight score', () => {
  test.each([
    [20, 1],
    [21.5, 0.95],
    [35, 0.5],
    [50, 0],
    [50.5, 0],
  ])('a K weight of %d gives %d', async (max, expected) => {
    const quiet = Array.from({ length: 9 }, () => ({ k: norm(2, 1) }));
    const result = await check([{ k: norm(max, 8) }, ...quiet]);
    expect(result.max_k_weight).toBe(max);
    expect(result.scores).toEqual({ ratio: 1, extreme_layers: 1, max_weight: expected });
  });
});

describe('status', () => {
  const quiet = (count: number) => Array.from({ length: count }, () => ({ k: norm(2, 1) }));

  test.each([
    ['everything small', [{ k: norm(9.9375, 1) }], 'COMPATIBLE', 1],
    ['a weight of 10 in a layer that is not extreme', [{ k: norm(10, 1) }], 'WARNING', 1],
    ['a score of 0.8 and a ratio of 19', [{ k: norm(9.5, 0.5) }], 'WARNING', 0.64],
    ['a ratio of 17.5', [{ k: norm(4.375, 0.25) }], 'WARNING', 0.7],
    ['ratio and maximum over', [{ k: norm(60, 2) }, ...quiet(9)], 'INCOMPATIBLE', 0.3],
    ['ratio over, maximum halfway', [{ k: norm(35, 1) }, ...quiet(9)], 'INCOMPATIBLE', 0.45],
    ['ratio over alone', [{ k: norm(5.25, 0.25) }], 'WARNING', 0.6],
  ] as const)('%s is judged by score, ratio and maximum', async (_, layers, status, score) => {
    const result = await check(layers);
    expect(result.score).toBeCloseTo(score, 12);
    expect(result.status).toBe(status);
  });

  test('a score of exactly 0.5 is a WARNING, one just below is INCOMPATIBLE', async () => {
    // 0.4 · 0 + 0.3 · 1 + 0.3 · (50 − max)/30 = 0.5 at max = 30
    expect(await check([{ k: norm(30, 1) }, ...quiet(9)])).toMatchObject({ score: 0.5, status: 'WARNING' });
    expect(await check([{ k: norm(30.125, 1) }, ...quiet(9)])).toMatchObject({ status: 'INCOMPATIBLE' });
  });

  test('a score of exactly 0.8 with small weights is no WARNING for its score', async () => {
    // 0.4 + 0.3 · (1 − 2(s − 0.3)) + 0.3 with s = 1/2 is 0.88; the threshold moved to that score tells both sides apart.
    const layers = Array.from({ length: 10 }, (_, layer) => ({ k: norm(1, 1), q: norm(layer < 5 ? 11 : 1, 1) }));
    const at = (score_warning: number) => check(layers, { ...THRESHOLDS, score_warning });
    expect(await at(0.88)).toMatchObject({ score: 0.88, status: 'COMPATIBLE' });
    expect(await at(0.8801)).toMatchObject({ status: 'WARNING' });
  });

  test('a ratio of 20 is a WARNING even when the score is good enough', async () => {
    const lenient = { ...THRESHOLDS, score_warning: 0.6 };
    expect(await check([{ k: norm(5, 0.25) }], lenient)).toMatchObject({ score: 0.6, k_weight_ratio: 20, status: 'WARNING' });
    expect(await check([{ k: norm(4.9375, 0.25) }], lenient)).toMatchObject({ status: 'COMPATIBLE' });
  });

  test('other thresholds move every limit', async () => {
    const layers = [{ k: norm(3, 1), q: norm(1, 1) }];
    expect(await check(layers)).toMatchObject({ status: 'COMPATIBLE', extreme_layers: 0 });
    const strict = {
      ...THRESHOLDS,
      extreme_weight: 2,
      ratio_warn: 1,
      ratio_fail: 2,
      extreme_share_warn: 0.1,
      extreme_share_fail: 0.2,
      max_weight_warn: 1,
      max_weight_fail: 2,
    };
    expect(await check(layers, strict)).toMatchObject({ status: 'INCOMPATIBLE', score: 0, extreme_layers: 1 });
  });
});

describe('estimated amplification', () => {
  test('is the product over extreme layers of 1 + a thousandth of the mean of both maxima', async () => {
    const result = await check([
      { k: norm(12, 6), q: norm(4, 2) },
      { k: norm(2, 1), q: norm(3, 1) },
      { k: norm(20, 10), q: norm(10, 5) },
    ]);
    expect(result.estimated_amplification).toBeCloseTo(1.008 * 1.015, 12);
  });
  test('is 1 without extreme layers', async () => {
    expect((await check([{ k: norm(10, 5), q: norm(10, 5) }])).estimated_amplification).toBe(1);
  });
  test('takes the one norm that a layer has', async () => {
    expect((await check([{ k: norm(30, 15) }])).estimated_amplification).toBeCloseTo(1.03, 12);
  });
});

describe('norms that multiply by 1 + weight', () => {
  test.each(['gemma', 'gemma2', 'gemma3', 'gemma3_text'])('%s: |1 + w| counts, for both signs of w', async (model_type) => {
    const layers = [{ k: [0, 11, 0, 0], q: [-3, -1.5, 0, 0] }];
    const result = await check(layers, THRESHOLDS, { model_type });
    expect(result.layers[0]).toMatchObject({ max_k: 12, median_k: 1, max_q: 2, median_q: 1 });
    expect((await check(layers, THRESHOLDS, { model_type: 'qwen3' })).layers[0]).toMatchObject({ max_k: 11, median_k: 0 });
  });
  test('the text_config of a multi-modal model decides too', async () => {
    const result = await check([{ k: [0, 1, 0, 0] }], THRESHOLDS, { model_type: 'mymodal', text_config: { model_type: 'gemma2' } });
    expect(result.max_k_weight).toBe(2);
  });
});

describe('a median of zero', () => {
  test('never passes for fine: the ratio counts as infinite, and is null in the report', async () => {
    const result = await check([{ k: [0, 0, 0, 9], q: norm(1, 1) }]);
    expect(result).toMatchObject({ k_weight_ratio: null, score: 0.6, status: 'WARNING' });
    expect(result.scores.ratio).toBe(0);
    expect(result.layers[0]).toMatchObject({ max_k: 9, median_k: 0, k_ratio: null });
    expect(result.findings[0]).toMatchObject({ code: 'zero_median_norm', layer: 0, value: 9 });
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });
  test('nor does a norm of nothing but zeros', async () => {
    const result = await check([{ k: [0, 0, 0, 0], q: norm(1, 1) }]);
    expect(result).toMatchObject({ max_k_weight: 0, k_weight_ratio: null, status: 'WARNING' });
    expect(result.findings[0]).toMatchObject({ code: 'zero_median_norm', value: 0 });
  });
  test('in Q is a finding and no part of the score', async () => {
    const result = await check([{ k: norm(1, 1), q: [0, 0, 0, 1] }]);
    expect(result).toMatchObject({ score: 1, status: 'COMPATIBLE' });
    expect(result.findings[0]).toMatchObject({ code: 'zero_median_norm', tensor: 'model.layers.0.self_attn.q_norm.weight' });
  });
});

describe('values that are not finite', () => {
  test.each([
    [[1, NaN, Infinity, NaN], '2 NaN and 1 infinite of 4 values'],
    [[1, -Infinity, 1, 1], '1 infinite of 4 values'],
    [[1, NaN, 1, 1], '1 NaN of 4 values'],
  ])('%j in a K norm stop the check with tensor and count', async (k, counts) => {
    await expect(check([{ k: norm(1, 1) }, { k }])).rejects.toMatchObject({
      code: 'non_finite_weights',
      message: expect.stringContaining(`tensor "model.layers.1.self_attn.k_norm.weight" holds ${counts}`),
    });
  });
  test('so do they in other norms, the final norm and biases', async () => {
    for (const name of ['model.layers.0.input_layernorm.weight', 'model.norm.weight', 'model.layers.0.self_attn.v_proj.bias']) {
      const checkpoint = inMemory({ 'model.layers.0.mlp_norm.weight': [1], [name]: [1, NaN] });
      await expect(staticCheck(checkpoint, {}, THRESHOLDS)).rejects.toMatchObject({
        code: 'non_finite_weights',
        message: expect.stringContaining(name),
      });
    }
  });
  test('a norm in a dtype without plain numbers is refused by name', async () => {
    const checkpoint = inMemory({ 'model.layers.0.self_attn.k_norm.weight': { values: [1], shape: [4], dtype: 'I8' } });
    await expect(staticCheck(checkpoint, {}, THRESHOLDS)).rejects.toMatchObject({
      code: 'weights_invalid',
      message: expect.stringContaining('has dtype I8'),
    });
  });
});

describe('norms of 8 bits', () => {
  /** The four bytes of the float32 value that `inMemory` stores: as F8_E4M3 they are 0.5, 2, 1 and 448. */
  const bytes = new Float32Array(Uint8Array.of(0x30, 0x40, 0x38, 0x7e).buffer)[0] as number;
  const name = 'model.layers.0.self_attn.k_norm.weight';
  const norm = { values: [bytes], shape: [4], dtype: 'F8_E4M3' as const };

  test('are read by the table of their dtype (32)', async () => {
    const { layers, max_k_weight, k_weight_ratio } = await staticCheck(inMemory({ [name]: norm }), {}, THRESHOLDS);
    expect(layers).toEqual([expect.objectContaining({ max_k: 448, median_k: 1 })]);
    expect([max_k_weight, k_weight_ratio]).toEqual([448, 448]);
  });

  test('that are not finite are refused with their count', async () => {
    const nan = new Float32Array(Uint8Array.of(0x7f, 0x40, 0xff, 0x30).buffer)[0] as number;
    await expect(staticCheck(inMemory({ [name]: { ...norm, values: [nan] } }), {}, THRESHOLDS)).rejects.toMatchObject({
      code: 'non_finite_weights',
      message: expect.stringContaining('holds 2 NaN of 4 values'),
    });
  });

  test.each(['weight_scale', 'weight_scale_inv', 'scale_weight'])(
    'with their scale in %s are refused, never taken without it',
    async (last) => {
      const checkpoint = inMemory({ [name]: norm, [name.replace('weight', last)]: [0.5] });
      await expect(staticCheck(checkpoint, {}, THRESHOLDS)).rejects.toMatchObject({
        code: 'weights_invalid',
        message: expect.stringMatching(new RegExp(`k_norm\\.weight" is F8_E4M3 with its scale in "model.*${last}"`)),
      });
    },
  );
});

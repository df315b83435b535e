// Where kernels can stand in real programs and in made ones, and which of them stand there together.

import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Op, Program } from '../../src/architectures/program.js';
import schema from '../../schemas/kernel.schema.json' with { type: 'json' };
import { CONTRACTS } from '../../src/kernels/contracts.js';
import { SHIPPED_KERNELS } from '../../src/kernels/shipped.js';
import { assemble, findSites, type Site } from '../../src/kernels/sites.js';
import { MODELS, programOf, type ModelName } from '../support/models.js';

const programs = new Map<ModelName, Program>();
beforeAll(async () => {
  for (const name of MODELS) programs.set(name, await programOf(name));
});
const program = (name: ModelName) => programs.get(name) as Program;

test('contracts and the manifest schema name the same ops', () => {
  expect([...CONTRACTS.keys()]).toEqual(schema.properties.op.enum);
});

test('every shipped kernel is for a contract, and is the only one for it', () => {
  const ops = SHIPPED_KERNELS.map(({ op }) => op);
  expect(new Set(ops).size).toBe(ops.length);
  for (const op of ops) expect(CONTRACTS.has(op)).toBe(true);
});

describe('sites per layer and beside the layers', () => {
  // L layers: [sites in each layer, sites outside of the layers]. lm_head is streamed and no site of `linear`.
  const llama = {
    rms_norm: [2, 1],
    add_rms_norm: [2, 0],
    linear: [4, 0],
    rms_norm_qkv: [1, 0],
    qk_norm: [0, 0],
    rope: [1, 0],
    qk_norm_rope: [0, 0],
    attention: [1, 0],
    silu_mul: [1, 0],
    gelu_tanh_mul: [0, 0],
    swiglu_mlp: [1, 0],
    decoder_layer: [1, 0],
    // It is no part of a model, and judged by its logits.
    model: [0, 0],
  };
  const expected = {
    'tinyllama-mini': llama,
    'ernie45-mini': llama,
    'mistral-mini': llama,
    'qwen3-mini': { ...llama, qk_norm: [1, 0], qk_norm_rope: [1, 0] },
    // Sandwich norms: four per layer, and the one after attention and after the MLP stands before the addition.
    'gemma3-mini': { ...llama, rms_norm: [4, 1], qk_norm: [1, 0], qk_norm_rope: [1, 0], silu_mul: [0, 0], gelu_tanh_mul: [1, 0] },
  };

  test.each(MODELS)('%s', (name) => {
    const layers = program(name).num_hidden_layers;
    const counts = Object.fromEntries([...CONTRACTS.keys()].map((op) => [op, findSites(program(name), op).length]));
    const wanted = Object.fromEntries(Object.entries(expected[name]).map(([op, [each = 0, beside = 0]]) => [op, each * layers + beside]));
    // Whole models and generators have no site: they are asked beside the program.
    expect(counts).toEqual({ ...wanted, generate: 0 });
  });

  test.each(MODELS)('every site of %s binds all that its contract names, and nothing inside', (name) => {
    for (const [op, contract] of CONTRACTS) {
      for (const site of findSites(program(name), op)) {
        expect([...site.outputs.keys()].sort()).toEqual(contract.outputs.map((tensor) => tensor.name).sort());
        if (contract.stands_for === 'run') expect(site.end - site.start + 1).toBe(contract.steps.length);
        expect([...site.inputs.keys(), ...site.weights.keys()].filter((tensor) => tensor.startsWith('#'))).toEqual([]);
        const attributes = contract.attributes.map((attribute) => attribute.name);
        expect(Object.keys(site.attributes)).toEqual(expect.arrayContaining(attributes));
        if (contract.stands_for === 'layer') continue;
        expect(Object.keys(site.attributes)).toHaveLength(attributes.length);
        const given = [...site.inputs.keys(), ...site.weights.keys()];
        const wanted = contract.inputs.filter((tensor) => !tensor.optional || given.includes(tensor.name)).map((tensor) => tensor.name);
        expect(given.sort()).toEqual(wanted.sort());
      }
    }
  });
});

describe('a site', () => {
  test('of add_rms_norm spans the border of two layers, and belongs to the one that its norm is in', () => {
    const sites = findSites(program('tinyllama-mini'), 'add_rms_norm');
    expect(sites.slice(0, 2).map(({ layer, name }) => [layer, name])).toEqual([
      [0, 'post_attention_layernorm'],
      [1, 'input_layernorm'],
    ]);
    expect(sites.at(-1)).toMatchObject({ layer: null, name: 'norm' });
    const { ops } = program('tinyllama-mini');
    const border = sites[1] as Site;
    expect([ops[border.start]?.layer, ops[border.end]?.layer]).toEqual([0, 1]);
    expect(Object.fromEntries(border.outputs)).toEqual({ residual_out: '0.out', y: '1.normed' });
  });

  test('of rms_norm_qkv joins the rows of Q, K and V and takes the attributes of both ops', () => {
    const [site] = findSites(program('qwen3-mini'), 'rms_norm_qkv');
    const tensors = [...(site as Site).weights].map(([tensor, refs]) => [
      tensor,
      refs.map((ref) => ref.tensor.replace('model.layers.0.', '')),
    ]);
    expect(tensors).toEqual([
      ['norm_weight', ['input_layernorm.weight']],
      ['qkv_weight', ['self_attn.q_proj.weight', 'self_attn.k_proj.weight', 'self_attn.v_proj.weight']],
    ]);
    expect(site?.attributes).toEqual({ eps: 1e-6, weight_offset: 0, num_heads: 4, num_kv_heads: 2, head_dim: 32 });
  });

  test('of swiglu_mlp says which activation it is', () => {
    expect(findSites(program('tinyllama-mini'), 'swiglu_mlp')[0]?.attributes).toEqual({ activation: 'silu' });
    expect(findSites(program('gemma3-mini'), 'swiglu_mlp')[0]?.attributes).toEqual({ activation: 'gelu_tanh' });
  });

  test('of attention carries the window of its layer', () => {
    const windows = findSites(program('gemma3-mini'), 'attention').map(({ attributes }) => attributes['window']);
    expect(windows).toEqual([24, 24, 24, 24, 24, 0, 24, 24, 24, 24, 24, 0]);
  });

  test.each(MODELS)('of decoder_layer is all that %s has in a layer, with the weights by their checkpoint names', (name) => {
    const { ops, layer_outputs } = program(name);
    const config = { hidden_size: 7, window: 'no', layer_types: ['full'], note: 'x'.repeat(300) };
    const sites = findSites(program(name), 'decoder_layer', config);
    for (const [layer, site] of sites.entries()) {
      const inside = ops.slice(site.start, site.end + 1);
      expect(inside).toEqual(ops.filter((op) => op.layer === layer));
      const refs = inside.flatMap((op) => Object.values(op.weights).map(({ tensor }) => tensor));
      expect([...site.weights].map(([tensor, [ref]]) => [tensor, ref?.tensor])).toEqual(refs.map((tensor) => [tensor, tensor]));
      expect(refs.every((tensor) => tensor.startsWith(`model.layers.${layer}.`))).toBe(true);
      expect(site.inputs.get('x')).toBe(layer === 0 ? 'embeddings' : layer_outputs[layer - 1]);
      expect([...site.outputs]).toEqual([['y', layer_outputs[layer]]]);
      const attention = inside.find((op) => op.op === 'attention');
      expect(site).toMatchObject({ layer, name: 'layer', attributes: { layer_idx: layer, hidden_size: 7, ...attention?.attributes } });
      expect(site.attributes).not.toHaveProperty('layer_types');
      expect(site.attributes).not.toHaveProperty('note');
      expect([...site.inputs.keys()].sort()).toEqual(['cos', 'sin', 'x']);
      expect(site.inputs.get('cos')).toBe(inside.find((op) => op.op === 'rope')?.inputs['cos']);
    }
  });

  test('is never lm_head, whose logits are streamed', () => {
    const { logits } = program('mistral-mini');
    for (const op of CONTRACTS.keys())
      for (const site of findSites(program('mistral-mini'), op)) expect([...site.outputs.values()]).not.toContain(logits);
  });
});

/** A program of these ops and nothing else. */
function made(ops: readonly Partial<Op>[]): Program {
  const complete = ops.map((op): Op => ({ op: 'add', layer: 0, site: 's', inputs: {}, weights: {}, attributes: {}, outputs: {}, ...op }));
  return { ...program('tinyllama-mini'), ops: complete, logits: 'logits' };
}

const ref = (tensor: string) => ({ tensor, shape: [4] });
const NORM: Partial<Op> = {
  op: 'rms_norm',
  inputs: { x: 'a' },
  weights: { weight: ref('norm') },
  attributes: { eps: 1e-6, weight_offset: 0 },
  outputs: { y: 'normed' },
};
const QKV: Partial<Op> = {
  op: 'qkv',
  inputs: { x: 'normed' },
  weights: { q_weight: ref('q'), k_weight: ref('k'), v_weight: ref('v') },
  attributes: { num_heads: 1, num_kv_heads: 1, head_dim: 4 },
  outputs: { q: 'q', k: 'k', v: 'v' },
};

describe('a run of ops', () => {
  test('matches when what is inside stays inside', () => {
    expect(findSites(made([NORM, QKV]), 'rms_norm_qkv')).toHaveLength(1);
  });
  test('does not match when a value inside is needed outside', () => {
    const elsewhere: Partial<Op> = { op: 'linear', inputs: { x: 'normed' }, weights: { weight: ref('w') }, outputs: { y: 'z' } };
    expect(findSites(made([NORM, QKV, elsewhere]), 'rms_norm_qkv')).toHaveLength(0);
  });
  test('does not match when its ops are not joined', () => {
    expect(findSites(made([NORM, { ...QKV, inputs: { x: 'other' } }]), 'rms_norm_qkv')).toHaveLength(0);
  });
  test('does not match backwards, apart, or beyond the end', () => {
    expect(findSites(made([QKV, NORM]), 'rms_norm_qkv')).toHaveLength(0);
    expect(findSites(made([NORM, { outputs: { y: 'b' } }, QKV]), 'rms_norm_qkv')).toHaveLength(0);
    expect(findSites(made([NORM]), 'rms_norm_qkv')).toHaveLength(0);
  });
});

describe('biases', () => {
  const biases = { q_bias: ref('qb'), k_bias: ref('kb'), v_bias: ref('vb') };
  test('come along where the contract has a place for them', () => {
    const [site] = findSites(made([NORM, { ...QKV, weights: { ...QKV.weights, ...biases } }]), 'rms_norm_qkv');
    expect(site?.weights.get('qkv_bias')?.map(({ tensor }) => tensor)).toEqual(['qb', 'kb', 'vb']);
    const linear: Partial<Op> = { op: 'linear', inputs: { x: 'x' }, weights: { weight: ref('w'), bias: ref('b') }, outputs: { y: 'y' } };
    expect(findSites(made([linear]), 'linear')[0]?.weights.get('bias')?.[0]?.tensor).toBe('b');
  });
  test('keep a kernel away whose contract has none, or has one for all three only', () => {
    const linear = (x: string, y: string, bias: boolean): Partial<Op> => ({
      op: 'linear',
      inputs: { x },
      weights: { weight: ref(y), ...(bias ? { bias: ref(`${y}b`) } : {}) },
      outputs: { y },
    });
    const mlp = (bias: boolean) => [
      linear('x', 'gate', false),
      linear('x', 'up', bias),
      { op: 'silu_mul', inputs: { gate: 'gate', up: 'up' }, outputs: { y: 'act' } } as const,
      linear('act', 'down', false),
    ];
    expect(findSites(made(mlp(false)), 'swiglu_mlp')).toHaveLength(1);
    expect(findSites(made(mlp(true)), 'swiglu_mlp')).toHaveLength(0);
    expect(findSites(made([NORM, { ...QKV, weights: { ...QKV.weights, q_bias: ref('qb') } }]), 'rms_norm_qkv')).toHaveLength(0);
  });
});

describe('kernels together', () => {
  interface Named {
    readonly name: string;
    readonly op: string;
  }
  const layout = (kernels: readonly Named[]) =>
    assemble(kernels, ({ op }) => findSites(program('qwen3-mini'), op)).map((placements) => {
      const counts: Record<string, number> = {};
      for (const { kernel } of placements) counts[kernel.name] = (counts[kernel.name] ?? 0) + 1;
      return counts;
    });

  test('the longest run wins, and what it covers leaves the rest to the shorter one', () => {
    expect(
      layout([
        { name: 'a-norm', op: 'rms_norm' },
        { name: 'b-fused', op: 'add_rms_norm' },
      ]),
    ).toEqual([{ 'a-norm': 1, 'b-fused': 56 }]);
  });
  test('a whole layer wins over everything inside of it, and over what crosses the border of two layers', () => {
    expect(
      layout([
        { name: 'a-mlp', op: 'swiglu_mlp' },
        { name: 'b-norm', op: 'add_rms_norm' },
        { name: 'c-layer', op: 'decoder_layer' },
      ]),
    ).toEqual([{ 'c-layer': 28 }, { 'a-mlp': 28, 'b-norm': 56 }]);
  });
  test('a kernel that is covered everywhere gets a model of its own, so that it runs free once', () => {
    expect(
      layout([
        { name: 'norm', op: 'qk_norm' },
        { name: 'norm-rope', op: 'qk_norm_rope' },
      ]),
    ).toEqual([{ 'norm-rope': 28 }, { norm: 28 }]);
  });
  test('of two for the same op the first by name wins, whatever their order', () => {
    const [b, a] = [
      { name: 'b', op: 'rope' },
      { name: 'a', op: 'rope' },
    ];
    expect(layout([b, a])).toEqual([{ a: 28 }, { b: 28 }]);
    expect(layout([a, b])).toEqual(layout([b, a]));
  });
  test('no two stand on the same op, and every one stands somewhere', () => {
    const kernels = [...CONTRACTS.keys()].map((op) => ({ name: op, op }));
    const models = assemble(kernels, ({ op }) => findSites(program('qwen3-mini'), op));
    for (const placements of models) {
      const taken = placements.flatMap(({ site }) => Array.from({ length: site.end - site.start + 1 }, (_, i) => site.start + i));
      expect(new Set(taken).size).toBe(taken.length);
    }
    const standing = new Set(models.flat().map(({ kernel }) => kernel.name));
    // gelu_tanh_mul is no op of this model, and a whole model stands nowhere.
    expect([...CONTRACTS.keys()].filter((op) => !standing.has(op))).toEqual(['gelu_tanh_mul', 'model', 'generate']);
  });
  test('none at all make no model', () => {
    expect(layout([])).toEqual([]);
    expect(layout([{ name: 'gelu', op: 'gelu_tanh_mul' }])).toEqual([]);
  });
});

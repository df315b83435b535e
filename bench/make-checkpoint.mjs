// Makes a synthetic checkpoint (bfloat16, seeded) in the shapes of Qwen3-0.6B (1.19 GB) or another model:
// `node bench/make-checkpoint.mjs FOLDER [--shape NAME] [--layers N]`.
// Its weights are random: good for measuring time and memory, not for judging kernels.

import { once } from 'node:events';
import { createWriteStream, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The keys of each model's config.json that shape it. */
const SHAPES = {
  // https://huggingface.co/Qwen/Qwen3-0.6B/blob/main/config.json
  'qwen3-0.6b': {
    architectures: ['Qwen3ForCausalLM'],
    model_type: 'qwen3',
    attention_bias: false,
    head_dim: 128,
    hidden_act: 'silu',
    hidden_size: 1024,
    intermediate_size: 3072,
    max_position_embeddings: 40960,
    max_window_layers: 28,
    num_attention_heads: 16,
    num_hidden_layers: 28,
    num_key_value_heads: 8,
    rms_norm_eps: 1e-6,
    rope_scaling: null,
    rope_theta: 1000000,
    sliding_window: null,
    tie_word_embeddings: true,
    torch_dtype: 'bfloat16',
    use_sliding_window: false,
    vocab_size: 151936,
  },
  // https://huggingface.co/TinyLlama/TinyLlama-1.1B-Chat-v1.0/blob/main/config.json
  'tinyllama-1.1b': {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    attention_bias: false,
    hidden_act: 'silu',
    hidden_size: 2048,
    intermediate_size: 5632,
    max_position_embeddings: 2048,
    num_attention_heads: 32,
    num_hidden_layers: 22,
    num_key_value_heads: 4,
    rms_norm_eps: 1e-5,
    rope_scaling: null,
    rope_theta: 10000,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
    vocab_size: 32000,
  },
  // https://huggingface.co/baidu/ERNIE-4.5-0.3B-PT/blob/main/config.json
  'ernie-4.5-0.3b': {
    architectures: ['Ernie4_5ForCausalLM'],
    model_type: 'ernie4_5',
    head_dim: 128,
    hidden_act: 'silu',
    hidden_size: 1024,
    intermediate_size: 3072,
    max_position_embeddings: 131072,
    num_attention_heads: 16,
    num_hidden_layers: 18,
    num_key_value_heads: 2,
    rms_norm_eps: 1e-5,
    rope_scaling: null,
    rope_theta: 500000,
    tie_word_embeddings: true,
    torch_dtype: 'bfloat16',
    use_bias: false,
    vocab_size: 103424,
  },
};

const PIECE_VALUES = 4 * 2 ** 20;

/** Tensors in file order. Matrices have a standard deviation of 1/√columns, so that activations stay of the size of 1; norms are near 1. */
function tensors(config) {
  const { hidden_size: H, intermediate_size: I, num_attention_heads, num_key_value_heads, vocab_size } = config;
  const D = config.head_dim ?? H / num_attention_heads;
  const q = num_attention_heads * D;
  const kv = num_key_value_heads * D;
  const matrix = (name, rows, columns) => ({ name, shape: [rows, columns], mean: 0, deviation: columns ** -0.5 });
  const norm = (name, size) => ({ name, shape: [size], mean: 1, deviation: 0.1 });
  const layers = Array.from({ length: config.num_hidden_layers }, (_, layer) => {
    const at = (name) => `model.layers.${layer}.${name}.weight`;
    const qkNorms = config.model_type === 'qwen3';
    return [
      norm(at('input_layernorm'), H),
      matrix(at('mlp.down_proj'), H, I),
      matrix(at('mlp.gate_proj'), I, H),
      matrix(at('mlp.up_proj'), I, H),
      norm(at('post_attention_layernorm'), H),
      ...(qkNorms ? [norm(at('self_attn.k_norm'), D)] : []),
      matrix(at('self_attn.k_proj'), kv, H),
      matrix(at('self_attn.o_proj'), H, q),
      ...(qkNorms ? [norm(at('self_attn.q_norm'), D)] : []),
      matrix(at('self_attn.q_proj'), q, H),
      matrix(at('self_attn.v_proj'), kv, H),
    ];
  });
  const head = config.tie_word_embeddings ? [] : [matrix('lm_head.weight', vocab_size, H)];
  return [matrix('model.embed_tokens.weight', vocab_size, H), ...layers.flat(), ...head, norm('model.norm.weight', H)];
}

/** mulberry32: 32 random bits a call. */
function randomBits(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** 65,536 draws from the standard normal distribution; weights are drawn from these, 16 bits of randomness each. */
function normalPool(bits) {
  const unit = () => (bits() + 0.5) / 2 ** 32;
  return Float64Array.from({ length: 65_536 }, () => Math.sqrt(-2 * Math.log(unit())) * Math.cos(2 * Math.PI * unit()));
}

function toBfloat16(values) {
  const wide = new Int32Array(Float32Array.from(values).buffer);
  return Uint16Array.from(wide, (x) => (x + 0x7fff + ((x >>> 16) & 1)) >>> 16);
}

async function writeTensor(stream, { shape, mean, deviation }, pool, bits) {
  const table = toBfloat16(pool.map((draw) => mean + deviation * draw));
  let left = shape.reduce((product, size) => product * size, 1);
  while (left > 0) {
    const piece = new Uint16Array(Math.min(left, PIECE_VALUES));
    for (let i = 0; i < piece.length; i += 2) {
      const two = bits();
      piece[i] = table[two & 0xffff];
      piece[i + 1] = table[two >>> 16];
    }
    left -= piece.length;
    if (!stream.write(new Uint8Array(piece.buffer))) await once(stream, 'drain');
  }
}

function header(list) {
  let end = 0;
  const entries = list.map(({ name, shape }) => {
    const begin = end;
    end += 2 * shape.reduce((product, size) => product * size, 1);
    return [name, { dtype: 'BF16', shape, data_offsets: [begin, end] }];
  });
  const text = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) });
  const padded = text.padEnd(Math.ceil(text.length / 8) * 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, Buffer.from(padded)]);
}

async function make(folder, config) {
  mkdirSync(folder, { recursive: true });
  const bits = randomBits(20260101);
  const pool = normalPool(bits);
  const list = tensors(config);
  const path = join(folder, 'model.safetensors');
  const stream = createWriteStream(`${path}.part`);
  stream.write(header(list));
  for (const tensor of list) await writeTensor(stream, tensor, pool, bits);
  stream.end();
  await finished(stream);
  renameSync(`${path}.part`, path);
  writeFileSync(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  console.log(`${path}: ${(stream.bytesWritten / 1e9).toFixed(3)} GB in ${list.length} tensors`);
}

const USAGE = `usage: node bench/make-checkpoint.mjs FOLDER [--shape ${Object.keys(SHAPES).join('|')}] [--layers N]`;

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { shape: { type: 'string', default: 'qwen3-0.6b' }, layers: { type: 'string' } },
  });
  const [folder, ...rest] = positionals;
  const config = SHAPES[values.shape];
  if (folder === undefined || rest.length > 0 || config === undefined || !/^[1-9]\d{0,2}$/.test(values.layers ?? '1'))
    throw new Error(USAGE);
  if (!relative(ROOT, resolve(folder)).startsWith('..'))
    throw new Error('choose a folder outside the repository, gigabytes do not belong into it');
  const num_hidden_layers = values.layers === undefined ? config.num_hidden_layers : Number(values.layers);
  await make(resolve(folder), { ...config, num_hidden_layers });
}

try {
  await main();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 2;
}

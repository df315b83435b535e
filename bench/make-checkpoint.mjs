// Makes a synthetic checkpoint in the shapes of Qwen3-0.6B (1.19 GB, bfloat16, seeded): `node bench/make-checkpoint.mjs FOLDER`.
// Its weights are random: good for measuring time and memory, not for judging kernels.

import { once } from 'node:events';
import { createWriteStream, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** https://huggingface.co/Qwen/Qwen3-0.6B/blob/main/config.json, the keys that shape the model. */
const CONFIG = {
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
};

const PIECE_VALUES = 4 * 2 ** 20;

/** Tensors in file order. Matrices have a standard deviation of 1/√columns, so that activations stay of the size of 1; norms are near 1. */
function tensors() {
  const { hidden_size: H, intermediate_size: I, head_dim: D, num_attention_heads, num_key_value_heads, vocab_size } = CONFIG;
  const q = num_attention_heads * D;
  const kv = num_key_value_heads * D;
  const matrix = (name, rows, columns) => ({ name, shape: [rows, columns], mean: 0, deviation: columns ** -0.5 });
  const norm = (name, size) => ({ name, shape: [size], mean: 1, deviation: 0.1 });
  const layers = Array.from({ length: CONFIG.num_hidden_layers }, (_, layer) => {
    const at = (name) => `model.layers.${layer}.${name}.weight`;
    return [
      norm(at('input_layernorm'), H),
      matrix(at('mlp.down_proj'), H, I),
      matrix(at('mlp.gate_proj'), I, H),
      matrix(at('mlp.up_proj'), I, H),
      norm(at('post_attention_layernorm'), H),
      norm(at('self_attn.k_norm'), D),
      matrix(at('self_attn.k_proj'), kv, H),
      matrix(at('self_attn.o_proj'), H, q),
      norm(at('self_attn.q_norm'), D),
      matrix(at('self_attn.q_proj'), q, H),
      matrix(at('self_attn.v_proj'), kv, H),
    ];
  });
  return [matrix('model.embed_tokens.weight', vocab_size, H), ...layers.flat(), norm('model.norm.weight', H)];
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

async function make(folder) {
  mkdirSync(folder, { recursive: true });
  const bits = randomBits(20260101);
  const pool = normalPool(bits);
  const list = tensors();
  const path = join(folder, 'model.safetensors');
  const stream = createWriteStream(`${path}.part`);
  stream.write(header(list));
  for (const tensor of list) await writeTensor(stream, tensor, pool, bits);
  stream.end();
  await finished(stream);
  renameSync(`${path}.part`, path);
  writeFileSync(join(folder, 'config.json'), `${JSON.stringify(CONFIG, null, 2)}\n`);
  console.log(`${path}: ${(stream.bytesWritten / 1e9).toFixed(3)} GB in ${list.length} tensors`);
}

const [folder, ...rest] = process.argv.slice(2);
if (folder === undefined || rest.length > 0) {
  console.error('usage: node bench/make-checkpoint.mjs FOLDER');
  process.exitCode = 2;
} else if (!relative(ROOT, resolve(folder)).startsWith('..')) {
  console.error('error: choose a folder outside the repository, 1.2 GB do not belong into it');
  process.exitCode = 2;
} else {
  await make(resolve(folder));
}

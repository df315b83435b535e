// Makes a synthetic checkpoint (bfloat16, seeded) in the shapes of Qwen3-0.6B (1.19 GB) or another model, as fast as the disk takes it:
// `node bench/make-checkpoint.mjs FOLDER [--shape NAME] [--layers N]`.
// Its weights are random: good for measuring time and memory, not for judging kernels.

import { closeSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
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
  // https://huggingface.co/Qwen/Qwen3-8B/blob/main/config.json
  'qwen3-8b': {
    architectures: ['Qwen3ForCausalLM'],
    model_type: 'qwen3',
    attention_bias: false,
    head_dim: 128,
    hidden_act: 'silu',
    hidden_size: 4096,
    intermediate_size: 12288,
    max_position_embeddings: 40960,
    max_window_layers: 36,
    num_attention_heads: 32,
    num_hidden_layers: 36,
    num_key_value_heads: 8,
    rms_norm_eps: 1e-6,
    rope_scaling: null,
    rope_theta: 1000000,
    sliding_window: null,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
    use_sliding_window: false,
    vocab_size: 151936,
  },
};

/** Random values of one distribution; a tensor is a run of them from a place of its own, over and over. A prime: no two rows of a matrix are equal. */
const DRAWN_VALUES = 8_388_593;
/** Larger checkpoints are written as shards of at most this, as transformers does. */
const SHARD_BYTES = 5e9;

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

/** DRAWN_VALUES values as bfloat16, by mean and deviation. */
function drawnValues(bits) {
  const pool = normalPool(bits);
  const known = new Map();
  return ({ mean, deviation }) => {
    const key = `${mean} ${deviation}`;
    const drawn = known.get(key) ?? new Uint16Array(DRAWN_VALUES);
    if (known.has(key)) return drawn;
    const table = toBfloat16(pool.map((draw) => mean + deviation * draw));
    for (let i = 0; i < drawn.length; i += 2) {
      const two = bits();
      drawn[i] = table[two & 0xffff];
      drawn[i + 1] = table[two >>> 16];
    }
    known.set(key, drawn);
    return drawn;
  };
}

const sizeOf = ({ shape }) => shape.reduce((product, size) => product * size, 1);

function writeWhole(file, bytes) {
  for (let at = 0; at < bytes.byteLength;) at += writeSync(file, bytes, at);
}

function writeTensor(file, tensor, drawn, begin) {
  let at = begin;
  for (let left = sizeOf(tensor); left > 0;) {
    const piece = drawn.subarray(at, at + left);
    writeWhole(file, new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
    left -= piece.length;
    at = 0;
  }
}

function header(list) {
  let end = 0;
  const entries = list.map(({ name, shape }) => {
    const begin = end;
    end += 2 * sizeOf({ shape });
    return [name, { dtype: 'BF16', shape, data_offsets: [begin, end] }];
  });
  const text = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) });
  const padded = text.padEnd(Math.ceil(text.length / 8) * 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, Buffer.from(padded)]);
}

/** The tensors of each file, by its name. */
function shardsOf(list) {
  const shards = [];
  let bytes = Infinity;
  for (const tensor of list) {
    const size = 2 * sizeOf(tensor);
    if (bytes + size > SHARD_BYTES) {
      shards.push([]);
      bytes = 0;
    }
    shards.at(-1).push(tensor);
    bytes += size;
  }
  const five = (number) => String(number).padStart(5, '0');
  const name = (i) => (shards.length === 1 ? 'model.safetensors' : `model-${five(i + 1)}-of-${five(shards.length)}.safetensors`);
  return new Map(shards.map((shard, i) => [name(i), shard]));
}

function make(folder, config) {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (/^model.*\.safetensors/.test(name)) rmSync(join(folder, name));
  const bits = randomBits(20260101);
  const drawn = drawnValues(bits);
  const list = tensors(config);
  const shards = shardsOf(list);
  const total_size = 2 * list.reduce((sum, tensor) => sum + sizeOf(tensor), 0);
  for (const [name, shard] of shards) {
    const path = join(folder, name);
    const file = openSync(`${path}.part`, 'w');
    writeWhole(file, header(shard));
    for (const tensor of shard) writeTensor(file, tensor, drawn(tensor), bits() % DRAWN_VALUES);
    closeSync(file);
    renameSync(`${path}.part`, path);
  }
  if (shards.size > 1) {
    const weight_map = Object.fromEntries([...shards].flatMap(([name, shard]) => shard.map((tensor) => [tensor.name, name])));
    const index = { metadata: { total_size }, weight_map };
    writeFileSync(join(folder, 'model.safetensors.index.json'), `${JSON.stringify(index, null, 2)}\n`);
  }
  writeFileSync(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  console.log(
    `${folder}: ${(total_size / 1e9).toFixed(3)} GB in ${list.length} tensors, ${shards.size} file${shards.size === 1 ? '' : 's'}`,
  );
}

const USAGE = `usage: node bench/make-checkpoint.mjs FOLDER [--shape ${Object.keys(SHAPES).join('|')}] [--layers N]`;

function main() {
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
  make(resolve(folder), { ...config, num_hidden_layers });
}

try {
  main();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 2;
}

// Checkpoints of the shape of published ones, sparse on disk: real headers, real norms at their real places, nothing between them.

import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Content } from '../support/hub-server.js';

export interface Shape {
  layers: number;
  hidden: number;
  intermediate: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  vocab: number;
  shards: number;
}

/** https://huggingface.co/Qwen/Qwen3-0.6B/blob/main/config.json, whose file also holds lm_head: 1.5 GB. */
export const QWEN3_06B: Shape = {
  layers: 28,
  hidden: 1024,
  intermediate: 3072,
  heads: 16,
  kvHeads: 8,
  headDim: 128,
  vocab: 151_936,
  shards: 1,
};
/** As Qwen3-32B, in 30 files: 65 GB. */
export const QWEN3_32B: Shape = {
  layers: 64,
  hidden: 5120,
  intermediate: 25_600,
  heads: 64,
  kvHeads: 8,
  headDim: 128,
  vocab: 151_936,
  shards: 30,
};

/** Writes the model's files into a folder and gives them as the content of a repository. */
export async function shapedModel(folder: string, shape: Shape): Promise<Record<string, Content>> {
  await mkdir(folder, { recursive: true });
  const tensors = tensorsOf(shape);
  const perShard = Math.ceil(tensors.length / shape.shards);
  const files: Record<string, Content> = {};
  const weightMap: Record<string, string> = {};
  for (let shard = 0; shard < shape.shards; shard++) {
    const name = shape.shards === 1 ? 'model.safetensors' : `model-${number(shard + 1)}-of-${number(shape.shards)}.safetensors`;
    const own = tensors.slice(shard * perShard, (shard + 1) * perShard);
    for (const [tensor] of own) weightMap[tensor] = name;
    files[name] = await writeSparse(join(folder, name), own, shard);
  }
  const texts: Record<string, string> = { 'config.json': JSON.stringify(configOf(shape)) };
  if (shape.shards > 1)
    texts['model.safetensors.index.json'] = JSON.stringify({ metadata: { total_size: 1 }, weight_map: weightMap }, null, 2);
  for (const [name, text] of Object.entries(texts)) await writeFile(join(folder, name), (files[name] = text));
  return files;
}

const number = (value: number): string => String(value).padStart(5, '0');

function configOf({ layers, hidden, intermediate, heads, kvHeads, headDim, vocab }: Shape): unknown {
  return {
    architectures: ['Qwen3ForCausalLM'],
    model_type: 'qwen3',
    attention_bias: false,
    head_dim: headDim,
    hidden_act: 'silu',
    hidden_size: hidden,
    intermediate_size: intermediate,
    max_position_embeddings: 40_960,
    num_attention_heads: heads,
    num_hidden_layers: layers,
    num_key_value_heads: kvHeads,
    rms_norm_eps: 1e-6,
    rope_theta: 1_000_000,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
    vocab_size: vocab,
  };
}

/** In the order of the published files: by name. */
function tensorsOf({ layers, hidden, intermediate, heads, kvHeads, headDim, vocab }: Shape): [string, number[]][] {
  const layer = (index: number): [string, number[]][] => {
    const parts: [string, number[]][] = [
      ['input_layernorm', [hidden]],
      ['mlp.down_proj', [hidden, intermediate]],
      ['mlp.gate_proj', [intermediate, hidden]],
      ['mlp.up_proj', [intermediate, hidden]],
      ['post_attention_layernorm', [hidden]],
      ['self_attn.k_norm', [headDim]],
      ['self_attn.k_proj', [kvHeads * headDim, hidden]],
      ['self_attn.o_proj', [hidden, heads * headDim]],
      ['self_attn.q_norm', [headDim]],
      ['self_attn.q_proj', [heads * headDim, hidden]],
      ['self_attn.v_proj', [kvHeads * headDim, hidden]],
    ];
    return parts.map(([name, shape]) => [`model.layers.${index}.${name}.weight`, shape]);
  };
  const all: [string, number[]][] = [
    ['lm_head.weight', [vocab, hidden]],
    ['model.embed_tokens.weight', [vocab, hidden]],
    ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
    ['model.norm.weight', [hidden]],
  ];
  return all.sort(([a], [b]) => (a < b ? -1 : 1));
}

async function writeSparse(path: string, tensors: readonly [string, number[]][], seed: number): Promise<Content> {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const norms: [number, number][] = [];
  let at = 0;
  for (const [name, shape] of tensors) {
    const length = 2 * shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype: 'BF16', shape, data_offsets: [at, at + length] };
    if (shape.length === 1) norms.push([at, length]);
    at += length;
  }
  const json = Buffer.from(JSON.stringify(header));
  const text = Buffer.concat([json, Buffer.alloc((8 - (json.byteLength % 8)) % 8, ' ')]);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.byteLength));
  const start = 8 + text.byteLength;
  const file = await open(path, 'w');
  try {
    await file.write(Buffer.concat([prefix, text]), 0, start, 0);
    await file.truncate(start + at);
    for (const [index, [offset, length]] of norms.entries()) {
      // bfloat16 from 0.5 up, with one channel of up to 64.
      const values = new Uint16Array(length / 2).map((_, i) => 0x3f00 + ((i * 37 + index * 11 + seed) % 0x80));
      values[index % values.length] = 0x4200 + ((index * 5) % 0x80);
      await file.write(new Uint8Array(values.buffer), 0, length, start + offset);
    }
  } finally {
    await file.close();
  }
  return { path, size: start + at, sha256: String(seed).padStart(64, 'a') };
}

// Which tensors of a checkpoint the static check looks at, told by their names alone, so that it works for model types nobody has built in.

import type { Checkpoint, TensorInfo } from '../weights/checkpoint.js';

/** Names of Q/K norms, one line per convention; the last part of the module's path is compared. */
const QK_NORMS: readonly { k: string; q: string; families: string }[] = [
  { k: 'k_norm', q: 'q_norm', families: 'Qwen3, Gemma 3, OLMo 2, OLMoE, EXAONE 4, GLM-4.5, MiniMax-M2, Command R+, Chameleon' },
  { k: 'k_layernorm', q: 'q_layernorm', families: 'Phi-1/2, Persimmon, LFM2; StableLM 2 with a norm per head below it (.norms.0 ...)' },
  { k: 'key_layernorm', q: 'query_layernorm', families: 'HunYuan, Ling (Bailing)' },
  { k: 'k_layer_norm', q: 'q_layer_norm', families: 'Idefics' },
  { k: 'k_ln', q: 'q_ln', families: 'MPT' },
  { k: 'attn_k_norm', q: 'attn_q_norm', families: 'GGUF, whatever the family' },
];

/** Biases that are added before attention; fused ones hold Q, K and V in an order of their own. */
const BIASES: Readonly<Record<string, Projection>> = {
  q_proj: 'Q',
  k_proj: 'K',
  v_proj: 'V',
  query: 'Q',
  key: 'K',
  value: 'V',
  qkv_proj: 'QKV',
  query_key_value: 'QKV',
  c_attn: 'QKV',
  Wqkv: 'QKV',
  in_proj_qkv: 'QKV',
  attn_q: 'Q',
  attn_k: 'K',
  attn_v: 'V',
  attn_qkv: 'QKV',
};
export type Projection = 'Q' | 'K' | 'V' | 'QKV';

const NORM_MODULE = /norm(?:_?\d+)?$|^ln(?:_\w+)?$/i;
/** `model.layers.7.self_attn.k_norm.weight`, `transformer.h.7.ln_1.bias`, `transformer.blocks.7.norm_1.weight` ... */
const IN_LAYER = /^(|.*?\.)(layers|layer|h|blocks|block|blk)\.(\d{1,5})\.(.+)\.(weight|bias)$/;
/** Towers beside the language model, and heads that predict further tokens: none of them is what the gate runs. */
const OTHER_TOWER = /(?:^|[._])(?:vision|visual|vit|siglip|clip|image|audio|speech|whisper|talker|mtp|nextn|draft|eagle)|^[va]\.$/i;
/** DeepSeek V3.2's index of which tokens to attend to: its `k_norm` is not the attention's. */
const INDEXER = /(?:^|\.)indexer\./;
/** onnxruntime-genai puts the final norm into a layer behind the last one. */
const GENAI_FINAL_NORM = 'final_norm_layernorm';
/** No norm has more weights: larger is a matrix with a misleading name. */
const MAX_NORM_ELEMENTS = 2 ** 22;

export interface NormTensor {
  readonly tensor: TensorInfo;
  /** Path of the module within its layer, or its full path outside of the layers. */
  readonly module: string;
  readonly layer: number | null;
}

export interface BiasTensor extends NormTensor {
  readonly projection: Projection;
}

export interface LayerTensors {
  readonly layer: number;
  /** One tensor, or one per head. */
  readonly k: NormTensor[];
  readonly q: NormTensor[];
  readonly norms: NormTensor[];
  readonly biases: BiasTensor[];
  /** Norms that come with a bias: LayerNorm rather than RMSNorm. */
  readonly normBiases: NormTensor[];
}

export interface NormInventory {
  /** Layers in order; only those that have one of the tensors above, or any weight at all. */
  readonly layers: readonly LayerTensors[];
  /** Largest layer index + 1; 0 without layers. */
  readonly layersTotal: number;
  /** Norms outside of the layers: the final one, embedding norms. */
  readonly outer: readonly NormTensor[];
}

/** Sorts a checkpoint's tensors by name; reads nothing. */
export function findNormTensors(checkpoint: Checkpoint): NormInventory {
  const stacks = new Map<string, Map<number, LayerTensors>>();
  const outer: NormTensor[] = [];
  for (const tensor of checkpoint.tensors.values()) {
    const name = torchName(tensor.name);
    const match = IN_LAYER.exec(name);
    if (match === null) {
      const module = /^(.+)\.weight$/.exec(name)?.[1];
      if (module !== undefined && isNorm(module, tensor) && !OTHER_TOWER.test(module)) outer.push({ tensor, module, layer: null });
      continue;
    }
    const [, prefix = '', container = '', index = '', module = '', kind] = match;
    if (OTHER_TOWER.test(prefix)) continue;
    if (module === GENAI_FINAL_NORM) {
      if (kind === 'weight') outer.push({ tensor, module, layer: null });
      continue;
    }
    const stack = getOrAdd(stacks, prefix + container, () => new Map<number, LayerTensors>());
    const layer = Number(index);
    const entry = getOrAdd(stack, layer, () => ({ layer, k: [], q: [], norms: [], biases: [], normBiases: [] }));
    if (kind === 'weight') sortWeight(entry, { tensor, module, layer });
    else sortBias(entry, { tensor, module, layer });
  }
  // With several stacks (an encoder beside the decoder ...) the deepest one is the language model.
  const deepest = [...stacks.values()].reduce((best, stack) => (stack.size > best.size ? stack : best), new Map<number, LayerTensors>());
  const layers = [...deepest.values()].sort((a, b) => a.layer - b.layer);
  return { layers, layersTotal: (layers.at(-1)?.layer ?? -1) + 1, outer };
}

/** The module path of PyTorch behind a name that an ONNX exporter made of it: slashes, and the operator's name after the module. */
function torchName(name: string): string {
  const dotted = name.startsWith('/') ? name.slice(1).replaceAll('/', '.') : name;
  return dotted.replace(/(\.[qk]_norm)\.layernorm\.(weight|bias)$/, '$1.$2').replace(/(_proj)\.Add\.bias$/, '$1.bias');
}

/**
 * Whether onnxruntime-genai exported this, told by names that only it gives. Its builder adds the 1 of Gemma-style norms to the weights
 * (`add_offset` in its models/builder.py).
 */
export function isGenaiExport(checkpoint: Checkpoint): boolean {
  if (checkpoint.format !== 'onnx') return false;
  return [...checkpoint.tensors.keys()].some((name) => /\.attn\.[qk]_norm\.layernorm\.weight$|\.final_norm_layernorm\.weight$/.test(name));
}

function sortWeight(entry: LayerTensors, norm: NormTensor): void {
  // StableLM 2: self_attn.k_layernorm.norms.3
  const parts = norm.module.replace(/\.norms\.\d+$/, '').split('.');
  const last = parts.at(-1) ?? '';
  const elements = elementsOf(norm.tensor);
  if (INDEXER.test(norm.module)) return;
  if (norm.tensor.shape.length <= 2 && elements > 0 && elements <= MAX_NORM_ELEMENTS) {
    if (QK_NORMS.some(({ k }) => k === last)) return void entry.k.push(norm);
    if (QK_NORMS.some(({ q }) => q === last)) return void entry.q.push(norm);
  }
  if (isNorm(norm.module, norm.tensor)) entry.norms.push(norm);
}

function sortBias(entry: LayerTensors, bias: NormTensor): void {
  const last = bias.module.split('.').at(-1) ?? '';
  const projection = Object.hasOwn(BIASES, last) ? BIASES[last] : undefined;
  if (INDEXER.test(bias.module)) return;
  if (projection !== undefined && isVector(bias.tensor)) entry.biases.push({ ...bias, projection });
  else if (isNorm(bias.module, bias.tensor)) entry.normBiases.push(bias);
}

function isNorm(module: string, tensor: TensorInfo): boolean {
  return isVector(tensor) && NORM_MODULE.test(module.split('.').at(-1) ?? '');
}

function isVector(tensor: TensorInfo): boolean {
  return tensor.shape.length === 1 && elementsOf(tensor) > 0 && elementsOf(tensor) <= MAX_NORM_ELEMENTS;
}

function elementsOf(tensor: TensorInfo): number {
  return tensor.shape.reduce((product, size) => product * size, 1);
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

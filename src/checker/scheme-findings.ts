// Normalisation that departs from one RMSNorm before attention and one before the MLP: kernels written for that get such models wrong.

import type { Finding } from '../report/types.js';
import { printable } from '../hub/names.js';
import type { LayerTensors, NormInventory, NormTensor } from './norm-tensors.js';
import type { NormValues } from './norm-values.js';
import { headDimOf } from './norm-values.js';

/** Norms on the output of attention or MLP, by their names in transformers (`post_attention_layernorm` alone is Llama's pre-MLP norm). */
const OUTPUT_NORMS = ['post_feedforward_layernorm', 'post_mlp_layernorm', 'post_self_attn_layernorm', 'post_ffw_norm'];
const INPUT_NORMS = ['input_layernorm', 'ln_1', 'norm_1', 'attention_norm', 'attention_layernorm', 'pre_attention_layernorm', 'attn_norm'];
/** DeepSeek's latent attention. */
const LATENT_NORM = /(?:^|\.)(?:(?:kv_a|q_a)_layernorm|attn_(?:kv_a|q_a)_norm)$/;

/** Findings about which norms there are and where, from names and shapes. */
export function schemeFindings(inventory: NormInventory, values: NormValues, config: Record<string, unknown>): Finding[] {
  return [
    ...layerCount(inventory, config),
    ...qkNormExtent(inventory, values, config),
    ...qkNormPartial(inventory),
    ...qkNormWithoutWeights(inventory, config),
    ...outputNorms(inventory),
    ...latentNorms(inventory),
    ...missingNorms(inventory),
    ...normBiases(inventory),
  ];
}

function finding(code: string, first: NormTensor | undefined, value: number | null, message: string): Finding {
  return { code, layer: first?.layer ?? null, tensor: first?.tensor.name ?? null, value, message };
}

function of(count: number, inventory: NormInventory): string {
  return `${count} of ${inventory.layersTotal} layers`;
}

function layerCount(inventory: NormInventory, config: Record<string, unknown>): Finding[] {
  const stated = config['num_hidden_layers'] ?? config['n_layer'] ?? config['n_layers'] ?? config['num_layers'];
  const { layersTotal, layers } = inventory;
  if (layersTotal === 0) {
    const message =
      'No layers were found by the names of the tensors, so nothing was checked: a score of 1.00 says nothing about this checkpoint.';
    return [finding('no_layers_found', undefined, 0, message)];
  }
  if (typeof stated !== 'number' || (stated === layersTotal && layers.length === layersTotal)) return [];
  const gaps = layers.length === layersTotal ? '' : `, of which only ${layers.length} have tensors`;
  const message = `config.json says ${stated} layers, but the weights have ${layersTotal}${gaps}; the numbers here are those of the weights.`;
  return [finding('layer_count_mismatch', undefined, layersTotal, message)];
}

/** Whether Q/K norm works per head with shared weights (the usual way), per head with own weights, or over all heads at once. */
function qkNormExtent(inventory: NormInventory, values: NormValues, config: Record<string, unknown>): Finding[] {
  const perHead = values.layers.filter((layer) => layer.perHead);
  const headDim = headDimOf(config);
  const first = (layer: number | undefined) => inventory.layers.find((entry) => entry.layer === layer)?.k[0];
  if (perHead.length > 0) {
    const message = `Q/K norm has own weights for each head in ${of(perHead.length, inventory)}; kernels that use one vector for all heads get it wrong.`;
    return [finding('qk_norm_per_head', first(perHead[0]?.layer), perHead.length, message)];
  }
  const wide = values.layers.filter((layer) => headDim !== undefined && layer.k !== null && layer.k.values.length > headDim);
  if (wide.length === 0) return [];
  const message =
    `Q/K norm goes over all heads at once in ${of(wide.length, inventory)} (${wide[0]?.k?.values.length ?? 0} weights, head_dim ${headDim ?? 0}), ` +
    'as in OLMo 2; kernels that normalise each head get it wrong.';
  return [finding('qk_norm_all_heads', first(wide[0]?.layer), wide.length, message)];
}

function qkNormPartial(inventory: NormInventory): Finding[] {
  const both = inventory.layers.filter((layer) => layer.k.length > 0 && layer.q.length > 0).length;
  const any = inventory.layers.filter((layer) => layer.k.length > 0 || layer.q.length > 0).length;
  if (any === 0 || both === inventory.layers.length) return [];
  const without = inventory.layers.find((layer) => layer.k.length === 0 || layer.q.length === 0);
  const message = `Both Q and K norm are in ${of(both, inventory)}, one of them alone in ${any - both}; layer ${without?.layer ?? 0} is the first that differs.`;
  return [{ ...finding('qk_norm_partial', undefined, both, message), layer: without?.layer ?? null }];
}

/** Llama 4 divides Q and K by their RMS and multiplies by nothing. */
function qkNormWithoutWeights(inventory: NormInventory, config: Record<string, unknown>): Finding[] {
  if (config['use_qk_norm'] !== true || inventory.layers.some((layer) => layer.k.length > 0 || layer.q.length > 0)) return [];
  const message =
    'config.json says use_qk_norm, but no layer has Q/K norm weights: Q and K are normalised without weights, as in Llama 4. ' +
    'The score has nothing to look at; kernels must normalise all the same.';
  return [finding('qk_norm_weightless', undefined, inventory.layersTotal, message)];
}

function outputNorms(inventory: NormInventory): Finding[] {
  const norms = inventory.layers.flatMap((layer) => layer.norms.filter((norm) => OUTPUT_NORMS.includes(norm.module)));
  const layers = inventory.layers.filter((layer) => layer.norms.some((norm) => OUTPUT_NORMS.includes(norm.module)));
  if (layers.length === 0) return [];
  const sandwich = layers.some((layer) => layer.norms.some((norm) => INPUT_NORMS.includes(norm.module)));
  const message = sandwich
    ? `Sandwich norms in ${of(layers.length, inventory)}: attention and MLP are normalised before and after; a fused residual-add-and-norm must add after the second.`
    : `Norms after attention and MLP and none before, in ${of(layers.length, inventory)}, as in OLMo 2; a fused norm-and-projection has no place there.`;
  return [finding(sandwich ? 'sandwich_norms' : 'post_norms', norms[0], layers.length, message)];
}

function latentNorms(inventory: NormInventory): Finding[] {
  const norms = inventory.layers.flatMap((layer) => layer.norms.filter((norm) => LATENT_NORM.test(norm.module)));
  if (norms.length === 0) return [];
  const layers = new Set(norms.map((norm) => norm.layer)).size;
  const message = `Norms on compressed Q or KV (multi-head latent attention) in ${of(layers, inventory)}; they are not the Q/K norms that the score is about.`;
  return [finding('latent_norms', norms[0], layers, message)];
}

/** Norms directly in the layer that most layers have and some have not, or no norm weights at all. */
function missingNorms(inventory: NormInventory): Finding[] {
  const { layers } = inventory;
  if (layers.length === 0) return [];
  if (layers.every((layer) => layer.norms.length === 0 && layer.k.length === 0 && layer.q.length === 0)) {
    const message = `No layer has norm weights: either its norms have none (as in OLMo 1) or the tensors bear names that are not known here.`;
    return [finding('norm_missing', undefined, 0, message)];
  }
  const counts = new Map<string, number>();
  for (const layer of layers) for (const module of layerModules(layer)) counts.set(module, (counts.get(module) ?? 0) + 1);
  const partial = [...counts].filter(([, count]) => count > layers.length / 2 && count < layers.length);
  const [first] = partial;
  if (first === undefined) return [];
  const without = layers.find((layer) => !layerModules(layer).has(first[0]));
  const message = `The norm ${printable(first[0])} is in ${of(first[1], inventory)} only; layer ${without?.layer ?? 0} is the first without it.`;
  return [{ ...finding('norm_missing', undefined, first[1], message), layer: without?.layer ?? null }];
}

function layerModules(layer: LayerTensors): Set<string> {
  return new Set(layer.norms.map((norm) => norm.module).filter((module) => !module.includes('.')));
}

function normBiases(inventory: NormInventory): Finding[] {
  const biases = inventory.layers.flatMap((layer) => layer.normBiases);
  if (biases.length === 0) return [];
  const layers = new Set(biases.map((bias) => bias.layer)).size;
  const message = `Norms have biases in ${of(layers, inventory)}: this is LayerNorm, which also subtracts the mean; RMSNorm kernels get it wrong.`;
  return [finding('layernorm_bias', biases[0], layers, message)];
}

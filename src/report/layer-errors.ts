// The whole model in figures: what it is off by, and how errors go through its layers.

import { code } from './escape.js';
import { difference, magnitude, multiple, NOT_MEASURED, percent } from './numbers.js';
import type { ModelLayer, ModelLevel } from './types.js';

/** Rows of the table: enough to see where an error comes from and how it grows. */
const LAYERS_SHOWN = 12;

/** `Whole model: 0.97× the noise floor, no layer above its own`. */
export function modelSummary(model: ModelLevel): string {
  const first = model.first_layer_above_floor;
  const ratio = model.kl_ratio === null ? '' : ` ${multiple(model.kl_ratio)} the noise floor`;
  const layers =
    first !== null
      ? `leaves the floor in layer ${first}`
      : model.layers.some(isMeasured) && model.kl_ratio !== null
        ? 'no layer above its own'
        : '';
  return `Whole model:${[ratio, layers === '' ? '' : ` ${layers}`].filter((part) => part !== '').join(',') || ' not judged'}`;
}

/** Blocks of Markdown: the figures of the logits, and the layers as a table. */
export function modelBlocks(model: ModelLevel): string[] {
  return [figures(model), ...layerTable(model)];
}

function figures(model: ModelLevel): string {
  const { oracle, eager, fused } = model.perplexity;
  return [
    `- KL(oracle ‖ fused) ${difference(model.kl_fused)} nats; the noise floor is ${difference(model.kl_floor)}, the largest of the valid recipes' (${recipes(model)})`,
    `- top-1 agreement ${percent(model.top1_agreement)}, decisive flips ${model.decisive_flips ?? NOT_MEASURED}, in ${model.positions} positions`,
    `- perplexity of the prompts: oracle ${magnitude(oracle)}, eager ${magnitude(eager)}, fused ${magnitude(fused)}`,
    `- amplification ${multiple(model.amplification)} (final error over the error injected first), sensitivity ${multiple(model.sensitivity)} (the same of a random perturbation, rounding nowhere)`,
  ].join('\n');
}

function recipes({ kl_recipes }: ModelLevel): string {
  return Object.entries(kl_recipes)
    .map(([name, kl]) => `${code(name)} ${difference(kl)}`)
    .join(', ');
}

function layerTable(model: ModelLevel): string[] {
  const layers = model.layers.filter(isMeasured);
  if (layers.length === 0) return [];
  const first = model.first_layer_above_floor;
  const shown = chosen(layers, first, LAYERS_SHOWN);
  const row = (layer: ModelLayer): string =>
    `| ${layer.layer} | ${[layer.injected, layer.inherited, layer.floor].map(difference).join(' | ')} | ${multiple(timesFloor(layer))} | ${layer.layer === first ? 'leaves the floor' : ''} |`;
  const hidden = layers.length - shown.length;
  return [
    [
      '| layer | injected | inherited | floor | × floor | |',
      '| --: | --: | --: | --: | --: | --- |',
      ...shown.map(row),
      ...(hidden > 0 ? [`\n… and ${hidden} more layers in report.json`] : []),
    ].join('\n'),
    '<sub><b>injected</b>: largest relative RMS error of the layer’s own kernels on the reference’s inputs. <b>inherited</b>: that of the layer’s output ' +
      'with the kernels everywhere. <b>floor</b>: that of the worst valid recipe.</sub>',
  ];
}

/** `Error of the layers' outputs (injected / inherited / floor): 13: 0 / 0.005 / 0.005; 14: 0.81 / 0.75 / 0.005, leaves the floor`; null: no layer does. */
export function layerLine(model: ModelLevel | null): string | null {
  const first = model?.first_layer_above_floor ?? null;
  if (model === null || first === null) return null;
  const entries = chosen(model.layers.filter(isMeasured), first, 1).map((layer) => {
    const numbers = [layer.injected, layer.inherited, layer.floor].map(difference).join(' / ');
    return `${layer.layer}: ${numbers}${layer.layer === first ? ', leaves the floor' : ''}`;
  });
  return `errors by layer, relative (injected / inherited / floor): ${entries.join('; ')}`;
}

/** The layer that leaves the floor with those beside it, the first and the last, and others evenly between them up to `most` in all. */
function chosen(layers: readonly ModelLayer[], first: number | null, most: number): ModelLayer[] {
  const at = layers.findIndex(({ layer }) => layer === first);
  const last = layers.length - 1;
  const wanted = new Set([0, last, ...(at < 0 ? [] : [at - 1, at, at + 1])].filter((index) => index >= 0 && index <= last));
  const steps = Math.min(most, layers.length);
  for (let i = 0; i < steps && wanted.size < most; i++) wanted.add(Math.round((i * last) / Math.max(1, steps - 1)));
  return [...wanted].sort((a, b) => a - b).flatMap((index) => layers[index] ?? []);
}

/** Where the fused model's output is not finite there is no number, and yet it was measured. */
function isMeasured({ inherited, floor }: ModelLayer): boolean {
  return inherited !== null || floor !== null;
}

function timesFloor({ inherited, floor }: ModelLayer): number | null {
  return inherited === null || floor === null || floor === 0 ? null : inherited / floor;
}

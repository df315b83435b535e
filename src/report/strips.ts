// The Q/K norms of a model as a picture of text: one block per layer. Only numbers go in, so nothing in it needs escaping.

import { magnitude } from './numbers.js';
import type { StaticLayer, StaticResult } from './types.js';

/** Upper ends of the blocks. The same for every model, so that strips can be compared, and with a step at 10, 20 and 50, where the default thresholds are. */
const STEPS = [1, 2, 5, 10, 20, 50, 100];
const BLOCKS = [...'▁▂▃▄▅▆▇█'];
const NOTHING = '·';
const EXTREME = '^';
const LABEL_WIDTH = 9;
/** Fewer blocks than this tell nothing; the largest value beside them gives way. */
const FEWEST_BLOCKS = 16;
/** Room for a largest value: ` 96.5 (layer 127)`, ` infinite (layer 0)`. */
const VALUE_WIDTH = 22;

export const STRIP_LEGEND =
  `Each block is a layer: ${BLOCKS.map((block, index) => (index < STEPS.length ? `${block} up to ${STEPS[index] ?? ''}` : `${block} above`)).join(', ')}, ` +
  `${NOTHING} no such norm, ${EXTREME} extreme layer.`;

export interface Strips {
  /** `layers 0 to 27, 16 extreme`. */
  heading: string;
  /** One line each for K max, K ratio and Q max, where a layer has them. */
  lines: string[];
  /** Marks under the extreme layers; null: there are none. */
  marks: string | null;
}

/**
 * The strips of a static check within `width` columns; null when no layer has a Q or K norm. A model of more layers than fit has several
 * layers in one block, and the largest counts.
 */
export function stripsOf({ layers, layers_total: total, extreme_layers: extreme }: StaticResult, width: number): Strips | null {
  if (layers.length === 0) return null;
  const beside = width - LABEL_WIDTH - VALUE_WIDTH >= FEWEST_BLOCKS;
  const room = Math.max(1, width - LABEL_WIDTH - (beside ? VALUE_WIDTH : 0));
  const count = layers.reduce((most, { layer }) => Math.max(most, layer + 1), total);
  const perBlock = Math.ceil(count / room);
  const blocks = Math.ceil(count / perBlock);
  const draw = (label: string, valueOf: (layer: StaticLayer) => number | null): string[] => {
    const measured = layers.flatMap((layer) => {
      const value = valueOf(layer);
      return value === null ? [] : [{ layer: layer.layer, value }];
    });
    const [first, ...rest] = measured;
    if (first === undefined) return [];
    const largest = rest.reduce((most, one) => (one.value > most.value ? one : most), first);
    const strip = new Array<number>(blocks).fill(-1);
    for (const { layer, value } of measured) {
      const block = Math.floor(layer / perBlock);
      strip[block] = Math.max(strip[block] ?? -1, heightOf(value));
    }
    const value = largest.value === Infinity ? 'infinite' : magnitude(largest.value);
    return [`${label.padEnd(LABEL_WIDTH)}${strip.map(blockOf).join('')}${beside ? ` ${value} (layer ${largest.layer})` : ''}`];
  };
  const marked = new Set(layers.filter((layer) => layer.extreme).map(({ layer }) => Math.floor(layer / perBlock)));
  const marks = Array.from({ length: blocks }, (_, block) => (marked.has(block) ? EXTREME : ' ')).join('');
  const shared = perBlock > 1 ? `, ${perBlock} to a block` : '';
  return {
    heading: `layers 0 to ${count - 1}${shared}, ${extreme} extreme`,
    lines: [...draw('K max', ({ max_k }) => max_k), ...draw('K ratio', kRatio), ...draw('Q max', ({ max_q }) => max_q)],
    marks: marked.size === 0 ? null : `${' '.repeat(LABEL_WIDTH)}${marks.trimEnd()}`,
  };
}

/** A median of zero makes the ratio infinite, which the report can only say with null. */
function kRatio({ max_k: max, k_ratio: ratio }: StaticLayer): number | null {
  return max === null ? null : (ratio ?? Infinity);
}

function heightOf(value: number): number {
  const step = STEPS.findIndex((limit) => value <= limit);
  return step === -1 ? STEPS.length : step;
}

function blockOf(height: number): string {
  return BLOCKS[height] ?? NOTHING;
}

// What a hypothesis is and what it is made of. Which there are is hypotheses.ts's, which of them a kernel does causes.ts's.

import type { AttributeValue, Op, Program } from '../architectures/program.js';
import type { CauseCode, ServingDtype } from '../report/types.js';
import type { Change } from './site.js';

export interface Hypothesis {
  readonly code: CauseCode;
  /** What an implementation then does: the rest of a sentence that begins with its name. */
  readonly says: string;
  /** Ops that it does otherwise; all others it leaves as they are. */
  concerns(op: Op): boolean;
  readonly change: Change;
}

export interface Subject {
  readonly program: Program;
  /** config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly dtype: ServingDtype;
}

type Attributes = Readonly<Record<string, AttributeValue>>;

/** @param change is called for the ops that it concerns only */
export function hypothesis(code: CauseCode, says: string, concerns: (op: Op) => boolean, change: Change): Hypothesis {
  return { code, says, concerns, change: (op, inputs, call) => (concerns(op) ? change(op, inputs, call) : call.run(op, inputs)) };
}

export function withAttributes(op: Op, attributes: Attributes): Op {
  return { ...op, attributes: { ...op.attributes, ...attributes } };
}

/** A hypothesis that some attributes of an op are others. */
export function attributes(code: CauseCode, says: string, concerns: (op: Op) => boolean, changed: (op: Op) => Attributes): Hypothesis {
  return hypothesis(code, says, concerns, (op, inputs, { run }) => run(withAttributes(op, changed(op)), inputs));
}

export const isRope = ({ op }: Op) => op === 'rope';
export const isAttention = ({ op }: Op) => op === 'attention';
export const isNorm = ({ op }: Op) => op === 'rms_norm' || op === 'qk_norm';

export function headDim(program: Program): number {
  const op = program.ops.find(({ attributes: { head_dim } }) => head_dim !== undefined);
  return Number(op?.attributes['head_dim'] ?? 0);
}

/** hidden_size / num_attention_heads, which many implementations take for head_dim; null where that is right. */
export function assumedHeadDim(program: Program, config: Subject['config']): number | null {
  const count = Number(config['num_attention_heads']);
  const assumed = program.hidden_size / count;
  return Number.isInteger(assumed) && assumed !== headDim(program) ? assumed : null;
}

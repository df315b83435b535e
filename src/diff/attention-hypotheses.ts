// What implementations get wrong about attention: the scale of its scores, who sees whom, the softcap. Which heads belong together is
// head-hypotheses.ts's.

import type { Op } from '../architectures/program.js';
import type { CauseCode } from '../report/types.js';
import { assumedHeadDim, attributes, headDim, isAttention, type Hypothesis, type Subject } from './hypothesis.js';

export function scales({ program, config }: Subject, ops: readonly Op[]): Hypothesis[] {
  const D = headDim(program);
  const assumed = assumedHeadDim(program, config);
  const own = new Set(ops.filter(isAttention).map(({ attributes: { scale } }) => Number(scale)));
  return [...own].flatMap((right) => {
    const needs = `this model needs ${short(right)}`;
    const candidates: [number, CauseCode, string][] = [
      [1, 'scale', `does not scale the attention scores where ${needs}`],
      [right * right, 'scale', `scales the attention scores twice, by ${short(right * right)}, where ${needs}`],
      [1 / D, 'scale', `scales the attention scores by 1/head_dim (${short(1 / D)}) where ${needs}`],
      [D ** -0.5, 'scale', `scales the attention scores by 1/sqrt(head_dim) (${short(D ** -0.5)}) where ${needs}`],
      ...(assumed === null
        ? []
        : [
            [assumed ** -0.5, 'head_dim', `takes head_dim for ${assumed} in the attention scale where this model has ${D}`] as [
              number,
              CauseCode,
              string,
            ],
          ]),
      [right ** 0.5, 'scale', `scales the attention scores by ${short(right ** 0.5)} where ${needs}`],
      [
        program.hidden_size ** -0.5,
        'scale',
        `scales the attention scores by 1/sqrt(hidden_size) (${short(program.hidden_size ** -0.5)}) where ${needs}`,
      ],
      ...[64, 128, 256].map((dim): [number, CauseCode, string] => [
        dim ** -0.5,
        'head_dim',
        `takes head_dim for ${dim} in the attention scale where this model has ${D}`,
      ]),
    ];
    const seen = new Set([right]);
    return candidates.flatMap(([scale, code, says]) => {
      if (seen.has(scale)) return [];
      seen.add(scale);
      return [
        attributes(
          code,
          says,
          (op) => isAttention(op) && Number(op.attributes['scale']) === right,
          () => ({ scale }),
        ),
      ];
    });
  });
}

function short(value: number): string {
  return `${Number(value.toPrecision(4))}`;
}

export function masks({ config }: Subject, ops: readonly Op[]): Hypothesis[] {
  const windows = new Set(ops.filter(isAttention).map(({ attributes: { window } }) => Number(window ?? 0)));
  const configured = config['sliding_window'];
  const window = (right: number, wrong: number, says: string) =>
    attributes(
      'window',
      says,
      (op) => isAttention(op) && Number(op.attributes['window'] ?? 0) === right,
      () => ({ window: wrong }),
    );
  return [
    attributes(
      'mask',
      'lets tokens see those after them: the causal mask is missing',
      (op) => isAttention(op) && op.attributes['causal'] === true,
      () => ({ causal: false }),
    ),
    ...[...windows].flatMap((right) => {
      if (right > 0) {
        return [
          window(right, 0, `lets tokens see all tokens before them where this layer has a window of ${right}`),
          window(right, right + 1, `uses a window of ${right + 1} tokens where this layer needs ${right} (the token itself counts)`),
          ...(right > 1
            ? [window(right, right - 1, `uses a window of ${right - 1} tokens where this layer needs ${right} (the token itself counts)`)]
            : []),
        ];
      }
      if (typeof configured !== 'number' || configured < 1) return [];
      return [window(0, configured, `uses a window of ${configured} tokens where this layer has none`)];
    }),
    attributes(
      'softcap',
      'leaves out the softcap of the attention scores',
      (op) => isAttention(op) && Number(op.attributes['softcap'] ?? 0) > 0,
      () => ({ softcap: 0 }),
    ),
  ];
}

import { describe, expect, it } from '@jest/globals';
import type { NumericThresholds, StaticThresholds } from '../../src/config/types.js';
import type { ReasonCode } from '../../src/errors.js';
import type { Level, Policy, StaticResult, Verdict } from '../../src/report/types.js';
import { VERDICTS } from '../../src/report/types.js';
import { decide, gate, numericLevel } from '../../src/verdict/verdict.js';
import type { Decision, Evidence } from '../../src/verdict/verdict.js';
import { kernelResult, modelLevel, numericAt, numericResult, qwenStatic, staticResult } from '../support/report.js';

const STATIC: StaticThresholds = {
  extreme_weight: 10,
  ratio_warn: 15,
  ratio_fail: 20,
  extreme_share_warn: 0.3,
  extreme_share_fail: 0.5,
  max_weight_warn: 20,
  max_weight_fail: 50,
  ratio_weight: 0.4,
  extreme_layers_weight: 0.3,
  max_weight_weight: 0.3,
  amplification_per_weight: 0.001,
  score_incompatible: 0.5,
  score_warning: 0.8,
  compatible_ratio: 20,
  compatible_max_weight: 10,
};
const NUMERIC: NumericThresholds = { pass_ratio: 2, warn_ratio: 4, scale_standard_errors: 6, decisive_margin: 10 };

function judge(evidence: Partial<Evidence>): Decision {
  return decide({
    static: null,
    numeric: null,
    failure: null,
    policy: 'evidence',
    thresholds: { static: STATIC, numeric: NUMERIC },
    ...evidence,
  });
}

type StaticStatus = StaticResult['status'] | null;
const STATICS: StaticStatus[] = ['COMPATIBLE', 'WARNING', 'INCOMPATIBLE', null];
const LEVELS: (Level | null)[] = ['pass', 'warn', 'fail', 'inconclusive', null];
const POLICIES: Policy[] = ['evidence', 'strict', 'static'];
/** None; one that leaves the checkpoint in doubt; one of a later stage. */
const FAILURES: (ReasonCode | null)[] = [null, 'weights_invalid', 'tokenizer_invalid'];

function staticOf(status: StaticStatus): StaticResult | null {
  if (status === null) return null;
  return status === 'COMPATIBLE' ? staticResult() : qwenStatic({ status, score: status === 'WARNING' ? 0.7 : 0 });
}

function verdict(status: StaticStatus, level: Level | null, policy: Policy, failure: ReasonCode | null = null): Verdict {
  return judge({
    static: staticOf(status),
    numeric: level === null ? null : numericAt(level),
    policy,
    failure: failure === null ? null : { code: failure, message: 'it broke' },
  }).verdict;
}

const C = 'COMPATIBLE';
const W = 'WARNING';
const X = 'INCOMPATIBLE';
const Q = 'INCONCLUSIVE';

/** Without a failure; columns: numeric pass, warn, fail, inconclusive, none. */
const TABLE: Record<Policy, Record<string, Verdict[]>> = {
  evidence: {
    COMPATIBLE: [C, W, X, Q, Q],
    WARNING: [W, W, X, Q, Q],
    INCOMPATIBLE: [W, W, X, X, X],
    null: [Q, Q, X, Q, Q],
  },
  strict: {
    COMPATIBLE: [C, W, X, Q, Q],
    WARNING: [W, W, X, Q, Q],
    INCOMPATIBLE: [X, X, X, X, X],
    null: [Q, Q, X, Q, Q],
  },
  static: {
    COMPATIBLE: [C, C, X, C, C],
    WARNING: [W, W, X, W, W],
    INCOMPATIBLE: [X, X, X, X, X],
    null: [Q, Q, X, Q, Q],
  },
};

const ALL = POLICIES.flatMap((policy) =>
  STATICS.flatMap((status) => LEVELS.flatMap((level) => FAILURES.map((failure) => ({ policy, status, level, failure })))),
);
const SEVERITY: Record<Verdict, number> = { COMPATIBLE: 0, WARNING: 1, INCONCLUSIVE: 2, IMPLEMENTATION_ISSUE: 3, INCOMPATIBLE: 4 };

describe('decide', () => {
  it.each(POLICIES.flatMap((policy) => STATICS.map((status) => [policy, String(status)] as const)))(
    'under policy %s, with static %s, follows the table for every numeric outcome',
    (policy, status) => {
      const actual = LEVELS.map((level) => verdict(status === 'null' ? null : (status as StaticStatus), level, policy));
      expect(actual).toEqual(TABLE[policy][status]);
    },
  );

  it('has 180 combinations, and the invariants below hold in each', () => expect(ALL).toHaveLength(180));

  it.each(ALL)('policy $policy, static $status, numeric $level, failure $failure: fails closed', ({ policy, status, level, failure }) => {
    const result = verdict(status, level, policy, failure);
    if (failure !== null) expect([X, Q]).toContain(result);
    if (status === null) expect([X, Q]).toContain(result);
    if (level === 'fail') expect(result).toBe(X);
    if (policy !== 'static' && (level === null || level === 'inconclusive')) expect([X, Q]).toContain(result);
    if (result === C) expect(status).toBe(C);
    if (result === C && policy !== 'static') expect(level).toBe('pass');
    if (result === X) expect(level === 'fail' || status === X).toBe(true);
    expect(SEVERITY[verdict(status, level, 'strict', failure)]).toBeGreaterThanOrEqual(
      SEVERITY[verdict(status, level, 'evidence', failure)],
    );
    const withoutFailure = verdict(status, level, policy);
    const inDoubt = failure === 'weights_invalid' && withoutFailure === X;
    if (!inDoubt) expect(SEVERITY[result]).toBeGreaterThanOrEqual(SEVERITY[withoutFailure]);
  });

  it.each(ALL)(
    'policy $policy, static $status, numeric $level, failure $failure: gives a reason, and advice unless all is well',
    ({ policy, status, level, failure }) => {
      const {
        verdict: result,
        reasons,
        recommendations,
      } = judge({
        static: staticOf(status),
        numeric: level === null ? null : numericAt(level),
        policy,
        failure: failure === null ? null : { code: failure, message: 'it broke' },
      });
      expect(reasons.length).toBeGreaterThan(0);
      for (const reason of reasons) expect(reason.message).not.toMatch(/undefined|NaN|null/);
      if (failure !== null) expect(reasons).toContainEqual({ code: failure, message: 'it broke' });
      if (result === W || (result === X && policy !== 'static')) expect(recommendations.length).toBeGreaterThan(0);
    },
  );

  it.each<ReasonCode>(['unknown_model_type', 'weights_mismatch', 'non_finite_weights', 'model_not_found'])(
    'does not trust the static figures of a model in doubt (%s), under any policy',
    (code) => {
      for (const policy of POLICIES) expect(verdict(X, null, policy, code)).toBe(Q);
    },
  );

  it('takes the static figures as they are when only a later stage failed', () => {
    expect(verdict(X, null, 'evidence', 'no_gpu')).toBe(X);
    expect(verdict(C, null, 'evidence', 'no_gpu')).toBe(Q);
  });

  it('lets a failing kernel beat an inconclusive one and a summary that says less', () => {
    const kernels = [kernelResult({ status: 'inconclusive' }), kernelResult({ status: 'fail' })];
    expect(judge({ static: staticResult(), numeric: numericResult({ status: 'inconclusive', kernels }) }).verdict).toBe(X);
    expect(judge({ static: staticResult(), numeric: numericResult({ status: 'pass', kernels }) }).verdict).toBe(X);
  });

  it('fails a model level that fails although every kernel passes', () => {
    const numeric = numericResult({ status: 'fail', model: modelLevel({ status: 'fail', kl_ratio: 7.25, decisive_flips: 2 }) });
    const { verdict: result, reasons, recommendations } = judge({ static: staticResult(), numeric });
    expect(result).toBe(X);
    expect(reasons[0]).toEqual({
      code: 'model_fail',
      message: 'The whole model leaves the reference: kl_ratio 7.25 > 4; 2 decisive flips in 192 positions; top-1 agreement 99.5%.',
    });
    expect(recommendations[0]).toContain('their errors add up over the layers');
  });

  it('names the deciding numbers of a static INCOMPATIBLE', () => {
    const { reasons } = judge({ static: qwenStatic(), policy: 'static' });
    expect(reasons).toEqual([
      {
        code: 'static_incompatible',
        message:
          'Static check INCOMPATIBLE, score 0.00: k_ratio 42.3 > 20; 16 of 28 layers extreme (a Q or K norm weight above 10); max_k 96.5 > 50.',
      },
    ]);
  });

  it('tells a sensitive checkpoint from a bad kernel', () => {
    const { verdict: result, reasons } = judge({ static: qwenStatic(), numeric: numericResult() });
    expect(result).toBe(W);
    expect(reasons.map((reason) => reason.code)).toEqual(['sensitive_checkpoint', 'static_incompatible', 'model_pass', 'kernel_pass']);
    expect(reasons[0]?.message).toContain('this kernel set is fine on it');
  });

  it('puts the failing kernel first, with its numbers and what to look at', () => {
    const bad = kernelResult({
      kernel: 'braid',
      op: 'qk_norm',
      status: 'fail',
      accuracy_ratio: 5.3,
      nearest_recipe: 'late_norm',
      nearest_recipe_equal: 0.9997,
    });
    const { reasons, recommendations } = judge({
      static: staticResult(),
      numeric: numericResult({ status: 'fail', kernels: [kernelResult(), bad] }),
    });
    expect(reasons[0]).toEqual({
      code: 'kernel_fail',
      message: 'Kernel braid (qk_norm) fails: accuracy_ratio 5.3 > 4; max_abs_diff 4.9e-4; worst in layer 3 at self_attn.attention.',
    });
    expect(recommendations[0]).toBe(
      'Kernel braid: 99.9% of its output equals the recipe late_norm; move the rounding to where PyTorch eager has it.',
    );
  });

  it('recommends by the op of the failing kernel', () => {
    const advice = (op: string, changes = {}) =>
      judge({
        static: staticResult(),
        numeric: numericResult({ status: 'fail', kernels: [kernelResult({ op, status: 'fail', ...changes })] }),
      }).recommendations[0];
    expect(advice('attention')).toContain('causal mask');
    expect(advice('rms_norm')).toContain('BEFORE the multiply');
    expect(advice('rope')).toContain('half or interleaved');
    expect(advice('silu_mul')).toContain('which half is the gate');
    expect(advice('linear')).toContain('tail');
    expect(advice('linear', { non_finite: 3 })).toContain('overflow');
    expect(advice('rms_norm', { scale_error: 0.002, scale_error_standard_error: 0.00003 })).toContain('off by a factor of 1.00200');
  });

  it('holds a diff that compared nothing for no evidence', () => {
    const none = judge({ static: staticResult(), numeric: numericResult({ kernels: [], model: null }) });
    expect(none.verdict).toBe(Q);
    expect(none.reasons[0]?.code).toBe('no_kernels');
    expect(judge({ static: staticResult(), numeric: numericResult({ kernels: [kernelResult({ sites: 0 })] }) }).verdict).toBe(Q);
    expect(judge({ static: staticResult(), numeric: numericResult({ model: null }) }).verdict).toBe(Q);
  });

  it('shows enough digits for a value to be seen above its limit', () => {
    const numeric = numericResult({ status: 'fail', model: modelLevel({ status: 'fail', kl_ratio: 4.0004 }) });
    expect(judge({ static: staticResult(), numeric }).reasons[0]?.message).toContain('kl_ratio 4.0004 > 4');
  });
});

describe('a kernel whose own standard variant leaves the reference', () => {
  const wrong = {
    status: 'fail',
    detail: 'layer 0 mlp, output y: accuracy_ratio 9 > 4',
    accuracy_ratio: 9,
    max_abs_diff: 1,
    bitwise_equal: 0,
  } as const;
  const unjudged = kernelResult({
    status: 'inconclusive',
    detail: 'its own standard variant already leaves the reference',
    standard: wrong,
  });
  const numeric = (changes = {}) =>
    numericResult({ status: 'fail', kernels: [unjudged], model: modelLevel({ status: 'fail', detail: 'leaves' }), ...changes });

  it('makes an implementation issue, whatever the whole model does, and says so first', () => {
    for (const policy of ['evidence', 'strict'] as const) {
      for (const model of [modelLevel({ status: 'fail' }), modelLevel(), null]) {
        const { verdict: result, reasons, recommendations } = judge({ static: staticResult(), numeric: numeric({ model }), policy });
        expect(result).toBe('IMPLEMENTATION_ISSUE');
        expect(reasons[0]?.code).toBe('standard_fail');
        expect(recommendations[0]).toContain('bring its standard variant to what transformers computes');
      }
    }
  });

  it('does not hide another kernel that fails, or one that fails by writing where it must not', () => {
    const other = kernelResult({ kernel: 'other', status: 'fail', detail: 'off' });
    expect(judge({ static: staticResult(), numeric: numeric({ kernels: [unjudged, other] }) }).verdict).toBe(X);
    const guards = kernelResult({ status: 'fail', detail: 'wrote 4 bytes after output y', standard: wrong });
    expect(judge({ static: staticResult(), numeric: numeric({ kernels: [guards] }) }).verdict).toBe(X);
  });

  it('is not what makes a statically incompatible model compatible under policy strict', () => {
    const at = (policy: Policy) => judge({ static: qwenStatic(), numeric: numeric(), policy });
    expect(at('strict').verdict).toBe(X);
    expect(at('strict').reasons[0]?.code).toBe('static_incompatible');
    expect(at('evidence').verdict).toBe('IMPLEMENTATION_ISSUE');
  });

  it('is told from one whose standard variant is fine', () => {
    const passes = { ...wrong, status: 'pass', detail: null } as const;
    const failing = kernelResult({ status: 'fail', detail: 'off', standard: passes });
    const { verdict: result, reasons } = judge({ static: staticResult(), numeric: numeric({ kernels: [failing] }) });
    expect(result).toBe(X);
    expect(reasons[0]?.message).toContain('its standard variant passes, so the fault is in the fused one');
  });
});

describe('a canary that passed', () => {
  const detail = 'canary no_causal_mask was not caught: layer 14 self_attn.attention, the causal mask left out';

  it('makes the model inconclusive, under a code of its own, and says what to do', () => {
    const kernels = [kernelResult(), kernelResult({ kernel: 'blind', status: 'inconclusive', detail })];
    const {
      verdict: result,
      reasons,
      recommendations,
    } = judge({ static: staticResult(), numeric: numericResult({ status: 'inconclusive', kernels }) });
    expect(result).toBe('INCONCLUSIVE');
    expect(reasons[0]).toEqual({ code: 'canary_passed', message: `Kernel blind (attention) could not be judged: ${detail}.` });
    expect(recommendations[0]).toContain('use the default thresholds of `numeric`, and more or longer prompts');
  });

  it('at the model level does so too', () => {
    const model = modelLevel({ status: 'inconclusive', detail: 'canary zeros was not caught: all logits 0: kl_ratio 1.50' });
    const {
      verdict: result,
      reasons,
      recommendations,
    } = judge({ static: staticResult(), numeric: numericResult({ status: 'inconclusive', model }) });
    expect(result).toBe('INCONCLUSIVE');
    expect(reasons[0]?.code).toBe('canary_passed');
    expect(reasons[0]?.message).toMatch(/^The whole model could not be judged: canary zeros was not caught: all logits 0/);
    expect(recommendations.length).toBe(1);
  });
});

describe('what is open for no fault of a kernel', () => {
  it.each([
    [
      'a control that did not pass',
      'identity control: the reference differs from itself: layer 0 norm: 1 of 9 elements differ',
      /report it as a defect/,
    ],
    ['a model that overflows', 'not compared: layer 0 norm: values overflow float16, whose largest finite value is 65504', null],
  ])('%s is inconclusive, and no kernel is told to mend itself', (_what, detail, advice) => {
    const kernels = [kernelResult({ status: 'inconclusive', detail })];
    const {
      verdict: result,
      reasons,
      recommendations,
    } = judge({ static: staticResult(), numeric: numericResult({ status: 'inconclusive', kernels }) });
    expect(result).toBe('INCONCLUSIVE');
    expect(reasons[0]).toMatchObject({ code: 'kernel_inconclusive', message: expect.stringContaining(detail) });
    expect(recommendations).toEqual(advice === null ? [] : [expect.stringMatching(advice)]);
  });

  it('the whole model so is, with what helps', () => {
    const advice = (detail: string) => {
      const model = modelLevel({ status: 'inconclusive', detail });
      return judge({ static: staticResult(), numeric: numericResult({ status: 'inconclusive', model }) }).recommendations;
    };
    expect(advice('layer 0 norm: values overflow float16, whose largest finite value is 65504')).toEqual([
      expect.stringMatching(/^Serve the model in/),
    ]);
    expect(advice('identity control: a correct implementation would not pass')).toEqual([
      expect.stringMatching(/^The reference did not agree with itself/),
    ]);
    expect(advice('k: crashed')).toEqual([]);
  });
});

describe('what is responsible for a model that fails', () => {
  const layers = Array.from({ length: 28 }, (_, layer) => ({ layer, injected: null, inherited: null, floor: null }));
  const said = (changes: Parameters<typeof modelLevel>[0]) => {
    const model = modelLevel({ status: 'fail', kl_ratio: 7.3, layers, ...changes });
    return judge({ static: staticResult(), numeric: numericResult({ status: 'fail', model }) }).reasons[0]?.message;
  };

  it.each([
    [[12, 13, 14, 15], 7.3, 'qk in layers 12 to 15 alone makes kl_ratio 7.30×'],
    [[14], 7.3, 'qk in layer 14 alone makes kl_ratio 7.30×'],
    [[0, 3, 4, 5, 27], 7.3, 'qk in layers 0, 3 to 5 and 27 alone makes kl_ratio 7.30×'],
    [layers.map(({ layer }) => layer), 7.3, 'qk in every layer alone makes kl_ratio 7.30×'],
    [[], 7.3, 'qk outside of the layers alone makes kl_ratio 7.30×'],
    [[1], null, 'qk in layer 1 alone makes logits that are not finite'],
  ])('is said in words: layers %j', (where, kl_ratio, words) => {
    const message = said({ first_layer_above_floor: 12, responsible: [{ kernel: 'qk', layers: where, kl_ratio }] });
    expect(message).toContain(`the fused model leaves the noise floor in layer 12; ${words}`);
  });

  it('is what to look at, where every kernel holds at the sites that were compared', () => {
    const advice = (responsible: { kernel: string; layers: number[]; kl_ratio: number }[]) => {
      const model = modelLevel({ status: 'fail', kl_ratio: 7.3, responsible });
      return judge({ static: staticResult(), numeric: numericResult({ status: 'fail', model }) }).recommendations[0];
    };
    expect(advice([{ kernel: 'qk', layers: [14], kl_ratio: 7.3 }])).toMatch(/^Kernel qk: it holds at the sites that were compared, yet/);
    expect(advice([])).toContain('their errors add up over the layers');
  });

  it('may be no kernel alone, or not have been searched', () => {
    expect(said({ responsible: [] })).toContain('no kernel alone makes it so: their errors add up');
    expect(said({ responsible: null })).not.toContain('alone');
  });
});

describe('numericLevel', () => {
  it('is the worst of all parts', () => {
    expect(numericLevel(null)).toBeNull();
    expect(numericLevel(numericResult())).toBe('pass');
    expect(numericLevel(numericResult({ kernels: [kernelResult(), kernelResult({ status: 'warn' })] }))).toBe('warn');
    expect(numericLevel(numericResult({ model: modelLevel({ status: 'inconclusive' }) }))).toBe('inconclusive');
  });
});

describe('gate', () => {
  const judged = (verdict: Verdict) => ({ verdict, reasons: [] });
  it.each(VERDICTS)('fails on %s exactly when fail-on names it', (name) => {
    expect(gate([judged(C), judged(name)], [name])).toBe('fail');
    expect(
      gate(
        [judged(name)],
        VERDICTS.filter((other) => other !== name),
      ),
    ).toBe('pass');
  });

  it('does not pass without a verdict, unless it never fails', () => {
    expect(gate([], [X])).toBe('fail');
    expect(gate([], [])).toBe('pass');
    expect(gate([judged(X)], [])).toBe('pass');
  });

  it.each(['cancelled', 'shard_missing'] as const)('does not pass what was not judged (%s), unless it never fails', (code) => {
    const unjudged = { verdict: 'INCONCLUSIVE' as const, reasons: [{ code, message: '' }] };
    expect(gate([judged(C), unjudged], [X])).toBe('fail');
    expect(gate([judged(C), { ...unjudged, reasons: [{ code: 'no_gpu' as const, message: '' }] }], [X])).toBe('pass');
    expect(gate([unjudged], [])).toBe('pass');
  });
});

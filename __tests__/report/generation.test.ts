// Texts that models write, in the Markdown report: told apart by how they compare, and never Markdown themselves.

import { describe, expect, it } from '@jest/globals';
import { generationList, generationSummary } from '../../src/report/generation.js';
import type { Generation } from '../../src/report/types.js';
import { numericReasons } from '../../src/verdict/reasons.js';
import { numericResult } from '../support/report.js';

const SAME: Generation = {
  prompt: 'In the beginning',
  tokens: 3,
  text_standard: ' was the word',
  text_fused: ' was the word',
  ids_prompt: [1, 2, 3],
  ids_standard: [4, 5, 6],
  ids_fused: [4, 5, 6],
  first_divergence: null,
  loops: { standard: false, fused: false },
  nll_standard: 1.25,
  nll_fused: 1.25,
  excess_standard: 0,
  excess_fused: 0,
  coherent: true,
  detail: null,
};
const TIED: Generation = {
  ...SAME,
  text_fused: ' was the deed',
  ids_fused: [4, 5, 7],
  nll_fused: 1.5,
  first_divergence: { position: 2, near_tie: true, margin: 0.0125 },
};
const GIBBERISH: Generation = {
  ...TIED,
  text_fused: ' ||||',
  first_divergence: { position: 0, near_tie: false, margin: 9 },
  loops: { standard: false, fused: true },
  coherent: false,
  detail: 'to the oracle its tokens are 99 times less likely',
};

describe('the texts of a model', () => {
  it('are shown once where both are the same', () => {
    expect(generationSummary([SAME])).toBe('Greedy text after 1 prompt: the same');
    expect(generationList([SAME])).toBe('- after `In the beginning`: the same text\n  - both: ` was the word` (NLL 1.25)');
  });

  it('are shown side by side where they part, with the place', () => {
    expect(generationSummary([SAME, TIED])).toBe('Greedy text after 2 prompts: the same after 1, parts at a near tie after 1');
    expect(generationList([TIED])).toBe(
      [
        '- after `In the beginning`: parts at a near tie, at new token 3 (margin 0.0125)',
        '  - standard: ` was the word` (NLL 1.25)',
        '  - fused: ` was the deed` (NLL 1.5)',
      ].join('\n'),
    );
  });

  it('are called incoherent where they are, in the summary, the list and the reasons, which change no verdict', () => {
    expect(generationSummary([GIBBERISH])).toBe('Greedy text after 1 prompt: incoherent');
    const list = generationList([GIBBERISH]);
    expect(list).toContain('incoherent, at new token 1 (margin 9): `to the oracle its tokens are 99 times less likely`');
    expect(list).toContain(', ends in a loop)');
    const limits = { pass_ratio: 2, warn_ratio: 4, scale_standard_errors: 6, decisive_margin: 10 };
    const reasons = numericReasons(numericResult({ generation: [SAME, GIBBERISH] }), limits);
    expect(reasons.filter(({ code }) => code === 'generation_incoherent')).toEqual([
      {
        code: 'generation_incoherent',
        message: "The fused model's greedy text is incoherent after 1 of 2 prompts: to the oracle its tokens are 99 times less likely.",
      },
    ]);
    expect(numericReasons(numericResult({ generation: [SAME, TIED] }), limits).map(({ code }) => code)).not.toContain(
      'generation_incoherent',
    );
  });

  it('are never Markdown, HTML, a mention or a line of their own, whatever a model writes', () => {
    const hostile = 'x`\n\n# @someone <img src=x onerror=y> | [a](http://b) \u202e\u0007';
    const list = generationList([{ ...TIED, prompt: hostile, text_standard: hostile, text_fused: hostile + hostile }]);
    expect(list.split('\n')).toHaveLength(3);
    expect(list).not.toMatch(/<img|@someone|\]\(|\u202e|\u0007|\|/);
  });

  it('are cut where they are long', () => {
    const long = 'word '.repeat(500);
    expect(generationList([{ ...SAME, prompt: long, text_standard: long, text_fused: long }]).length).toBeLessThan(600);
  });
});

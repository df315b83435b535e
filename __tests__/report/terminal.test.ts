import { describe, expect, it } from '@jest/globals';
import { stripVTControlCharacters } from 'node:util';
import { renderGateLine, renderTerminal } from '../../src/report/terminal.js';
import { modelReport, report } from '../support/report.js';
import { failing, hostile, passing, sensitive, story, watched } from './sample.js';

const ESCAPE = /\u001b/;

describe('renderTerminal', () => {
  it('shows one row per model, failing first, with the figures of the published story', () => {
    const rows = renderTerminal(story(), { color: false })
      .split('\n')
      .filter((line) => line.startsWith('│'));
    expect(rows.map((row) => row.replace(/\s+/g, ' '))).toEqual([
      '│ model │ verdict │ K max │ K ratio │ score │ kernel difference │ × noise floor │ amplification │ top-1 │ speed fused/standard │',
      '│ models/ernie45-mini │ INCOMPATIBLE │ none │ none │ 1.00 │ 3.1 │ 15300× │ 1.02× │ 8.3% │ 0.98× │',
      '│ models/mystery │ INCONCLUSIVE │ – │ – │ – │ – │ – │ – │ – │ – │',
      '│ models/qwen3-mini │ WARNING │ 96.5 │ 42.3 │ 0.00 │ 4.9e-4 │ 1.31× │ 0.50× │ 99.5% │ – │',
      '│ models/tinyllama-mini │ COMPATIBLE │ none │ none │ 1.00 │ 4.9e-4 │ 1.20× │ 5.10× │ 99.5% │ – │',
    ]);
  });

  it('ends with the line of the gate', () => {
    expect(
      renderTerminal(report([failing, passing]), { color: false })
        .trimEnd()
        .split('\n\n')
        .at(-1)
        ?.replace(/\s+/g, ' '),
    ).toBe('gate failed: 1 INCOMPATIBLE, 1 COMPATIBLE (policy evidence, fails on INCOMPATIBLE, IMPLEMENTATION_ISSUE, INCONCLUSIVE)');
    expect(renderGateLine(report([passing]), { color: false })).toMatch(/^gate passed: 1 COMPATIBLE/);
  });

  it('gives reasons, cause and advice for everything but COMPATIBLE', () => {
    const text = renderTerminal(report([failing, sensitive, passing]), { color: false });
    expect(text).toContain('  - Kernel braid-rope (rope) fails: accuracy_ratio 812 > 4');
    expect(text).toContain('  - cause: Its output equals the reference with the half-split RoPE layout');
    expect(text).toContain('  > Kernel braid-rope: check the layout');
    expect(text).toContain('models/qwen3-mini: WARNING');
    expect(text).not.toContain('1 kernel passes');
  });

  it('says in one line how many canaries were planted and caught, and what scale error could be seen', () => {
    expect(renderTerminal(report([passing]), { color: false })).not.toContain('canar');
    const text = renderTerminal(report([watched([true, true]), watched([true])]), { color: false });
    expect(text).toContain('\n\n3 canaries planted, 3 caught; smallest scale error that could be seen: 0.13%\n\ngate passed');
    expect(renderTerminal(report([watched([false])]), { color: false })).toContain('1 canary planted, 0 caught');
  });

  it('writes colours only when asked', () => {
    expect(renderTerminal(story(), { color: false })).not.toMatch(ESCAPE);
    const colored = renderTerminal(story(), { color: true });
    expect(colored).toMatch(ESCAPE);
    expect(stripVTControlCharacters(colored)).toBe(renderTerminal(story(), { color: false }));
  });

  it.each([40, 60, 80])('stays within %i columns, as a list', (columns) => {
    const text = renderTerminal(story(), { color: false, columns });
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
    expect(text).not.toContain('│');
    expect(text.replace(/\s+/g, ' ')).toContain('WARNING models/qwen3-mini K max 96.5, K ratio 42.3, score 0.00');
  });

  it('neutralises control, ANSI and bidirectional characters in foreign text', () => {
    const text = renderTerminal(report([hostile, modelReport({ id: '\u001b]0;title\u0007\u009b31m\u2066' })]), { color: false });
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{C}/u);
    expect(text).toContain('\ufffd[31m');
  });
});

import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { reproduceLine } from '../../src/report/reproduce.js';
import { report } from '../support/report.js';

/** The words that a POSIX shell makes of the line. */
function wordsOf(line: string): string[] {
  const text = execFileSync(
    'sh',
    ['-c', `fused_compat() { for word; do printf '%s\\n' "$word"; done; }; ${line.replace('fused-compat', 'fused_compat')}`],
    {
      encoding: 'utf8',
      cwd: '/',
    },
  );
  return text.trimEnd().split('\n');
}

describe('the line that runs a check again', () => {
  it('has the configuration of the run', () => {
    const given = report([], { reproduce: ['--config', 'ci/fused-compat.yml', '--kernels', 'my kernels', '--require-gpu'] });
    expect(reproduceLine(given, ['a', 'b'])).toEqual({
      command: "fused-compat check --config ci/fused-compat.yml --kernels 'my kernels' --require-gpu a b",
      models: 2,
    });
  });

  it('names the policy where neither an option nor a file does', () => {
    expect(reproduceLine(report([], { policy: 'strict' }), ['a'])?.command).toBe('fused-compat check --policy strict a');
    expect(reproduceLine(report([], { policy: 'strict', reproduce: ['--policy', 'strict'] }), ['a'])?.command).toBe(
      'fused-compat check --policy strict a',
    );
  });

  it('is inspect with what inspect takes where no kernel ran', () => {
    const reproduce = ['--config', 'c.yml', '--policy', 'static', '--kernels', 'k', '--fail-on', 'WARNING'];
    expect(reproduceLine(report([], { policy: 'static', reproduce }), ['a'])?.command).toBe(
      'fused-compat inspect --config c.yml --fail-on WARNING a',
    );
  });

  it('is taken by a shell as it is meant, whatever the names are', () => {
    const ids = [
      "it's",
      '$(touch /tmp/x)',
      '`id`',
      '; rm -rf ~',
      '"',
      '-rf',
      '~root',
      '*',
      '!!',
      'a\\',
      '&& false',
      '${HOME}',
      '模型',
      '#x',
      '::set-output name=x::y',
    ];
    const line = reproduceLine(report([]), ids);
    expect(line?.models).toBe(ids.length);
    expect(wordsOf(line?.command ?? '')).toEqual(['check', '--policy', 'evidence', '--', ...ids]);
  });

  it('leaves out names that are not shown as they are', () => {
    expect(reproduceLine(report([]), ['a\u202eb', 'x\ny', '\u001b[31m', '', 'good'])).toMatchObject({
      command: 'fused-compat check --policy evidence good',
      models: 1,
    });
    expect(reproduceLine(report([]), ['a\u202eb'])).toBeNull();
    expect(reproduceLine(report([], { reproduce: ['--kernels', 'a\u202eb'] }), ['good'])).toBeNull();
  });

  it('names as many models as a line may have', () => {
    const line = reproduceLine(
      report([]),
      Array.from({ length: 500 }, (_, index) => `models/number-${index}`),
    );
    expect(line?.command.length).toBeLessThanOrEqual(2000);
    expect(line?.models).toBeGreaterThan(50);
    expect(reproduceLine(report([]), ['x'.repeat(10_000)])).toBeNull();
  });
});

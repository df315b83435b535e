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
      prompts_file: null,
      elsewhere: false,
    });
  });

  it('has the prompts that were given themselves, as one word that a shell leaves alone', () => {
    const prompts = JSON.stringify(["it's $(touch /tmp/x) `id`", '!!"\\', '모델', { 'input-ids': [1, 2] }]);
    const line = reproduceLine(report([], { reproduce: ['--prompts', prompts] }), ['a']);
    expect(line).toMatchObject({ models: 1, prompts_file: null });
    expect(wordsOf(line?.command ?? '')).toEqual(['check', '--policy', 'evidence', '--prompts', prompts, 'a']);
  });

  it('names a file for prompts that leave no room on a line, and says that it has to be written', () => {
    const reproduce = ['--prompts', JSON.stringify(['x'.repeat(5000), 'y'])];
    expect(reproduceLine(report([], { reproduce }), ['a'])).toEqual({
      command: 'fused-compat check --policy evidence --prompts input-prompts.json a',
      models: 1,
      prompts_file: 'input-prompts.json',
      elsewhere: false,
    });
    // No kernel runs under policy static, so nobody misses the prompts.
    expect(reproduceLine(report([], { policy: 'static', reproduce }), ['a'])).toMatchObject({
      command: 'fused-compat inspect a',
      prompts_file: null,
    });
  });

  it('says where a path is one of the machine that ran it', () => {
    const elsewhere = (reproduce: string[], id = 'a') => reproduceLine(report([], { reproduce }), [id])?.elsewhere;
    expect(elsewhere(['--config', '/tmp/fused-compat.yml'])).toBe(true);
    expect(elsewhere(['--kernels', 'C:\\work\\kernels'])).toBe(true);
    expect(elsewhere([], '/models/a')).toBe(true);
    expect(elsewhere(['--config', 'ci/fused-compat.yml', '--prompts', '["/tmp"]'])).toBe(false);
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

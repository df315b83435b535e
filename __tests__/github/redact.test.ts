import { describe, expect, it } from '@jest/globals';
import { redactData, redactor } from '../../src/github/redact.js';
import { aModel, aReport } from './report.js';

const redact = redactor(['s3cret-value', '']);

describe('redaction', () => {
  it.each([
    ['an app token', `ghs_${'a1B2'.repeat(9)}`],
    ['an app token in the longer form', `ghs_12345_${'a1B2.'.repeat(20)}x-y_z`],
    ['a classic personal token', `ghp_${'a1B2'.repeat(9)}`],
    ['a fine-grained personal token', `github_pat_${'a1B2'.repeat(5)}_${'c3D4'.repeat(14)}`],
    ['a Hugging Face token', `hf_${'a1B2'.repeat(8)}cd`],
    ['the token that was given', 's3cret-value'],
  ])('hides %s', (_what, token) => {
    expect(redact(`before ${token}, after`)).toMatch(/^before \*\*\*,? after$/);
    expect(redact(`https://x:${token}@host/`)).not.toContain(token);
  });

  it.each(['hf_internal_testing/tiny', 'ghs_short', 'my_ghp_model', 'secret', 'models/hf_tiny'])('leaves %s alone', (text) => {
    expect(redact(text)).toBe(text);
  });

  it('ignores a secret so short that masking it would tear words apart', () => {
    expect(redactor(['a'])('banana')).toBe('banana');
  });

  it('hides the longer of two secrets that contain each other as a whole', () => {
    expect(redactor(['abcdef', 'abcdef-ghijkl'])('x abcdef-ghijkl y')).toBe('x *** y');
  });

  it('redacts every string of a report and nothing else', () => {
    const report = aReport([aModel('a/s3cret-value', 'COMPATIBLE', 'saw s3cret-value')]);
    const clean = redactData(report, redact);
    expect(JSON.stringify(clean)).not.toContain('s3cret-value');
    expect(clean).toEqual(aReport([aModel('a/***', 'COMPATIBLE', 'saw ***')]));
  });

  it('does not turn a broken number into one that was not measured', () => {
    expect(redactData({ score: NaN, layers: [null, -0] }, redact)).toEqual({ score: NaN, layers: [null, -0] });
  });
});

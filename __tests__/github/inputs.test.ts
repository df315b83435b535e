import { describe, expect, it } from '@jest/globals';
import { readCache, readConfigInputs, readPosting, readReferenceCache } from '../../src/github/inputs.js';

function inputs(values: Record<string, string>): (name: string) => string {
  return (name) => values[name] ?? '';
}

describe('posting inputs', () => {
  it('have defaults when empty', () => {
    expect(readPosting(inputs({}))).toEqual({ comment: 'always', commentKey: 'default', statusContext: 'fused-compat' });
  });

  it('are taken as given', () => {
    const given = inputs({ comment: 'on-failure', 'comment-key': 'gpu.h100_a-b', 'status-context': 'compat / H100' });
    expect(readPosting(given)).toEqual({ comment: 'on-failure', commentKey: 'gpu.h100_a-b', statusContext: 'compat / H100' });
  });

  it('turn the status off with none', () => {
    expect(readPosting(inputs({ 'status-context': 'none' })).statusContext).toBeNull();
    expect(readPosting(inputs({ 'status-context': 'x'.repeat(140) })).statusContext).toHaveLength(140);
  });

  it.each([
    ['comment', 'sometimes', 'input comment must be one of always, on-failure, never; got "sometimes"'],
    ['comment-key', 'a --><b>', 'input comment-key must be'],
    ['comment-key', 'a--b', 'got "a--b"'],
    ['comment-key', 'x'.repeat(65), 'got "xxx'],
    ['status-context', 'a\nb', 'got "a\\nb"'],
    ['status-context', 'x'.repeat(141), 'input status-context must be one line of at most 140 characters'],
  ])('refuse %s: %j by name and value', (name, value, message) => {
    expect(() => readPosting(inputs({ [name]: value }))).toThrow(
      expect.objectContaining({ name: 'UsageError', message: expect.stringContaining(message) }),
    );
  });
});

describe('config inputs', () => {
  it('are absent when empty', () => {
    expect(readConfigInputs(inputs({}))).toEqual({ file: undefined, overrides: {} });
  });

  it('keep the name of their key', () => {
    const given = inputs({ models: 'a\nb', config: 'ci/fused-compat.yml', 'fail-on': 'never', 'require-gpu': 'true', comment: 'never' });
    expect(readConfigInputs(given)).toEqual({
      file: 'ci/fused-compat.yml',
      overrides: { models: 'a\nb', 'fail-on': 'never', 'require-gpu': 'true' },
    });
  });

  it('tell prompts from the file that holds them', () => {
    expect(readConfigInputs(inputs({ prompts: 'ci/prompts.txt' })).overrides).toEqual({ prompts: 'ci/prompts.txt' });
    expect(readConfigInputs(inputs({ prompts: 'Hello, world\r\n\n  Bonjour  ' })).overrides).toEqual({
      prompts: ['Hello, world', 'Bonjour'],
    });
    expect(readConfigInputs(inputs({ prompts: 'Hello' })).overrides).toEqual({ prompts: ['Hello'] });
  });
});

describe('the input cache', () => {
  const hosted = { RUNNER_ENVIRONMENT: 'github-hosted' };
  const own = { RUNNER_ENVIRONMENT: 'self-hosted' };

  it("is on by itself only where runners are GitHub's and start empty", () => {
    for (const given of [inputs({}), inputs({ cache: 'auto' })]) {
      expect([hosted, own, {}].map((env) => readCache(given, env))).toEqual([true, false, false]);
    }
  });

  it.each(['true', 'True', 'TRUE', 'false', 'False', 'FALSE'])('means what it says as %s, everywhere', (cache) => {
    const on = /true/i.test(cache);
    expect([hosted, own].map((env) => readCache(inputs({ cache }), env))).toEqual([on, on]);
  });

  it.each(['yes', '1', 'AUTO', 'tRuE'])('is refused as %s by name and value', (cache) => {
    const message = `input cache must be one of auto, true, false; got "${cache}"`;
    expect(() => readCache(inputs({ cache }), hosted)).toThrow(expect.objectContaining({ name: 'UsageError', message }));
  });
});

describe('the input reference-cache', () => {
  const hosted = { RUNNER_ENVIRONMENT: 'github-hosted', HOME: '/home/runner' };
  const own = { RUNNER_ENVIRONMENT: 'self-hosted', HOME: '/home/runner' };
  const kept = '/home/runner/.cache/fused-compat/reference';

  it('keeps results by itself only where the disk lasts, and never for the code of a fork', () => {
    for (const given of [inputs({}), inputs({ 'reference-cache': 'auto' })]) {
      expect([hosted, own, {}].map((env) => readReferenceCache(given, env, '/w', false))).toEqual([null, kept, null]);
      expect(readReferenceCache(given, own, '/w', true)).toBeNull();
    }
  });

  it('is a folder of the workspace, or none, where it says so', () => {
    for (const env of [hosted, own]) {
      expect(readReferenceCache(inputs({ 'reference-cache': 'kept' }), env, '/w', false)).toBe('/w/kept');
      expect(readReferenceCache(inputs({ 'reference-cache': 'none' }), env, '/w', false)).toBeNull();
    }
  });
});

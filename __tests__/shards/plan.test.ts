import { describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, open, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { loadConfig } from '../../src/config/load.js';
import { UsageError } from '../../src/errors.js';
import { hubAccess } from '../../src/hub/model.js';
import { costsOf } from '../../src/shards/cost.js';
import { configDigest, makePlan, matrixOf, planId, unusedRunners, type Matrix } from '../../src/shards/plan.js';
import { asPlan, entryFromMatrix, shardConfig } from '../../src/shards/shard.js';
import { measureModels } from '../../src/shards/sizes.js';
import { COMMIT, configOf, CWD, planOf, TWELVE } from './made.js';

const MOMENT = { cwd: CWD, commit: COMMIT, attempt: 1 };

describe('a plan', () => {
  it('splits twelve models of 1 to 12 GiB into four jobs of nearly the same size', async () => {
    const { shards } = await planOf(TWELVE);
    expect(shards.map(({ shard }) => shard)).toEqual([1, 2, 3, 4]);
    const costs = shards.map(({ cost }) => cost);
    expect(Math.max(...costs) / Math.min(...costs)).toBeLessThan(1.2);
    expect(shards.flatMap(({ models }) => models).sort()).toEqual([...TWELVE].sort());
  });

  it('is the same each time, and keeps the order of the user within a job', async () => {
    expect(await planOf(TWELVE)).toEqual(await planOf(TWELVE));
    for (const { models } of (await planOf(TWELVE)).shards) expect(models).toEqual(TWELVE.filter((id) => models.includes(id)));
  });

  it('puts every model into one job, uses each job, and lets none take over twice what it must, whatever the sizes', async () => {
    const cost = fc.record({ bytes: fc.option(fc.nat(2 ** 40)), layers: fc.option(fc.integer({ min: 1, max: 100 })) });
    await fc.assert(
      fc.asyncProperty(fc.array(cost, { minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 40 }), async (sizes, shards) => {
        const models = sizes.map((_, index) => `m${index}`);
        const config = await configOf(models, { shards });
        const plan = makePlan(config, sizes, 3, MOMENT);
        expect(plan.shards.flatMap((shard) => shard.models).sort()).toEqual([...models].sort());
        expect(plan.shards).toHaveLength(Math.min(shards, models.length));
        const total = plan.models.reduce((sum, model) => sum + model.cost, 0);
        const least = Math.max(total / plan.shards.length, ...plan.models.map((model) => model.cost));
        // What no split can do better than; Graham's 4/3 is of the best split, which may be above it.
        expect(Math.max(...plan.shards.map((shard) => shard.cost))).toBeLessThanOrEqual(2 * least);
        expect(asPlan(JSON.parse(JSON.stringify(plan)))).toEqual(plan);
      }),
      { numRuns: 60 },
    );
  });

  it('gives models that need another runner jobs of their own', async () => {
    const runners = [{ models: ['org/model-12'], 'runs-on': ['self-hosted', 'gpu-80gb'] }];
    const { shards } = await planOf(TWELVE, { 'runs-on': 'self-hosted, gpu', runners, shards: 3 });
    expect(shards.map(({ runs_on }) => runs_on)).toEqual([
      ['self-hosted', 'gpu'],
      ['self-hosted', 'gpu'],
      ['self-hosted', 'gpu-80gb'],
    ]);
    expect(shards[2]?.models).toEqual(['org/model-12']);
  });

  it('makes at least one job for each kind of runner, also where fewer are allowed', async () => {
    const runners = [{ models: ['org/model-1'], 'runs-on': 'small' }];
    expect((await planOf(TWELVE, { runners, shards: 1 })).shards).toHaveLength(2);
  });

  it('names runners of models that are not in the list', async () => {
    const config = await configOf(['a'], { runners: [{ models: ['a', 'Qwen/Qwen3'], 'runs-on': 'x' }] });
    expect(unusedRunners(config)).toEqual(['runners[0].models: "Qwen/Qwen3" is none of the models']);
  });

  it('counts models alike under policy static, which reads kilobytes of each', async () => {
    const { shards } = await planOf(TWELVE, { policy: 'static' });
    expect(shards.map(({ models }) => models.length)).toEqual([3, 3, 3, 3]);
  });

  it('takes a model of unknown size for the largest', () => {
    const known = { bytes: 2 ** 30, layers: null };
    const [small, unknown] = costsOf([known, { bytes: null, layers: null }], { policy: 'evidence' }, 1);
    expect(unknown).toBe(small);
  });

  it('has another id for another commit, configuration or split, and the same in another attempt', async () => {
    const plan = await planOf(TWELVE);
    expect((await planOf(TWELVE, {}, 2)).id).toBe(plan.id);
    expect(planId({ ...plan, commit: 'b'.repeat(40) })).not.toBe(plan.id);
    expect((await planOf(TWELVE, { dtype: 'float16' })).id).not.toBe(plan.id);
    expect((await planOf(TWELVE, { shards: 5 })).id).not.toBe(plan.id);
  });
});

describe('a matrix', () => {
  it('is one line of JSON with what runs-on, the name and the shard need', async () => {
    const text = matrixOf(await planOf(TWELVE));
    expect(text).not.toContain('\n');
    const { include } = JSON.parse(text) as Matrix;
    expect(include).toHaveLength(4);
    expect(include[0]).toMatchObject({ shard: 1, of: 4, 'runs-on': 'ubuntu-latest', name: '1 of 4: org/model-12 and 2 more' });
    expect(include.flatMap(({ models }) => models).sort()).toEqual([...TWELVE].sort());
  });

  it('is refused when it is larger than the output of a job may be', async () => {
    const models = Array.from({ length: 200 }, (_, index) => `${'x'.repeat(3000)}${index}`);
    const plan = await planOf(models);
    expect(() => matrixOf(plan)).toThrow(UsageError);
    expect(matrixOf(await planOf(models.slice(0, 150))).length).toBeGreaterThan(400_000);
  });

  it('cannot ask for more jobs than GitHub starts', async () => {
    await expect(configOf(['a'], { shards: 257 })).rejects.toThrow(/shards: 257 is out of range; allowed: <= 256/);
  });
});

describe('a shard', () => {
  const entryText = async (): Promise<string> => JSON.stringify((JSON.parse(matrixOf(await planOf(TWELVE))) as Matrix).include[1]);

  it('judges the models of its entry, where the configuration finds them', async () => {
    const entry = entryFromMatrix(await entryText(), 'input shard');
    const config = shardConfig(await configOf(TWELVE), entry, CWD);
    expect(config.models.map(({ id }) => id)).toEqual(entry.models);
    expect(config.models[0]?.path).toBe(join(CWD, entry.models[0] ?? ''));
  });

  it.each([
    ['another dtype', { dtype: 'float16' }],
    ['other prompts', { prompts: ['x'] }],
    ['other kernels', { kernels: 'elsewhere' }],
    ['other thresholds', { numeric: { 'pass-ratio': 3 } }],
  ])('refuses to run with %s than the plan', async (_what, overrides) => {
    const entry = entryFromMatrix(await entryText(), 'input shard');
    const config = await configOf(TWELVE, overrides);
    expect(() => shardConfig(config, entry, CWD)).toThrow(/not the one that the plan was made with/);
  });

  it('refuses to run where its models are not in the list, and names one', async () => {
    const entry = entryFromMatrix(await entryText(), 'input shard');
    const config = await configOf(['org/model-1']);
    expect(() => shardConfig(config, entry, CWD)).toThrow(/has no model "org\/model-/);
  });

  it('may run elsewhere, with more jobs, and offline', async () => {
    const there = await loadConfig({ cwd: '/elsewhere', overrides: { models: TWELVE, jobs: 2, offline: true, output: 'o', shards: 9 } });
    expect(configDigest(there, '/elsewhere')).toBe(configDigest(await configOf(TWELVE), CWD));
  });

  it.each(['', '{', '[]', '{}', '{"shard":0}', '"x"', 'null', '{"shard":1,"of":2,"plan":"p","config":"c","models":["m"]}'])(
    'is not told by %s',
    (text) => {
      expect(() => entryFromMatrix(text, 'input shard')).toThrow(/^input shard .*toJSON\(matrix\)/);
    },
  );
});

describe('the size of a model', () => {
  it('is that of its weights in the format that is read, told without reading them', async () => {
    const root = await mkdtemp(join(tmpdir(), 'fused-compat-sizes-'));
    for (const [name, size] of [
      ['a/model-00001-of-00002.safetensors', 5 * 2 ** 30],
      ['a/model-00002-of-00002.safetensors', 2 ** 30],
      ['a/pytorch_model.bin', 2 ** 33],
      ['b/pytorch_model.bin', 77],
      ['b/optimizer.pt', 2 ** 33],
    ] as const) {
      await mkdir(join(root, name, '..'), { recursive: true });
      const file = await open(join(root, name), 'w');
      await file.truncate(size);
      await file.close();
    }
    await writeFile(join(root, 'a/config.json'), '{"num_hidden_layers": 28}');
    await writeFile(join(root, 'b/config.json'), '{"num_hidden_layers": "many"');
    const hub = hubAccess({}, true);
    const refs = ['a', 'b', 'none'].map((id) => ({ id, path: join(root, id) }));
    expect(await measureModels(refs, hub)).toEqual([
      { bytes: 6 * 2 ** 30, layers: 28 },
      { bytes: 77, layers: null },
      { bytes: null, layers: null },
    ]);
    await hub.close();
  });
});

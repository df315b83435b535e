import { describe, expect, it } from '@jest/globals';
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../../src/errors.js';
import type { Report } from '../../src/report/types.js';
import { serializeReport } from '../../src/report/write.js';
import { readArrived } from '../../src/shards/arrived.js';
import { merge, type MergeOptions } from '../../src/shards/merge.js';
import { planId, type Plan } from '../../src/shards/plan.js';
import { isFailing } from '../../src/report/rows.js';
import { aModel, aReport } from '../github/report.js';
import { COMMIT, folderOf, judgedModel, partOf, planOf, TWELVE } from './made.js';

const planFile = (plan: Plan): Record<string, string> => ({ 'plan-1/plan.json': JSON.stringify(plan) });

async function mergeFiles(files: Record<string, string>, options: Partial<MergeOptions> = {}) {
  return mergeFolder(await folderOf(files), options);
}

async function mergeFolder(folder: string, options: Partial<MergeOptions> = {}) {
  const { report, notes, refused } = merge(await readArrived(['.'], folder), { commit: COMMIT, fail_on: null, ...options });
  return { report, notes: [...notes, ...refused] };
}

/** The parts of shards 1 to 4, but for those that are changed or taken out. */
function parts(plan: Plan, changes: Record<number, string | null> = {}): Record<string, string> {
  const files = plan.shards.map(({ shard }) => [
    `shard-${shard}-1/report.json`,
    changes[shard] === undefined ? partOf(plan, shard) : changes[shard],
  ]);
  return { ...planFile(plan), ...(Object.fromEntries(files.filter(([, text]) => text !== null)) as Record<string, string>) };
}

function verdictOf(report: Report, id: string | undefined): string | undefined {
  return report.models.find((model) => model.id === id)?.verdict;
}

describe('four parts of a plan', () => {
  it('become one report in the order of the user, which passes', async () => {
    const plan = await planOf(TWELVE);
    const { report, notes } = await mergeFiles(parts(plan));
    expect(report.models.map(({ id }) => id)).toEqual(TWELVE);
    expect(report.gate).toBe('pass');
    expect(report.shards).toMatchObject([1, 2, 3, 4].map((shard) => ({ shard, models: 3, attempt: 1 })));
    expect(report.shard).toBeUndefined();
    expect(notes).toEqual([]);
    expect(() => serializeReport(report)).not.toThrow();
  });

  it('fail when one of them fails', async () => {
    const plan = await planOf(TWELVE);
    const { report } = await mergeFiles(parts(plan, { 2: partOf(plan, 2, { verdict: 'INCOMPATIBLE' }) }));
    expect(report.gate).toBe('fail');
    expect(report.models.filter(({ verdict }) => verdict === 'INCOMPATIBLE').map(({ id }) => id)).toEqual(plan.shards[1]?.models);
  });

  it('of which one is missing make its models INCONCLUSIVE, say so, and fail', async () => {
    const plan = await planOf(TWELVE);
    const { report } = await mergeFiles(parts(plan, { 3: null }));
    const missing = report.models.filter(({ verdict }) => verdict === 'INCONCLUSIVE');
    expect(missing.map(({ id }) => id)).toEqual(plan.shards[2]?.models);
    expect(missing[0]?.reasons).toEqual([
      {
        code: 'shard_missing',
        message: 'Shard 3 of 4 left no report that counts: its job failed, was cancelled or timed out. Rerun it.',
      },
    ]);
    expect(report.gate).toBe('fail');
    expect(report.shards?.[2]).toEqual({ shard: 3, models: 3, attempt: null, gpu: null });
    expect(() => serializeReport(report)).not.toThrow();
  });

  it('of which none arrived are all INCONCLUSIVE', async () => {
    const { report } = await mergeFiles(planFile(await planOf(TWELVE)));
    expect(new Set(report.models.map(({ verdict }) => verdict))).toEqual(new Set(['INCONCLUSIVE']));
    expect(report.gate).toBe('fail');
    expect(() => serializeReport(report)).not.toThrow();
  });

  it('take the later attempt of a shard, in whichever order they are found', async () => {
    const plan = await planOf(TWELVE);
    const again = partOf(plan, 1, { attempt: 2 });
    const before = partOf(plan, 1, { verdict: 'INCOMPATIBLE' });
    for (const folder of ['a-first', 'z-last']) {
      const { report } = await mergeFiles({ ...parts(plan, { 1: before }), [`${folder}/report.json`]: again });
      expect(report.gate).toBe('pass');
      expect(report.shards?.[0]?.attempt).toBe(2);
    }
  });

  it('do not take what is left of an attempt before the plan was made anew', async () => {
    const plan = await planOf(TWELVE, {}, 2);
    const all = Object.fromEntries(plan.shards.map(({ shard }) => [shard, partOf(plan, shard, { attempt: shard === 4 ? 1 : 2 })]));
    const { report, notes } = await mergeFiles({ ...parts(plan, all), 'plan-0/plan.json': JSON.stringify(await planOf(TWELVE)) });
    expect(verdictOf(report, plan.shards[3]?.models[0])).toBe('INCONCLUSIVE');
    expect(notes).toEqual([expect.stringContaining('left over from attempt 1')]);
  });

  it('fail on what the caller says rather than the plan', async () => {
    const plan = await planOf(TWELVE, { 'fail-on': 'never' });
    expect((await mergeFiles(parts(plan, { 1: null }))).report.gate).toBe('pass');
    expect((await mergeFiles(parts(plan, { 1: null }), { fail_on: ['INCONCLUSIVE'] })).report).toMatchObject({
      gate: 'fail',
      fail_on: ['INCONCLUSIVE'],
    });
  });
});

describe('a part that does not belong here leaves its shard missing', () => {
  const stampWith = (changes: object) => (report: Report) => ({ ...report, shard: { ...report.shard, ...changes } });
  it.each<[string, (report: Report) => unknown, string]>([
    ['of another plan', stampWith({ plan: 'f'.repeat(64) }), 'another plan'],
    ['of another commit', stampWith({ commit: 'b'.repeat(40) }), 'judged commit'],
    ['made with another configuration', stampWith({ config: 'f'.repeat(64) }), 'another configuration'],
    ['that says it is a fifth of four', stampWith({ shard: 5 }), 'shard 5 of 4'],
    ['that says it is of five', stampWith({ of: 5 }), 'shard 2 of 5'],
    ['of another version', (report) => ({ ...report, tool: { ...report.tool, version: '9.9.9' } }), '9.9.9'],
    ['under another policy', (report) => ({ ...report, policy: 'strict' }), 'another policy'],
    ['that fails on nothing', (report) => ({ ...report, fail_on: [] }), 'another policy or fail-on'],
    ['with a model less', (report) => ({ ...report, models: report.models.slice(1) }), 'other models'],
    [
      'with a model of another shard',
      (report) => ({ ...report, models: [...report.models, aModel('org/model-12', 'COMPATIBLE')] }),
      'other models',
    ],
    ['with one model three times', (report) => ({ ...report, models: report.models.map(() => report.models[0]) }), 'other models'],
    [
      'whose verdicts were made better than its numbers',
      (report) => ({ ...report, models: report.models.map(({ id }) => ({ ...judgedModel(id, 'INCOMPATIBLE'), verdict: 'COMPATIBLE' })) }),
      'contradicts itself at model "org/model-3": its verdict is COMPATIBLE, but what it holds makes it INCOMPATIBLE',
    ],
    [
      'whose levels were made better than their ratios',
      (report) => ({
        ...report,
        models: report.models.map((model) => ({
          ...model,
          numeric: { ...model.numeric, kernels: model.numeric?.kernels.map((kernel) => ({ ...kernel, accuracy_ratio: 812 })) },
        })),
      }),
      'its kernel "ort-attention" is pass, but it is 812 times the noise floor, which is above 2',
    ],
    ['of an attempt that is still to come', stampWith({ attempt: 2 }), 'says that it is of attempt 2, but this run is in attempt 1'],
    ['without a stamp', (report) => ({ ...report, shard: undefined }), 'not the report of a shard'],
    ['that breaks the schema', (report) => ({ ...report, gate: 'green' }), 'is not a report'],
    ['with a key of its own', (report) => ({ ...report, extra: 1 }), 'is not a report'],
    [
      'with a prototype',
      (report) => JSON.parse(JSON.stringify(report).replace('{', '{"__proto__":{"gate":"pass"},')) as unknown,
      'is not a report',
    ],
    ['that is a list', () => [1], 'is not a report'],
  ])('%s', async (_what, change, note) => {
    const plan = await planOf(TWELVE);
    const { report, notes } = await mergeFiles(parts(plan, { 2: partOf(plan, 2, { change }) }), { attempt: 1 });
    expect(verdictOf(report, plan.shards[1]?.models[0])).toBe('INCONCLUSIVE');
    expect(report.gate).toBe('fail');
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain(`"shard-2-1/report.json" `);
    expect(notes[0]).toContain(note);
    // Who reads the comment sees which artifact it is, not only who reads the log.
    const reasons = report.models.find(({ verdict }) => verdict === 'INCONCLUSIVE')?.reasons;
    expect(reasons?.[0]?.message).toContain(notes[0]);
    expect(report.models.filter(({ verdict }) => verdict === 'COMPATIBLE')).toHaveLength(9);
  });

  it.each([
    ['nothing', ''],
    ['text', 'gate: pass'],
    ['brackets without end', '['.repeat(1_000_000)],
    ['brackets that end', '['.repeat(200_000) + ']'.repeat(200_000)],
    ['half of a report', '{"schema_version": 1, "tool": {'],
    ['an infinite number', '{"schema_version": 1e999}'],
  ])('that holds %s', async (_what, text) => {
    const plan = await planOf(TWELVE);
    const { report, notes } = await mergeFiles(parts(plan, { 2: text }));
    expect(verdictOf(report, plan.shards[1]?.models[0])).toBe('INCONCLUSIVE');
    expect(notes).toHaveLength(1);
  });

  it('and neither counts when there are two different ones of one attempt', async () => {
    const plan = await planOf(TWELVE);
    const { report, notes } = await mergeFiles({
      ...parts(plan, { 2: partOf(plan, 2, { verdict: 'INCOMPATIBLE' }) }),
      'x/report.json': partOf(plan, 2),
    });
    expect(verdictOf(report, plan.shards[1]?.models[0])).toBe('INCONCLUSIVE');
    expect(notes).toEqual(['"shard-2-1/report.json" and "x/report.json" are two different reports of attempt 1: neither counts']);
    const { report: same } = await mergeFiles({ ...parts(plan), 'x/report.json': partOf(plan, 2) });
    expect(same.gate).toBe('pass');
  });

  it('that is a link, a folder, a pipe or larger than any report', async () => {
    const plan = await planOf(TWELVE);
    const folder = await folderOf({
      ...parts(plan, { 1: null, 2: null, 3: null }),
      'elsewhere.json': partOf(plan, 1),
      'shard-3-1/report.json': '',
    });
    await mkdir(join(folder, 'shard-1-1'), { recursive: true });
    await symlink(join(folder, 'elsewhere.json'), join(folder, 'shard-1-1/report.json'));
    await mkdir(join(folder, 'shard-2-1/report.json'), { recursive: true });
    await truncate(join(folder, 'shard-3-1/report.json'), 2 ** 33);
    await symlink('/', join(folder, 'root'));
    const { report, notes } = await mergeFolder(folder);
    expect(report.models.filter(({ verdict }) => verdict === 'INCONCLUSIVE')).toHaveLength(9);
    expect(notes).toEqual([expect.stringContaining('is a link'), expect.stringContaining('8589934592 bytes')]);
  });

  it('that lies where no artifact has it: too deep, or under a name that only another system takes for a path', async () => {
    const plan = await planOf(TWELVE);
    const part = partOf(plan, 2);
    const elsewhere = ['a/b/c/d/e/report.json', '..\\shard-2-1\\report.json', 'report.json.bak', 'C:report.json'];
    const { report, notes } = await mergeFiles({
      ...parts(plan, { 2: null }),
      ...Object.fromEntries(elsewhere.map((name) => [name, part])),
    });
    expect(verdictOf(report, plan.shards[1]?.models[0])).toBe('INCONCLUSIVE');
    expect(notes).toEqual([]);
  });

  it('and names with a newline or an escape in them stay in one line', async () => {
    const plan = await planOf(TWELVE);
    const { notes } = await mergeFiles({ ...parts(plan), 'a\n::error::b\u001b[31m/report.json': '{}' });
    expect(notes).toHaveLength(1);
    expect(notes[0]).not.toMatch(/[\n\u001b]/);
  });
});

describe('a shard that was cancelled', () => {
  const cancelled = (report: Report) => ({
    ...report,
    models: report.models.map((model, index) =>
      index === 0
        ? { ...judgedModel(model.id, 'INCONCLUSIVE'), reasons: [{ code: 'cancelled', message: 'The job was cancelled.' }] }
        : model,
    ),
  });

  it.each([[['INCOMPATIBLE']], [['INCONCLUSIVE']]] as const)('fails the merge under fail-on %j', async (failOn) => {
    const plan = await planOf(TWELVE, { 'fail-on': [...failOn] });
    const { report } = await mergeFiles(parts(plan, { 2: partOf(plan, 2, { change: cancelled }) }));
    expect(report.gate).toBe('fail');
    expect(report.models.filter((model) => isFailing(model, report)).map(({ id }) => id)).toEqual([plan.shards[1]?.models[0]]);
    expect((await mergeFiles(parts(plan))).report.gate).toBe('pass');
  });

  it('or left no report fails the merge though fail-on does not name INCONCLUSIVE, but for never', async () => {
    const plan = await planOf(TWELVE, { 'fail-on': 'INCOMPATIBLE' });
    const missing = parts(plan, { 2: null });
    expect((await mergeFiles(missing)).report.gate).toBe('fail');
    expect((await mergeFiles(missing, { fail_on: [] })).report.gate).toBe('pass');
  });

  it('gives way to its next attempt', async () => {
    const plan = await planOf(TWELVE, { 'fail-on': 'INCOMPATIBLE' });
    const files = { ...parts(plan, { 2: partOf(plan, 2, { change: cancelled }) }), 'again/report.json': partOf(plan, 2, { attempt: 2 }) };
    expect((await mergeFiles(files, { attempt: 2 })).report.gate).toBe('pass');
  });
});

describe('nothing can be joined', () => {
  it.each<[string, () => Promise<Record<string, string>>, RegExp]>([
    ['without a plan or a report', async () => ({ 'x/readme.txt': '' }), /no plan\.json and no report\.json arrived/],
    ['of parts without their plan', async () => ({ 'x/report.json': partOf(await planOf(TWELVE), 1) }), /no plan\.json arrived/],
    [
      'of two plans of one attempt',
      async () => ({ 'a/plan.json': JSON.stringify(await planOf(TWELVE)), 'b/plan.json': JSON.stringify(await planOf(['m'])) }),
      /two different plans/,
    ],
    [
      'of a plan of an attempt that is still to come',
      async () =>
        planFile({
          ...(await planOf(TWELVE)),
          attempt: 2,
          commit: 'b'.repeat(40),
          id: planId({ ...(await planOf(TWELVE)), commit: 'b'.repeat(40) }),
        }),
      /is of attempt 2, but this run is in attempt 1/,
    ],
    ['of a plan of another commit', async () => planFile(await planOf(TWELVE)), /is of commit a+, but this run is of b+/],
    ['of a plan that was changed', async () => planFile({ ...(await planOf(TWELVE)), fail_on: [] }), /its id does not fit its content/],
    ['of a plan that is no plan', async () => ({ 'x/plan.json': '{}' }), /is not a plan/],
  ])('%s', async (_what, files, message) => {
    const merging = files().then((made) => mergeFiles(made, { commit: 'b'.repeat(40), attempt: 1 }));
    await expect(merging).rejects.toThrow(message);
    await expect(merging).rejects.toBeInstanceOf(UsageError);
  });

  it('where no artifact was downloaded', async () => {
    await expect(readArrived(['fused-compat-parts'], '/nowhere')).rejects.toThrow(/"fused-compat-parts" is no folder/);
  });

  it('from a folder that holds far more than artifacts', async () => {
    const folder = await folderOf({});
    for (let start = 0; start < 20_001; start += 1000)
      await Promise.all(Array.from({ length: 1000 }, (_, index) => writeFile(join(folder, String(start + index)), '')));
    await expect(readArrived(['.'], folder)).rejects.toThrow(/more than 20000 files/);
  });
});

describe('one whole report', () => {
  it('is taken as it is, with the gate of the caller', async () => {
    const text = serializeReport(aReport([judgedModel('m', 'WARNING')]));
    expect((await mergeFiles({ 'fused-compat-report/report.json': text })).report).toEqual(JSON.parse(text));
    expect((await mergeFiles({ 'x/report.json': text }, { fail_on: ['WARNING'] })).report.gate).toBe('fail');
  });

  it('is not taken when its verdict was made better than its numbers', async () => {
    const text = JSON.stringify(aReport([{ ...judgedModel('m', 'INCOMPATIBLE'), verdict: 'COMPATIBLE' }]));
    await expect(mergeFiles({ 'x/report.json': text })).rejects.toThrow(
      /^"x\/report.json" contradicts itself at model "m": its verdict is COMPATIBLE/,
    );
  });

  it('cannot say itself that the gate passed', async () => {
    const text = JSON.stringify({ ...aReport([judgedModel('m', 'INCOMPATIBLE')]), gate: 'pass' });
    expect((await mergeFiles({ 'x/report.json': text })).report.gate).toBe('fail');
  });
});

describe('a merge', () => {
  const until = '2026-12-31';
  const clock = (day: string) => () => new Date(`${day}T12:00:00Z`);

  it('lets a known failure pass up to its day, and shows it', async () => {
    const plan = await planOf(TWELVE, { allow: [{ model: 'org/model-12', reason: 'issue 12', until }] });
    const failing = (report: Report) => ({
      ...report,
      models: report.models.map((model) => (model.id === 'org/model-12' ? judgedModel(model.id, 'INCOMPATIBLE') : model)),
    });
    const files = parts(plan, { 1: partOf(plan, 1, { change: failing }) });
    const { report } = await mergeFiles(files, { clock: clock(until) });
    expect(report.gate).toBe('pass');
    expect(report.models[11]?.allowed).toEqual({ reason: 'issue 12', until, kernels: null });
    expect(report.allow).toMatchObject([{ status: 'used' }]);
    expect((await mergeFiles(files, { clock: clock('2027-01-01') })).report).toMatchObject({
      gate: 'fail',
      allow: [{ status: 'expired' }],
    });
  });

  it('never lets a missing shard pass as a known failure', async () => {
    const plan = await planOf(TWELVE, { allow: TWELVE.map((model) => ({ model, reason: 'all of it', until })) });
    expect((await mergeFiles(parts(plan, { 1: null }), { clock: clock(until) })).report.gate).toBe('fail');
  });

  it('does not believe a part that says itself that its failure is allowed', async () => {
    const plan = await planOf(TWELVE);
    const change = (report: Report) => ({
      ...report,
      models: report.models.map((model) => ({
        ...model,
        verdict: 'INCOMPATIBLE',
        allowed: { reason: 'me', until: '9999-12-31', kernels: null },
      })),
    });
    const { report } = await mergeFiles(parts(plan, { 1: partOf(plan, 1, { change }) }));
    expect(report.gate).toBe('fail');
    expect(report.models.every(({ allowed }) => allowed === null)).toBe(true);
  });

  it('compares all models together with the base branch', async () => {
    const plan = await planOf(TWELVE);
    const baseline = aReport(
      [...TWELVE.slice(1), 'org/gone'].map((id) => aModel(id, id === 'org/model-2' ? 'INCOMPATIBLE' : 'COMPATIBLE')),
    );
    const { report } = await mergeFiles(parts(plan), { baseline });
    expect(report.models.slice(0, 3).map((model) => model.baseline?.change)).toEqual(['new', 'better', 'same']);
    expect(report.baseline).toMatchObject({ problem: null, missing_models: ['org/gone'] });
    expect((await mergeFiles(parts(plan), { baseline: 'the file is not there' })).report.baseline?.problem).toBe('the file is not there');
  });

  it('repeats no argument of a part that nobody could copy', async () => {
    const plan = await planOf(TWELVE);
    const all = (reproduce: string[]) =>
      Object.fromEntries(plan.shards.map(({ shard }) => [shard, partOf(plan, shard, { change: (report) => ({ ...report, reproduce }) })]));
    expect((await mergeFiles(parts(plan, all(['--dtype', 'float16'])))).report.reproduce).toEqual(['--dtype', 'float16']);
    const prompts = ['--prompts', JSON.stringify(['x'.repeat(5000)])];
    expect((await mergeFiles(parts(plan, all(prompts)))).report.reproduce).toEqual(prompts);
    expect((await mergeFiles(parts(plan, all(['--dtype', 'a\u202eb'])))).report.reproduce).toEqual([]);
  });
});

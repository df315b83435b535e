// How many models are judged at the same time. The Hub's listings are the measure: a model's first request, held until enough have come.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import { HASTY, withHub } from '../hub/made-hub.js';
import type { Fault } from '../support/hub-server.js';
import { REPOSITORY } from '../weights/made-files.js';

/** Long enough for every request that is going to come, shorter than the client's patience. */
const SETTLED_MS = 150;

/** Judges `models` models of a Hub that answers no listing before `expected` have been asked for. */
async function judged(models: number, expected: number, overrides: Record<string, unknown>) {
  return withHub(async ({ hub, env, home }) => {
    const folder = join(REPOSITORY, 'examples/models/qwen3-mini');
    const names = ['config.json', 'model.safetensors'];
    const files = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)));
    let held: (() => void)[] = [];
    let most = 0;
    let left = models;
    const release = () => {
      // The last that came is answered first, so that models end in another order than they were named in.
      for (const answer of held.reverse()) answer();
      held = [];
    };
    const hold: Fault['make'] = async ({ answer }) => {
      left--;
      await new Promise<void>((resolve) => {
        held.push(resolve);
        most = Math.max(most, held.length);
        if (held.length === expected || left === 0) setTimeout(release, SETTLED_MS);
      });
      await answer();
    };
    const ids = Array.from({ length: models }, (_, index) => `org/model-${index}`);
    for (const id of ids) hub.add(id, { files, faults: [{ at: 'api', times: 1, make: hold }] });
    const config = await loadConfig({ overrides: { models: ids, policy: 'static', ...overrides }, cwd: home });
    const report = await check(config, { env, patience: HASTY });
    expect(report.models.map(({ id }) => id)).toEqual(ids);
    expect(report.timing.models.map(({ id }) => id)).toEqual(ids);
    for (const model of report.models) expect(model).toMatchObject({ architecture: 'qwen3', verdict: 'INCOMPATIBLE' });
    return most;
  });
}

describe('models judged at the same time', () => {
  test.each([1, 2, 5])('are %i when jobs says so, and are reported in the order they were named', async (jobs) => {
    expect(await judged(5, jobs, { jobs })).toBe(jobs);
  });

  test('are 8 under policy static when nothing is said', async () => {
    expect(await judged(10, 8, {})).toBe(8);
  });

  test('are no more than there are models', async () => {
    expect(await judged(2, 2, { jobs: 64 })).toBe(2);
  });
});

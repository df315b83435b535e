// What a fault of the Hub comes to for a user: verdict, reason, exit code, files left, and the other models going on.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { run } from '../../src/cli/program.js';
import { check, reference } from '../../src/gate.js';
import type { Report } from '../../src/report/types.js';
import { HASTY, withHub, type Made } from '../hub/made-hub.js';
import { faults, type Changes, type Content, type Fault, type Repository } from '../support/hub-server.js';
import { safetensorsBytes, REPOSITORY } from '../weights/made-files.js';

const NAMES = ['config.json', 'model.safetensors'];
const contents = await Promise.all(NAMES.map((name) => readFile(join(REPOSITORY, 'examples/models/tinyllama-mini', name))));
const files: Record<string, Content> = Object.fromEntries(NAMES.map((name, index) => [name, new Uint8Array(contents[index] ?? [])]));

const changed =
  (changes: Changes): Fault['make'] =>
  ({ answer }) =>
    answer(changes);

interface Outcome {
  readonly exit: number;
  readonly report: Report;
  readonly stderr: string;
}

/** `inspect` of these models, as JSON. */
async function inspect({ env, home }: Made, ...args: string[]): Promise<Outcome> {
  let out = '';
  let stderr = '';
  const exit = await run(['inspect', ...args, '--format', 'json'], {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (stderr += text) },
    env,
    cwd: home,
    loadGate: () => Promise.resolve({ check: (config, options) => check(config, { ...options, env, patience: HASTY }), reference }),
  });
  return { exit, report: JSON.parse(out) as Report, stderr };
}

type Case = readonly [fault: string, repository: Partial<Repository>, code: string];
const weights = (make: Fault['make']): Partial<Repository> => ({ faults: [{ at: 'cdn', file: 'model.safetensors', make }] });
const CASES: readonly Case[] = [
  ['429 for ever (65)', { faults: [{ at: 'api', make: faults.status(429) }] }, 'hub_unreachable'],
  ['503 for ever (66)', weights(faults.status(503)), 'hub_unreachable'],
  ['a connection that is always reset (67)', weights(faults.reset), 'hub_unreachable'],
  ['a body that is always cut (70)', weights(faults.cut(() => 0)), 'hub_unreachable'],
  ['a range that is always another one (73)', weights(changed({ headers: { 'content-range': 'bytes 1-2/3' } })), 'integrity'],
  ['a compressed range (75)', weights(changed({ headers: { 'content-encoding': 'gzip' } })), 'integrity'],
  ['a web page (77)', weights(changed({ status: 200, headers: { 'content-type': 'text/html' } })), 'hub_unreachable'],
  [
    'a redirect to a file (78)',
    { faults: [{ at: 'resolve', make: changed({ status: 302, headers: { location: 'file:///etc/passwd' } }) }] },
    'refused_for_safety',
  ],
  ['a gated model (80)', { gated: true }, 'access_denied'],
  ['a private model (80)', { private: true }, 'model_not_found'],
  ['a model that was disabled (80)', { disabled: true }, 'access_denied'],
  [
    'a commit that changes (81)',
    { faults: [{ at: 'resolve', make: changed({ headers: { 'x-repo-commit': 'f'.repeat(40) } }) }] },
    'integrity',
  ],
  ['a file name that leads out (85)', { files: { ...files, '../../x.safetensors': 'x' } }, 'refused_for_safety'],
  [
    'a Git LFS pointer for weights (7)',
    { files: { ...files, 'model.safetensors': 'version https://git-lfs.github.com/spec/v1\n' } },
    'weights_invalid',
  ],
  ['two tensors on the same bytes (11)', { files: { ...files, 'model.safetensors': overlapping() } }, 'weights_invalid'],
  ['a config.json that is cut (42)', { files: { ...files, 'config.json': '{"model_type":' } }, 'config_invalid'],
  ['no weights (38)', { files: { 'config.json': files['config.json'] ?? '' } }, 'tensor_missing'],
];

function overlapping(): Uint8Array {
  const entry = '{"dtype":"U8","shape":[8],"data_offsets":[0,8]}';
  return safetensorsBytes(`{"a":${entry},"b":${entry}}`, 8);
}

describe('a model of the Hub with', () => {
  test.each(CASES)('%s is INCONCLUSIVE and fails the gate; the next model is judged, and nothing is left on disk', (_, repository, code) =>
    withHub(async (made) => {
      made.hub.add('org/bad', { files, ...repository });
      made.hub.add('org/good', { files });
      const { exit, report, stderr } = await inspect(made, 'org/bad', 'org/good');
      expect(report.models.map(({ id, verdict }) => [id, verdict])).toEqual([
        ['org/bad', 'INCONCLUSIVE'],
        ['org/good', 'COMPATIBLE'],
      ]);
      expect(report.models[0]).toMatchObject({ static: null, numeric: null, reasons: [{ code }] });
      expect(report.models[0]?.reasons[0]?.message).toMatch(/^[^\n]{20,}$/);
      expect([exit, report.gate]).toEqual([1, 'fail']);
      expect(stderr).not.toMatch(/\n\s+at /);
      const left = await readdir(made.home, { recursive: true });
      expect(left.filter((name) => /blobs.|snapshots.|\.part|\.lock/.test(name))).toEqual([]);
    }),
  );

  test('no fault passes', () =>
    withHub(async (made) => {
      made.hub.add('org/good', { files });
      const { exit, report } = await inspect(made, 'org/good');
      expect([exit, report.gate, report.models[0]?.verdict]).toEqual([0, 'pass', 'COMPATIBLE']);
    }));

  test('any fault is not asked for with --offline: no socket is opened (88)', () =>
    withHub(async (made) => {
      made.hub.add('org/bad', { files, faults: [{ at: 'api', make: faults.reset }] });
      const { exit, report } = await inspect(made, 'org/bad', '--offline');
      expect(exit).toBe(1);
      expect(report.models[0]).toMatchObject({ verdict: 'INCONCLUSIVE', reasons: [{ code: 'hub_unreachable' }] });
      expect(made.hub.sockets()).toBe(0);
    }));
});

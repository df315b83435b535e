// The program as it is shipped, ended by the user or the runner in the middle of its work.

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { ended, until } from '../support/waiting.js';
import { ROOT, run } from './bundled.js';

/** What /proc says of a process; nothing when it is gone. */
function proc(path: string): string {
  try {
    return readFileSync(join('/proc', path), 'utf8');
  } catch {
    return '';
  }
}

function childrenOf(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.flatMap((thread) => proc(`${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number));
}

describe('a check that is ended by a signal (91)', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('%s dies of it with nothing written and no process left, and can be run again', async (signal) => {
    const home = mkdtempSync(join(tmpdir(), 'signals-'));
    try {
      const [cli, model] = [resolve(ROOT, 'dist/cli.js'), resolve(ROOT, '__tests__/models/mistral-mini')] as const;
      const options = { cwd: home, env: { HOME: home, XDG_CACHE_HOME: join(home, 'cache') } };
      const child = spawn(process.execPath, [cli, 'check', model, '--output', 'report'], options);
      const pid = child.pid ?? 0;
      const end = ended(child);
      // In the middle: the library that computes is loaded, and nothing is printed yet.
      await until('the library', () => proc(`${pid}/maps`).includes('libonnxruntime') || child.exitCode !== null);
      const children = childrenOf(pid);
      child.kill(signal);
      // A shell shows 130 and 143.
      expect(await end).toEqual({ code: null, signal, stdout: '', stderr: '' });
      expect(readdirSync(home)).toEqual(['cache']);
      expect(children.filter((each) => /^State:\s+[^ZX]/m.test(proc(`${each}/status`)))).toEqual([]);
      const again = [cli, 'reference', model, '--input-ids', '1,2,3', '--output', 'out.safetensors'];
      expect(await run(process.execPath, again, options)).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('logits') });
      expect(readdirSync(home).sort()).toEqual(['cache', 'out.safetensors']);
    } finally {
      rmSync(home, { recursive: true });
    }
  });
});

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ptx-test-'));
  cpSync(join(ROOT, 'kernels/cuda/silu-mul'), folder, { recursive: true });
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** `check-ptx` with the PATH given: without nvcc it compares hashes only, which does not depend on the machine. */
function check(path: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts/ptx.mjs'), '--check', folder], {
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
  });
  return { status, stdout, stderr };
}

function change(name: string, edit: (text: string) => string): void {
  const file = join(folder, name);
  const before = readFileSync(file, 'utf8');
  const after = edit(before);
  expect(after).not.toBe(before);
  writeFileSync(file, after);
}

describe('check-ptx', () => {
  it('passes PTX made from its source, and says that without nvcc only the hashes were compared', () => {
    const { status, stdout } = check('/nowhere');
    expect(stdout).toBe(
      '0 .ptx compiled again and equal to the last byte, 1 only compared by the hash of their source (no nvcc on the PATH), 0 wrong\n',
    );
    expect(status).toBe(0);
  });

  it('fails when the source was changed after the PTX was made', () => {
    change('silu-mul.cu', (text) => text.replace('1.0f + expf', '1.001f + expf'));
    const { status, stderr } = check('/nowhere');
    expect(stderr).toContain('silu-mul.ptx was made from another silu-mul.cu; run npm run ptx');
    expect(status).toBe(1);
  });

  it('fails when a PTX is missing, or does not say what made it', () => {
    change('silu-mul.ptx', (text) => text.split('\n').slice(3).join('\n'));
    expect(check('/nowhere')).toMatchObject({ status: 1, stderr: expect.stringContaining('does not say what made it') });
    rmSync(join(folder, 'silu-mul.ptx'));
    expect(check('/nowhere')).toMatchObject({ status: 1, stderr: expect.stringContaining('is missing') });
  });

  it('compiles again where the nvcc that made it is there, and then also sees an edited PTX', () => {
    const path = process.env['PATH'] ?? '';
    const made = /^\/\/ nvcc (\S+)/m.exec(readFileSync(join(folder, 'silu-mul.ptx'), 'utf8'))?.[1] ?? '';
    const here = spawnSync('nvcc', ['--version'], { encoding: 'utf8' }).stdout?.includes(`V${made}`) ?? false;
    expect(check(path).stdout).toContain(here ? '1 .ptx compiled again' : '1 only compared by the hash');
    change('silu-mul.ptx', (text) => text.replace('add.f32', 'sub.f32'));
    expect(check(path).status).toBe(here ? 1 : 0);
  });

  it('fails for a folder without sources', () => {
    rmSync(join(folder, 'silu-mul.cu'));
    expect(check('/nowhere')).toMatchObject({ status: 1, stderr: expect.stringContaining('no .cu below') });
  });
});

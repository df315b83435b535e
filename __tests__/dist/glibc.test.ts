// Which C library the native parts of dist/ need: a self-hosted runner may be old.

import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { ROOT } from './bundled.js';

/** What the Node 24 of GitHub's runner needs itself, so that a runner which starts the Action at all has it. */
const OF_THE_RUNNER = [2, 28];

const folder = join(ROOT, 'dist/native/linux-x64');
const packed = readdirSync(folder).filter((name) => name.endsWith('.br'));

describe('the native parts of dist/', () => {
  test.each(packed)('%s needs no newer C library than the Node that the runner brings', (name) => {
    const binary = brotliDecompressSync(readFileSync(join(folder, name))).toString('latin1');
    const versions = [...binary.matchAll(/\bGLIBC_(\d+)\.(\d+)/g)].map(([, major, minor]) => [Number(major), Number(minor)] as const);
    expect(versions.length).toBeGreaterThan(0);
    const [most = 0, least = 0] = OF_THE_RUNNER;
    expect(versions.filter(([major, minor]) => major > most || (major === most && minor > least))).toEqual([]);
  });
});

// Doubles of src/host.ts: real child processes that speak with src/kernels/hosted.ts and misbehave by the name of their kernel.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * Implements `silu_mul` in two variants, rounded to bfloat16. What it does else is in the kernel's name: `fused-off` and `standard-off` give 1.1 times
 * the result in that variant, `both-off` in both; `one-variant` has no standard, `standard-crash` dies in it, `standard-fault` reports that
 * it wrote outside of its output. The others do what they are called, at every call, or in the first process (`-once`) or the first two (`-twice`).
 */
const SCRIPT = String.raw`
import { appendFileSync, readFileSync, existsSync } from 'node:fs';
const log = new URL('./pids.txt', import.meta.url);
const earlier = existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0;
appendFileSync(log, process.pid + '\n');
let name = '';
const f = new Float32Array(1), u = new Uint32Array(f.buffer);
const bfloat16 = (x) => ((f[0] = x), (u[0] = (u[0] + 0x7fff + ((u[0] >>> 16) & 1)) & 0xffff0000), f[0]);
function siluMul({ inputs: { gate, up }, variant, repeat }) {
  const off = name === 'both-off' || name === variant + '-off' ? 1.1 : 1;
  const data = gate.data.map((g, i) => bfloat16((g / (1 + Math.exp(-g))) * up.data[i] * off));
  const violations =
    name === variant + '-fault' ? [{ check: 'guard_bands', detail: 'wrote 4 bytes after output y' }] : [];
  const time_us = repeat > 1 && name !== 'no-clock' ? (variant === 'fused' ? 10 : 25) : null;
  return { outputs: { y: { data, shape: gate.shape } }, time_us, violations };
}
const say = (message) => process.send(message);
process.on('message', (question) => {
  const { id } = question;
  const here = (what) => name === what || (name === what + '-once' && earlier < 1) || (name === what + '-twice' && earlier < 2);
  if (question.kind === 'start') {
    name = question.kernel.name;
    if (here('crash-at-start')) { console.error('no such driver'); process.exit(7); }
    if (here('hang-at-start')) return;
    if (here('nonsense-at-start')) return say({ id, kind: 'answer', answer: { outputs: {}, time_us: null, violations: [] } });
    if (here('refuse')) return say({ id, kind: 'failed', message: 'no such device here', usable: true });
    const variants = name === 'one-variant' ? ['fused'] : ['fused', 'standard'];
    return say({ id, kind: 'started', device: { device: 'a double', gpu: name === 'on-gpu', variants } });
  }
  const { call } = question;
  if (here('crash') || name === call.variant + '-crash' || (here('crash-when-timed') && call.repeat > 1)) {
    console.error('illegal address\nat block 3');
    process.kill(process.pid, 'SIGSEGV');
    return;
  }
  if (here('hang')) return;
  const answer = siluMul(call);
  if (here('null')) return say(null);
  if (here('text')) return say('ready');
  if (here('no-outputs')) return say({ id, kind: 'answer', answer: { time_us: null, violations: [] } });
  if (here('short')) return say({ id, kind: 'answer', answer: { ...answer, outputs: { y: { data: new Float32Array(3), shape: [1, 3] } } } });
  if (here('lying-shape')) return say({ id, kind: 'answer', answer: { ...answer, outputs: { y: { data: new Float32Array(3), shape: [9, 9] } } } });
  if (here('other-id')) return say({ id: id + 40, kind: 'answer', answer });
  say({ id, kind: 'answer', answer });
  if (here('twice')) say({ id, kind: 'answer', answer });
});
process.on('disconnect', () => { if (name === 'stay') setInterval(() => {}, 1000); else process.exit(0); });
`;

export interface HostDouble {
  readonly url: URL;
  /** Process ids of all that were started, in order. */
  pids(): number[];
  /** Whether none of them runs any more. */
  gone(): boolean;
}

/** Writes the script into a folder of its own. */
export function hostDouble(folder: string): HostDouble {
  const log = join(folder, 'pids.txt');
  // None where it was ended before it said so.
  const pids = () => (existsSync(log) ? readFileSync(log, 'utf8') : '').split('\n').flatMap((line) => (line === '' ? [] : [Number(line)]));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'host.mjs'), SCRIPT);
  return {
    url: pathToFileURL(join(folder, 'host.mjs')),
    pids,
    gone: () => pids().every((pid) => !existsSync(`/proc/${pid}`)),
  };
}

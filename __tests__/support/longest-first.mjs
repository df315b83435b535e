// The order of the test files: those that take longest first, so that no core is left with one of them at the end while the other has nothing to
// do. jest itself goes by what it measured in the last run, of which a fresh machine knows nothing.

import Sequencer from '@jest/test-sequencer';

/** Those of more than ten seconds of processor time: below that the order matters no more. */
const LONGEST = [
  'gate/both-sides',
  'github/shards',
  'diff/causes',
  'gate/bad-models',
  'github/actions-cache',
  'github/action',
  'kernels/command-gate',
  'diff/probes',
  'github/fork',
  'gate/bad-input',
  'dist/clean-clone',
  'kernels/detection',
  'kernels/python-helper',
  'gate/kept',
  'reference/walk',
  'kernels/cuda/backend',
  'hub/arriving',
  'hub/download',
  'kernels/hosted',
  'diff/whole-parts',
  'gate/responsible',
  'weights/fuzz',
  'kernels/command',
  'kernels/detection-runs',
  'kernels/onnxruntime',
  'diff/generation',
  'github/api-faults',
  'dist/runtime',
  'hub/model',
  'github/network',
  'kernels/generate',
  'reference/golden',
];

export default class LongestFirst extends Sequencer {
  sort(tests) {
    const place = ({ path }) => {
      const at = LONGEST.findIndex((name) => path.endsWith(`/__tests__/${name}.test.ts`));
      return at < 0 ? LONGEST.length : at;
    };
    // Stable: the others stay in jest's own order.
    return [...super.sort(tests)].sort((a, b) => place(a) - place(b));
  }
}

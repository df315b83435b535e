// Which parts of the bundle each mode evaluates: every file that Node loads is written down, in worker threads too, and esbuild says in each
// which sources it holds. What decides nothing in a mode should not cost its start.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, NODE_24, ROOT, run } from './bundled.js';

const MODEL = join(ROOT, 'examples/models/tinyllama-mini');
/** Written before a file is evaluated. */
const HOOK = `
import { registerHooks } from 'node:module';
import { appendFileSync } from 'node:fs';
registerHooks({
  load(url, context, next) {
    if (url.startsWith('file:')) appendFileSync(process.env.LOADED, url + '\\n');
    return next(url, context);
  },
});`;
const NATIVE = /^node_modules\/(?:onnxruntime-|koffi|@koromix)/;
const TOKENIZERS = /^node_modules\/@(?:huggingface\/tokenizers|agnai)|^src\/tokenizer\/tokenizer/;
const CLIENTS = /^node_modules\/(?:@octokit|@actions\/(?:github|cache)|@azure)/;
const JUDGING = /^src\/(?:diff\/(?:numeric-diff|canaries|probes)|kernels\/(?:onnxruntime|cuda\/)|reference\/(?:graphs|forward))/;
const GATE = /^src\/(?:gate|checker|architectures|diff|reference)\b/;
const FORMATS = /^src\/weights\/(?:checkpoint|safetensors|torch|gguf|onnx|values)/;
/** src/hub/ without its words and names, which say things elsewhere too. */
const MODELS = /^src\/(?:weights|hub\/(?!lanes|names|progress))/;

let home: string;
let runs = 0;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'loaded-'));
  build('--outdir', join(home, 'dist'));
  writeFileSync(join(home, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(home, 'hook.mjs'), HOOK);
});
afterAll(() => {
  rmSync(home, { recursive: true });
});

/** The sources that a run of a program evaluated. */
async function sourcesOf(program: string, args: string[], inputs: Record<string, string> = {}): Promise<string[]> {
  runs += 1;
  const [loaded, output, summary] = ['loaded', 'output', 'summary'].map((name) => join(home, `${name}-${runs}`)) as [string, string, string];
  for (const file of [loaded, output, summary]) writeFileSync(file, '');
  const runner = {
    GITHUB_ACTIONS: 'true',
    GITHUB_OUTPUT: output,
    GITHUB_STEP_SUMMARY: summary,
    GITHUB_WORKSPACE: home,
    GITHUB_REPOSITORY: 'owner/name',
    GITHUB_SHA: 'a'.repeat(40),
    GITHUB_RUN_ID: '1',
    GITHUB_RUN_ATTEMPT: '1',
    RUNNER_TEMP: home,
  };
  const env = { ...runner, ...inputs, HOME: home, XDG_CACHE_HOME: join(home, 'cache'), LOADED: loaded };
  await run(NODE_24, ['--import', join(home, 'hook.mjs'), join(home, 'dist', program), ...args], { cwd: home, env });
  const files = [...new Set(readFileSync(loaded, 'utf8').trim().split('\n'))].map((url) => fileURLToPath(url));
  const bundled = files.filter((file) => file.startsWith(join(home, 'dist')) && file.endsWith('.js'));
  return bundled.flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/^ *\/\/ ((?:node_modules|src)\/.*)$/gm)].map(([, path = '']) => path));
}

describe('the Action evaluates only what its mode needs:', () => {
  test.each<[string, Record<string, string>, string, RegExp[]]>([
    [
      'a wrong configuration neither reads models nor judges',
      { INPUT_POLICY: 'sometimes', INPUT_MODELS: MODEL },
      'src/config/validate.ts',
      [NATIVE, TOKENIZERS, CLIENTS, JUDGING, GATE, MODELS, /^src\/(?:shards|kernels)\b/],
    ],
    [
      'the static check has no kernel, no native library and no tokenizer',
      { INPUT_POLICY: 'static', INPUT_MODELS: MODEL },
      'src/checker/static-check.ts',
      [NATIVE, TOKENIZERS, CLIENTS, JUDGING, /^node_modules\/onnx-proto|^src\/shards\b/],
    ],
    [
      'mode plan asks for sizes, reads no weights and judges nothing',
      { INPUT_MODE: 'plan', INPUT_MODELS: MODEL },
      'src/shards/plan-run.ts',
      [NATIVE, TOKENIZERS, CLIENTS, JUDGING, GATE, FORMATS, /^node_modules\/onnx-proto|^src\/(?:verdict\/verdict|shards\/merge)/],
    ],
    [
      'mode merge reads reports, opens no model and judges nothing',
      { INPUT_MODE: 'merge' },
      'src/shards/merge.ts',
      [NATIVE, TOKENIZERS, CLIENTS, JUDGING, GATE, MODELS, /^node_modules\/onnx-proto|^src\/(?:kernels|shards\/(?:plan-run|sizes))\b/],
    ],
  ])('%s', async (_, inputs, needed, unneeded) => {
    const sources = await sourcesOf('action.js', [], inputs);
    expect(sources).toContain(needed);
    for (const pattern of unneeded) expect(sources.filter((path) => pattern.test(path))).toEqual([]);
  });

  test('what is said to be left out would be seen where it is needed', async () => {
    const sources = await sourcesOf('cli.js', ['reference', MODEL, '--prompt', 'Hello', '--output', join(home, 'out.safetensors')]);
    for (const pattern of [/^node_modules\/onnxruntime-node/, TOKENIZERS, JUDGING, GATE, FORMATS, MODELS, /^node_modules\/onnx-proto/, /^src\/worker\.ts/])
      expect(sources.some((path) => pattern.test(path))).toBe(true);
    expect(sources.filter((path) => CLIENTS.test(path))).toEqual([]);
  });
});

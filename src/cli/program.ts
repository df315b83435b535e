// The words of the command line: commands, options, help, and exit codes for what cannot be parsed. What commands do is commands.ts's business.

import { Command, CommanderError, Option } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { ModelError, UsageError } from '../errors.js';
import { plain } from '../report/escape.js';
import { check, inspect, kernels, merge, plan, reference, reportError } from './commands.js';
import type { CheckOptions, Edges, InspectOptions, KernelsOptions, MergeOptions, PlanOptions, ReferenceOptions } from './commands.js';

const EXIT_CODES = `
Exit codes: 0 the gate passed, 1 the gate failed, 2 wrong usage or configuration, 3 the run itself failed.`;

const MODEL =
  'a folder, org/name[@revision] or org/name/file.gguf[@revision] on the Hugging Face Hub, or a .gguf, .onnx, .safetensors or .bin file';

const EXAMPLES = `
Examples:
  fused-compat check models/qwen3-mini models/tinyllama-mini
  fused-compat check --config fused-compat.yml --policy strict
  fused-compat inspect models/qwen3-mini Qwen/Qwen3-0.6B model.gguf
  fused-compat reference models/qwen3-mini --prompt "In the beginning" --output out.safetensors
${EXIT_CODES}`;

/**
 * Runs the program on `args` (without node and script).
 * @returns the exit code; bad input never throws
 */
export async function run(args: string[], edges: Edges): Promise<number> {
  let code = 0;
  const program = build(edges, (result) => {
    code = result;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return failed(error, edges);
  }
}

function failed(error: unknown, edges: Edges): number {
  if (error instanceof UsageError) {
    reportError(error, edges);
    return 2;
  }
  if (error instanceof ModelError) {
    reportError(error, edges);
    return 3;
  }
  const hint = edges.env['FUSED_COMPAT_DEBUG'] === '1' ? '' : ' (a defect of fused-compat; FUSED_COMPAT_DEBUG=1 shows where)';
  const message = error instanceof Error ? error.message : String(error);
  edges.stderr.write(`error: internal error: ${plain(message)}${hint}\n`);
  if (hint === '' && error instanceof Error) edges.stderr.write(`${error.stack ?? ''}\n`);
  return 3;
}

function build(edges: Edges, done: (code: number) => void): Command {
  const program = new Command('fused-compat')
    .description('Tells whether fused LLM kernels still give the right answers on the models you care about.')
    .version(manifest.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => edges.stdout.write(text),
      // Commander repeats what the user typed.
      writeErr: (text) =>
        edges.stderr.write(
          text
            .split('\n')
            .map((line) => plain(line, 2000))
            .join('\n'),
        ),
      getOutHelpWidth: () => helpWidth(edges.stdout.columns),
      getErrHelpWidth: () => helpWidth(edges.stderr.columns),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showHelpAfterError('(--help shows commands and options)')
    .addHelpText('after', EXAMPLES);
  addCheck(program, edges, done);
  addInspect(program, edges, done);
  addReference(program, edges, done);
  addPlan(program, edges, done);
  addMerge(program, edges, done);
  addKernels(program, edges, done);
  return program;
}

function addCheck(program: Command, edges: Edges, done: (code: number) => void): void {
  const command = program
    .command('check')
    .summary('judge kernels on models (the main job)')
    .description('Runs the static check and the numeric diff on every model, prints a table of verdicts, and exits by the gate.');
  addJudging(command)
    .option('--output <dir>', 'folder for report.json and report.md (default: fused-compat-report)')
    .addOption(formatOption())
    .option('--jobs <number>', 'models judged at the same time (default: 8 under policy static, else one per processor, up to 4)')
    .option('--baseline <file>', 'report.json of the base branch to compare with; it never changes the gate')
    .option(
      '--reference-cache <dir>',
      'folder in which results of the reference are kept between runs, or none; auto: fused-compat/reference in your cache folder',
      'auto',
    )
    .option('--quiet', 'no progress, and only the line of the gate')
    .option('--shard <k/n>', 'judge shard K of the N of a plan; exits with 0 when its report was written: merge has the gate')
    .option('--plan <file>', 'plan of --shard (default: fused-compat-report/plan.json)')
    .addHelpText('after', EXIT_CODES)
    .action(async (models: string[], options: CheckOptions) => {
      done(await check(models, options, edges));
    });
}

/** What decides a verdict: the same for `check`, and for `plan`, whose shards are checked with it. */
function addJudging(command: Command): Command {
  return command
    .argument('[MODEL...]', `${MODEL}; default: the models of the configuration file`)
    .option('--config <file>', 'configuration file (default: fused-compat.yml in the working directory, if there is one)')
    .option('--kernels <path>', 'folder of kernel manifests (default: the fused kernels that ONNX Runtime ships)')
    .option('--policy <policy>', 'evidence, strict or static (default: evidence)')
    .option(
      '--fail-on <verdicts>',
      'verdicts that fail the gate, separated by commas, or never (default: INCOMPATIBLE,IMPLEMENTATION_ISSUE,INCONCLUSIVE)',
    )
    .option('--dtype <dtype>', "serving dtype: auto, bfloat16, float16 or float32 (default: auto, the checkpoint's)")
    .option('--execution-provider <name>', 'cpu, webgpu, cuda or auto (default: auto)')
    .option('--require-gpu', 'a model that cannot run on a GPU is INCONCLUSIVE')
    .option(
      '--prompts <prompts>',
      '.txt file with one prompt per line, .json list, or such a list itself: \'["Hello"]\' (default: a built-in set)',
    )
    .option('--layers <layers>', 'layers to compare call by call, such as 0,5,10-12 (default: all)')
    .option('--offline', 'never use the network');
}

function addPlan(program: Command, edges: Edges, done: (code: number) => void): void {
  const command = program
    .command('plan')
    .summary('split the models over the jobs of a matrix')
    .description(
      'Prints the matrix of a GitHub workflow as JSON, balanced by the size of the models, and writes plan.json. Reads no weights. Options that decide a verdict are those of check: its shards take the same.',
    );
  addJudging(command)
    .option('--shards <number>', 'most jobs (default: 4)')
    .option('--runs-on <labels>', 'runner of the jobs: a label, or several separated by commas (default: ubuntu-latest)')
    .option('--output <dir>', 'folder for plan.json (default: fused-compat-report)')
    .action(async (models: string[], options: PlanOptions) => {
      done(await plan(models, options, edges));
    });
}

function addMerge(program: Command, edges: Edges, done: (code: number) => void): void {
  program
    .command('merge')
    .summary('join the reports of shards into one')
    .description(
      'Joins plan.json and every report.json below the folders into one report, and exits by the gate. Models whose shard left no report are INCONCLUSIVE.',
    )
    .argument('<FOLDER...>', 'folders that hold the plan and the reports, at any depth up to 4')
    .option('--fail-on <verdicts>', "verdicts that fail the gate, separated by commas, or never (default: the plan's)")
    .option('--baseline <file>', 'report.json of the base branch to compare with; it never changes the gate')
    .option('--output <dir>', 'folder for report.json and report.md', 'fused-compat-report')
    .addOption(formatOption())
    .option('--quiet', 'only the line of the gate')
    .addHelpText('after', EXIT_CODES)
    .action(async (folders: string[], options: MergeOptions) => {
      done(await merge(folders, options, edges));
    });
}

function addInspect(program: Command, edges: Edges, done: (code: number) => void): void {
  program
    .command('inspect')
    .summary('static check only: what the weights alone say')
    .description(
      'Reads the norm weights of every model and tells how sensitive they make it. Runs no kernel and writes no file unless --output is given.',
    )
    .argument('[MODEL...]', `${MODEL}; default: the models of the configuration file`)
    .option('--config <file>', 'configuration file (default: fused-compat.yml in the working directory, if there is one)')
    .option('--fail-on <verdicts>', 'verdicts that fail the gate, separated by commas, or never')
    .option('--output <dir>', 'folder for report.json and report.md (default: none is written)')
    .addOption(formatOption())
    .option('--jobs <number>', 'models judged at the same time (default: 8)')
    .option('--baseline <file>', 'report.json of the base branch to compare with; it never changes the gate')
    .option('--offline', 'never use the network')
    .option('--quiet', 'no progress, and only the line of the gate')
    .addHelpText('after', EXIT_CODES)
    .action(async (models: string[], options: InspectOptions) => {
      done(await inspect(models, options, edges));
    });
}

function addReference(program: Command, edges: Edges, done: (code: number) => void): void {
  program
    .command('reference')
    .summary('write logits and hidden states of the trusted forward pass')
    .description(
      'Writes `logits` [tokens, vocab] and `hidden` [layers + 1, tokens, hidden] as safetensors: the embeddings, then the output of each layer, the last one after the final norm.',
    )
    .argument('<MODEL>', 'a folder, org/name[@revision] on the Hugging Face Hub, or a .safetensors or .bin file')
    .option('--prompt <text>', "text for the model's tokenizer")
    .option('--input-ids <ids>', 'token ids, separated by commas')
    .addOption(
      new Option('--recipe <recipe>', 'oracle: float64, never rounded; eager: rounded as PyTorch eager does')
        .choices(['oracle', 'eager'])
        .default('oracle'),
    )
    .addOption(
      new Option('--dtype <dtype>', "serving dtype of eager; auto: the checkpoint's")
        .choices(['auto', 'bfloat16', 'float16', 'float32'])
        .default('auto'),
    )
    .option('--output <file>', 'file to write', 'reference.safetensors')
    .option('--offline', 'never use the network')
    .action(async (model: string, options: ReferenceOptions) => {
      done(await reference(model, options, edges));
    });
}

function addKernels(program: Command, edges: Edges, done: (code: number) => void): void {
  program
    .command('kernels')
    .summary('list kernels and validate their manifests')
    .description('Reads every kernel.json below a folder, says what is wrong with it, and lists the kernels. Runs none of them.')
    .argument('[PATH]', 'folder of kernel manifests (default: the fused kernels that ONNX Runtime ships)')
    .addOption(new Option('--format <format>', 'what is printed').choices(['table', 'json']).default('table'))
    .action(async (path: string | undefined, options: KernelsOptions) => {
      done(await kernels(path, options, edges));
    });
}

function formatOption(): Option {
  return new Option('--format <format>', 'what is printed').choices(['table', 'json', 'markdown']).default('table');
}

function helpWidth(columns: number | undefined): number {
  return Math.min(columns ?? 100, 120);
}

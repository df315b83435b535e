// The Action's door: inputs in, gate, then files, outputs and GitHub out. It knows the order; what each step does lives in the folders.

import { once } from 'node:events';
import { resolve } from 'node:path';
import * as core from '@actions/core';
import { loadFailOn } from './config/load.js';
import type { Config } from './config/types.js';
import { UsageError } from './errors.js';
import { actionsCache } from './github/actions-cache.js';
import { annotate, MAX_ANNOTATIONS } from './github/annotations.js';
import { cancellation } from './github/cancel.js';
import { attemptOf, eventOfReports } from './github/event.js';
import type { Posting } from './github/inputs.js';
import {
  nameInput,
  readCache,
  readReferenceCache,
  readConfigInputs,
  readHubToken,
  readMergeInputs,
  readMode,
  readPosting,
  readShard,
  readStatusContext,
} from './github/inputs.js';
import { createLog, plainLine } from './github/log.js';
import { loadGuarded } from './github/outsider.js';
import type { Outputs } from './github/outputs.js';
import { NO_REPORT, outputsOf, outputsOfPlan } from './github/outputs.js';
import type { Desk } from './github/publish.js';
import { openDesk, postComment, postStatus } from './github/publish.js';
import type { Redact } from './github/redact.js';
import { redactData, redactor } from './github/redact.js';
import { statusOfFailure, statusOfReport } from './github/status.js';
import { writeSummary } from './github/summary.js';
import { gateLine } from './report/rows.js';
import { renderTerminal } from './report/terminal.js';
import type { Report } from './report/types.js';
import { writeReport } from './report/write.js';
import { wasCancelled } from './report/judged.js';
import type { Moment } from './shards/plan.js';

/** Names of environment variables that hold secrets a job has anyway. */
const SECRETS = ['HF_TOKEN', 'ACTIONS_RUNTIME_TOKEN', 'ACTIONS_ID_TOKEN_REQUEST_TOKEN'];

/** Files of artifacts that are a warning of the run each; the others stand in the log only. */
const REFUSED_SHOWN = 3;

function setOutputs(outputs: Outputs): void {
  for (const [name, value] of Object.entries(outputs)) core.setOutput(name, value);
}

function reasonOf(error: unknown): string {
  if (error instanceof UsageError) return error.message;
  return `the run itself failed: ${error instanceof Error ? error.message : String(error)}`;
}

async function main(): Promise<void> {
  const cancelled = cancellation();
  const token = core.getInput('github-token');
  const hfToken = readHubToken(core.getInput);
  const secrets = [token, hfToken, ...SECRETS.map((name) => process.env[name] ?? '')].filter((secret) => secret !== '');
  for (const secret of secrets) core.setSecret(secret);
  const redact = redactor(secrets);
  const log = createLog(core, redact);
  // First of all, so that they are there even if the runner has to kill this process.
  setOutputs(NO_REPORT);
  const desk = await openDesk(process.env, token, log, redact);
  const run: Run = { desk, redact, secrets, cancelled, env: hfToken === '' ? process.env : { ...process.env, HF_TOKEN: hfToken } };
  // Where the status goes is read first, so that it can say what is wrong with all the rest.
  let statusContext: string | null = null;
  try {
    statusContext = readStatusContext(core.getInput);
    const mode = readMode(core.getInput);
    const shard = readShard(core.getInput, mode);
    // Of a matrix the merge has the one status.
    if (mode === 'plan' || mode === 'shard') statusContext = null;
    if (mode === 'plan') await plan(run);
    else if (mode === 'shard') await judgeShard(shard, run);
    else await (mode === 'merge' ? merge : check)(readPosting(core.getInput), run);
  } catch (error) {
    const reason = redact(reasonOf(error));
    await postStatus(statusOfFailure(reason), { statusContext }, desk);
    core.setFailed(reason.split('\n').map(plainLine).join('\n'));
    if (!(error instanceof UsageError) && error instanceof Error) core.debug(redact(error.stack ?? ''));
  }
}

interface Run {
  /** Aborted when the runner cancels the job. */
  readonly cancelled: AbortSignal;
  readonly desk: Desk;
  readonly redact: Redact;
  /** What the runner masks, as far as it is known here. */
  readonly secrets: readonly string[];
  /** The process's, with the token of the inputs. */
  readonly env: NodeJS.ProcessEnv;
}

function configOfInputs({ desk }: Run): Promise<Config> {
  return loadGuarded({ ...readConfigInputs(core.getInput), cwd: process.cwd(), nameOverride: nameInput }, desk);
}

/** Judges the models of `config`. The engine is loaded only now: a mistake in the configuration waits for none. */
async function judge(config: Config, { desk, redact, env, cancelled }: Run): Promise<{ report: Report; saveCache: () => Promise<void> }> {
  const { log } = desk;
  const cache = readCache(core.getInput, process.env) ? actionsCache({ env: process.env, log: log.info }) : null;
  const gate = await import('./gate.js');
  const reference_cache = readReferenceCache(core.getInput, process.env, process.cwd(), desk.event?.pullRequest?.fork ?? false);
  const own = { env, signal: cancelled, reference_cache, ...(cache === null ? {} : { shared: cache }) };
  const edges = { log: (line: string) => log.info(line), ...own };
  const report = redactData(await gate.check(config, edges), redact);
  const saveCache = async (): Promise<void> => {
    if (cache !== null && !cancelled.aborted) await Promise.race([cache.saveAll(), once(cancelled, 'abort')]);
  };
  return { report, saveCache };
}

async function check(posting: Posting, run: Run): Promise<void> {
  const config = await configOfInputs(run);
  const { report, saveCache } = await judge(config, run);
  await publish(report, config.output, posting, run);
  // After the verdict, which nobody should wait for, and least of all a job that is cancelled.
  await saveCache();
}

/** Mode plan: the matrix as an output, plan.json as a file that the workflow keeps. */
async function plan(run: Run): Promise<void> {
  const { desk, env } = run;
  const { planRun, writePlan } = await import('./shards/plan-run.js');
  const config = await configOfInputs(run);
  const { plan: made, matrix, notes } = await planRun(config, momentOf(desk), env, desk.log.info);
  for (const note of notes) desk.log.warning(note);
  refuseMasked(matrix, config, run);
  const file = await writePlan(made, config.output);
  setOutputs(outputsOfPlan(matrix, file));
  for (const { name, models } of made.shards) desk.log.info(`shard ${name}: ${models.join(', ')}`);
}

/**
 * The runner drops an output with a secret in it, and no job of the matrix would run (actions/runner, "Skip output"). It masks what it was
 * told to, however short, so this is stricter than what is redacted.
 */
function refuseMasked(matrix: string, { models, runs_on, runners }: Config, { redact, secrets }: Run): void {
  const isMasked = (text: string): boolean =>
    redact(text) !== text || secrets.some((secret) => text.includes(secret) || text.includes(JSON.stringify(secret).slice(1, -1)));
  if (!isMasked(matrix)) return;
  const named = models.flatMap(({ id }, index) => (isMasked(id) ? [`models[${index}]`] : []));
  const labels = isMasked(JSON.stringify([runs_on, runners])) ? ['runs-on'] : [];
  throw new UsageError(
    `${[...named, ...labels].slice(0, 10).join(', ') || 'models'}: the matrix holds a secret of this job, or what looks like a token. ` +
      'GitHub would drop the whole output and run no job: write that entry otherwise, or keep the secret out of this job',
  );
}

/** Mode shard: a report and nothing else. Its verdicts are the merge's to judge, so they do not fail this job. */
async function judgeShard(entryText: string, run: Run): Promise<void> {
  const { entryFromMatrix, shardConfig, stamped, stampOf } = await import('./shards/shard.js');
  const entry = entryFromMatrix(entryText, 'input shard');
  const config = shardConfig(await configOfInputs(run), entry, process.cwd());
  const { report: bare, saveCache } = await judge(config, run);
  const report = stamped(bare, stampOf(entry, momentOf(run.desk)));
  const files = await writeReport(report, config.output);
  setOutputs(outputsOf(report, files));
  run.desk.log.block(renderTerminal(report, { color: false }));
  if (run.cancelled.aborted && wasCancelled(report.models)) core.setFailed('cancelled: not all models of this shard were judged');
  await saveCache();
}

/** Mode merge: one report, one comment, one status of whatever arrived. */
async function merge(posting: Posting, run: Run): Promise<void> {
  const { desk, redact } = run;
  if (desk.event !== null) desk.event = eventOfReports(desk.event);
  const [{ readArrived }, { merge: join }, { readBaseline }] = await Promise.all([
    import('./shards/arrived.js'),
    import('./shards/merge.js'),
    import('./report/baseline.js'),
  ]);
  const { parts, failOn, baseline, output } = readMergeInputs(core.getInput);
  const fail_on = failOn === '' ? null : loadFailOn(failOn, nameInput('fail-on'));
  const arrived = await readArrived(parts, process.cwd());
  const { report, notes, refused } = join(arrived, {
    commit: desk.event?.sha ?? null,
    attempt: desk.event === null ? null : (desk.event.followed?.attempt ?? attemptOf(process.env)),
    fail_on,
    baseline: baseline === '' ? null : await readBaseline(resolve(baseline)),
  });
  for (const note of notes) desk.log.info(note);
  for (const [index, line] of refused.entries()) desk.log[index < REFUSED_SHOWN ? 'warning' : 'info'](`Not used: ${line}`);
  await publish(redactData(report, redact), resolve(output), posting, run);
}

function momentOf({ event }: Desk): Moment {
  return { cwd: process.cwd(), commit: event?.sha ?? null, attempt: attemptOf(process.env) };
}

/** Everything that is said about a report, in the order of who needs it most. */
async function publish(report: Report, folder: string, posting: Posting, { desk, cancelled }: Run): Promise<void> {
  const { log, event } = desk;
  const { files, problem } = await writeReport(report, folder).then(
    (written) => ({ files: written, problem: null }),
    (error: unknown) => ({ files: null, problem: desk.redact(error instanceof Error ? error.message : String(error)) }),
  );
  setOutputs(outputsOf(report, files));
  log.block(renderTerminal(report, { color: false }));
  await writeSummary(report, process.env['GITHUB_STEP_SUMMARY'], event).catch((error: unknown) =>
    log.warning(`No job summary: ${String(error)}`),
  );
  if (cancelled.aborted && wasCancelled(report.models)) {
    log.info('No comment and no commit status: the job was cancelled, and the run that takes its place writes them.');
    core.setFailed(`cancelled: ${gateLine(report)}`);
    return;
  }
  await postComment(report, posting, desk);
  await postStatus(problem === null ? statusOfReport(report) : statusOfFailure(problem), posting, desk);
  // One error is left for the last line, which says that the gate failed.
  annotate(report, core, { errors: MAX_ANNOTATIONS - 1, warnings: MAX_ANNOTATIONS - log.warnings() });
  if (problem !== null) core.setFailed(plainLine(problem));
  else if (report.gate === 'fail') core.setFailed(gateLine(report));
}

/** Nothing but a defect gets here; it fails the step in one line. */
process.on('uncaughtException', (error) => {
  core.setFailed(`the run itself failed: ${plainLine(error.message)}`);
  process.exit();
});

await main();
// A kept-alive connection or an idle worker must not hold the job; written first, because a pipe may lag behind.
process.stdout.write('', () => process.exit());

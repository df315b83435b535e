import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  applyAllowances,
  gate
} from "./chunk-O6MF5PCE.js";
import {
  compareWithBaseline
} from "./chunk-NSMBCR6O.js";
import "./chunk-2SLFHQY3.js";
import "./chunk-FQ5EJL4L.js";
import "./chunk-2WZLVRTP.js";
import {
  quote
} from "./chunk-NAEFPM7V.js";
import {
  UsageError,
  init_errors
} from "./chunk-LNJXDEHV.js";
import "./chunk-PWNSI2Q6.js";
import "./chunk-HEL6FPUC.js";
import {
  plain
} from "./chunk-4PW6NF73.js";
import "./chunk-H45APEIH.js";

// src/shards/merge.ts
init_errors();
function merge(arrived, options) {
  const plan = newestPlan(arrived);
  if (plan === null) return single(arrived, options);
  if (options.commit !== null && plan.commit !== null && options.commit !== plan.commit)
    throw new UsageError(
      `plan.json is of commit ${plan.commit}, but this run is of ${options.commit}: these artifacts belong to another run`
    );
  const notes = [...arrived.refused];
  const parts = countingParts(plan, arrived.reports, notes);
  return { report: settled(joined(plan, parts, options), plan.allow, options), notes };
}
function newestPlan({ plans, refused }) {
  const attempt = Math.max(0, ...plans.map(({ plan }) => plan.attempt));
  const newest = plans.filter(({ plan }) => plan.attempt === attempt);
  const [first, other] = [...new Map(newest.map((entry) => [entry.plan.id, entry])).values()];
  if (other !== void 0)
    throw new UsageError(`${quote(first?.file ?? "")} and ${quote(other.file)} are two different plans; give the artifacts of one run`);
  const broken = refused.find((line) => /plan\.json" /.test(line));
  if (first === void 0 && broken !== void 0)
    throw new UsageError(`${broken}; without its plan nobody knows what should have arrived`);
  return first?.plan ?? null;
}
function single({ reports, refused }, options) {
  const [only] = reports;
  const hint = refused.length === 0 ? "" : `
${refused.join("\n")}`;
  if (only === void 0)
    throw new UsageError(
      `no plan.json and no report.json arrived: the jobs failed before they wrote any, or their artifacts have other names${hint}`
    );
  if (reports.length > 1 || only.report.shard !== void 0)
    throw new UsageError(`no plan.json arrived, so nobody knows which shards are missing: upload it in the job of mode plan${hint}`);
  const fail_on = options.fail_on ?? only.report.fail_on;
  const report = {
    ...only.report,
    fail_on,
    gate: gate(verdictsOf(only.report.models), fail_on),
    reproduce: harmless(only.report.reproduce)
  };
  return { report: settled(report, only.report.allow, options), notes: refused };
}
function settled(report, rules, { baseline = null, clock = () => /* @__PURE__ */ new Date() }) {
  const allow = rules.map(({ model, kernel, reason, until }) => ({ model, kernel, reason, until }));
  const compared = baseline === null ? report : compareWithBaseline(report, baseline);
  return applyAllowances(compared, allow, clock().toISOString().slice(0, 10));
}
function harmless(args) {
  return args.every((arg) => plain(arg) === arg) ? [...args] : [];
}
function verdictsOf(models) {
  return models.map(({ verdict }) => verdict);
}
function countingParts(plan, reports, notes) {
  const parts = /* @__PURE__ */ new Map();
  const doubtful = /* @__PURE__ */ new Map();
  for (const part of reports) {
    const problem = whyNot(plan, part.report);
    const { shard = 0, attempt = 0 } = part.report.shard ?? {};
    const known = parts.get(shard);
    const knownAttempt = known?.report.shard?.attempt ?? 0;
    if (problem !== null) notes.push(`${quote(part.file)} ${problem}: left out`);
    else if (known === void 0 || attempt > knownAttempt) parts.set(shard, part);
    else if (attempt === knownAttempt && !known.bytes.equals(part.bytes)) doubtful.set(shard, attempt);
  }
  for (const [shard, attempt] of doubtful) {
    if (parts.get(shard)?.report.shard?.attempt !== attempt) continue;
    notes.push(`shard ${shard} left two different reports of attempt ${attempt}: neither counts`);
    parts.delete(shard);
  }
  return parts;
}
function whyNot(plan, { shard: stamp, tool, policy, fail_on, models }) {
  if (stamp === void 0) return "is not the report of a shard";
  if (stamp.plan !== plan.id) return "belongs to another plan";
  if (stamp.config !== plan.config) return "was made with another configuration than the plan";
  if (stamp.commit !== plan.commit) return `judged commit ${stamp.commit ?? "unknown"}, not the plan's ${plan.commit ?? "unknown"}`;
  if (tool.version !== plan.tool.version) return `was made by version ${quote(tool.version)}, the plan by ${quote(plan.tool.version)}`;
  if (policy !== plan.policy || !sameList(fail_on, plan.fail_on)) return "followed another policy or fail-on than the plan";
  const planned = plan.shards[stamp.shard - 1];
  if (planned === void 0 || stamp.of !== plan.shards.length)
    return `says that it is shard ${stamp.shard} of ${stamp.of}; the plan has ${plan.shards.length}`;
  if (stamp.attempt < plan.attempt) return `is left over from attempt ${stamp.attempt}; the plan was made anew in attempt ${plan.attempt}`;
  const ids = models.map(({ id }) => id);
  return sameList(ids, planned.models) ? null : `holds other models than the plan gives to shard ${stamp.shard}`;
}
function sameList(a, b) {
  return a.length === b.length && a.every((entry, index) => entry === b[index]);
}
function joined(plan, parts, { fail_on, clock = () => /* @__PURE__ */ new Date() }) {
  const reports = [...parts.values()].map(({ report }) => report);
  const judged = new Map(reports.flatMap(({ models: models2 }) => models2.map((model) => [model.id, model])));
  const missing = new Map(plan.shards.flatMap((planned) => planned.models.map((id) => [id, missingModel(id, planned, plan)])));
  const models = plan.models.flatMap(({ id }) => judged.get(id) ?? missing.get(id) ?? []).map((model) => ({ ...model, baseline: null }));
  const failOn = fail_on ?? plan.fail_on;
  return {
    schema_version: 1,
    tool: { ...plan.tool, onnxruntime: together(reports.map(({ tool }) => tool.onnxruntime)) },
    host: hostOf(reports),
    policy: plan.policy,
    fail_on: failOn,
    gate: gate(verdictsOf(models), failOn),
    models,
    baseline: null,
    allow: [],
    reproduce: harmless(reports[0]?.reproduce ?? []),
    shards: plan.shards.map((planned) => arrivedShard(planned, parts.get(planned.shard)?.report)),
    timing: timingOf(plan, reports, clock)
  };
}
function arrivedShard({ shard, models }, report) {
  return { shard, models: models.length, attempt: report?.shard?.attempt ?? null, gpu: report?.host.gpu ?? null };
}
function missingModel(id, { shard }, { shards }) {
  const message = `Shard ${shard} of ${shards.length} left no report that counts: its job failed, was cancelled or timed out. Rerun it.`;
  return {
    id,
    revision: null,
    architecture: null,
    dtype: null,
    verdict: "INCONCLUSIVE",
    reasons: [{ code: "shard_missing", message }],
    static: null,
    numeric: null,
    diagnosis: [],
    recommendations: ['Look at the log of its job, then use "Re-run failed jobs" of the run: the reports of the other shards are kept.'],
    baseline: null,
    allowed: null
  };
}
function together(values) {
  const found = [...new Set(values.filter((value) => value !== null))];
  return found.length === 0 ? null : found.join(", ");
}
function hostOf(reports) {
  const of = (key) => together(reports.map(({ host }) => host[key]));
  return {
    platform: of("platform") ?? process.platform,
    arch: of("arch") ?? process.arch,
    node: of("node") ?? process.version,
    cpu: of("cpu"),
    gpu: of("gpu")
  };
}
function timingOf(plan, reports, clock) {
  const spans = reports.flatMap(({ timing }) => {
    const start2 = Date.parse(timing.started_at);
    return Number.isNaN(start2) ? [] : [{ start: start2, end: start2 + timing.duration_ms }];
  });
  const start = spans.length === 0 ? clock().getTime() : Math.min(...spans.map((span) => span.start));
  const end = Math.max(start, ...spans.map((span) => span.end));
  const took = new Map(reports.flatMap(({ timing }) => timing.models.map(({ id, duration_ms }) => [id, duration_ms])));
  const models = plan.models.flatMap(({ id }) => {
    const duration = took.get(id);
    return duration === void 0 ? [] : [{ id, duration_ms: duration }];
  });
  return { started_at: new Date(start).toISOString(), duration_ms: end - start, models };
}
export {
  merge
};

import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  AFTER_FAILURE,
  applyAllowances,
  gate,
  verdictOf
} from "./chunk-Y3P3YQTX.js";
import {
  compareWithBaseline
} from "./chunk-X7YHTLTZ.js";
import "./chunk-S665G4ZQ.js";
import {
  isPlain
} from "./chunk-XZGXZK4Z.js";
import "./chunk-KHIMGIT3.js";
import "./chunk-JUYFWEVH.js";
import {
  VERDICTS
} from "./chunk-HEL6FPUC.js";
import "./chunk-4PW6NF73.js";
import "./chunk-2WZLVRTP.js";
import {
  quote
} from "./chunk-NAEFPM7V.js";
import {
  UsageError,
  init_errors
} from "./chunk-QZ7MPQQF.js";
import "./chunk-H45APEIH.js";

// src/shards/merge.ts
init_errors();

// src/verdict/consistent.ts
var DERIVED = /* @__PURE__ */ new Set([
  "static_incompatible",
  "static_warning",
  "static_compatible",
  "static_inconclusive",
  "standard_fail",
  "kernel_fail",
  "kernel_warn",
  "kernel_pass",
  "kernel_inconclusive",
  "canary_passed",
  "model_fail",
  "model_warn",
  "model_pass",
  "model_inconclusive",
  "generation_incoherent",
  "sensitive_checkpoint",
  "no_kernels"
]);
var JUDGED_BY_LOGITS = ["decoder_layer", "model", "generate"];
function contradiction(model, policy, thresholds) {
  const { static: checked, numeric, verdict, reasons } = model;
  const found = (checked === null || thresholds === null ? null : ofStatic(checked, thresholds.static)) ?? (numeric === null ? null : ofNumeric(numeric, thresholds?.numeric ?? null));
  if (found !== null) return found;
  const failure = reasons.find(({ code }) => !DERIVED.has(code)) ?? null;
  const due = verdictOf({ static: checked, numeric, failure, policy });
  return VERDICTS.indexOf(verdict) <= VERDICTS.indexOf(due) ? null : `its verdict is ${verdict}, but what it holds makes it ${due}`;
}
function ofStatic({ status, score, k_weight_ratio: ratio, max_k_weight: max }, limits) {
  const sensitive = score < limits.score_warning || (ratio ?? 0) >= limits.compatible_ratio || (max ?? 0) >= limits.compatible_max_weight;
  const tooMild = score < limits.score_incompatible && status !== "INCOMPATIBLE" || sensitive && status === "COMPATIBLE";
  return tooMild ? `its static check is ${status}, but not by its numbers` : null;
}
function ofNumeric({ kernels, model, canaries }, limits) {
  for (const kernel of kernels) {
    const fault2 = isFine(kernel.status) ? faultOf(kernel, canaries ?? [], limits) : null;
    if (fault2 !== null) return `its kernel ${JSON.stringify(kernel.kernel)} is ${kernel.status}, but ${fault2}`;
  }
  const fault = model !== null && isFine(model.status) ? faultOfModel(model, canaries ?? [], limits) : null;
  return fault === null ? null : `the model as a whole is ${model?.status}, but ${fault}`;
}
function isFine(level) {
  return level === "pass" || level === "warn";
}
function faultOf(kernel, canaries, limits) {
  if (kernel.non_finite > 0) return `${kernel.non_finite} elements of its output are not finite`;
  const probe = kernel.probes?.find(({ status }) => !isFine(status));
  if (probe !== void 0) return `a probe is ${probe.status}`;
  if (canaries.some((canary) => canary.kernel === kernel.kernel && !canary.caught)) return "a planted fault was not seen";
  const ratios = JUDGED_BY_LOGITS.includes(kernel.op) ? [] : [kernel.accuracy_ratio, kernel.max_ratio];
  return beyond(kernel.status, ratios, limits);
}
function faultOfModel({ status, decisive_flips: flips, kl_ratio: ratio }, canaries, limits) {
  if ((flips ?? 0) > 0) return "there are decisive flips";
  if (canaries.some(({ kernel, caught }) => kernel === null && !caught)) return "a planted fault was not seen";
  return beyond(status, [ratio], limits);
}
function beyond(level, ratios, limits) {
  if (limits === null) return null;
  const limit = level === "pass" ? limits.pass_ratio : limits.warn_ratio;
  const ratio = ratios.find((each) => each !== null && each > limit);
  return ratio === void 0 ? null : `it is ${String(ratio)} times the noise floor, which is above ${limit}`;
}

// src/shards/merge.ts
function merge(arrived, options) {
  const plan = newestPlan(arrived);
  const { attempt = null } = options;
  if (plan === null) return single(arrived, options);
  if (options.commit !== null && plan.commit !== null && options.commit !== plan.commit)
    throw new UsageError(
      `plan.json is of commit ${plan.commit}, but this run is of ${options.commit}: these artifacts belong to another run`
    );
  if (attempt !== null && plan.attempt > attempt)
    throw new UsageError(
      `plan.json is of attempt ${plan.attempt}, but this run is in attempt ${attempt}: these artifacts belong to another run`
    );
  const sorted = sortParts(plan, arrived, attempt);
  const { left, refused } = sorted;
  const report = settled(joined(plan, sorted, options), plan.allow, options);
  return { report, notes: left, refused: [...arrived.refused, ...refused.values()].flat() };
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
  const problem = firstContradiction(only.report.models, only.report.policy, null);
  if (problem !== null) throw new UsageError(`${quote(only.file)} ${problem}`);
  const fail_on = options.fail_on ?? only.report.fail_on;
  const report = {
    ...only.report,
    fail_on,
    gate: gate(only.report.models, fail_on),
    reproduce: harmless(only.report.reproduce)
  };
  return { report: settled(report, only.report.allow, options), notes: [], refused };
}
function settled(report, rules, { baseline = null, clock = () => /* @__PURE__ */ new Date() }) {
  const allow = rules.map(({ model, kernel, reason, until }) => ({ model, kernel, reason, until }));
  const compared = baseline === null ? report : compareWithBaseline(report, baseline);
  return applyAllowances(compared, allow, clock().toISOString().slice(0, 10));
}
function harmless(args) {
  return args.every(isPlain) ? [...args] : [];
}
function sortParts(plan, { reports, refused: unknown }, latest) {
  const parts = /* @__PURE__ */ new Map();
  const doubtful = /* @__PURE__ */ new Map();
  const left = [];
  const refused = /* @__PURE__ */ new Map();
  const refuse = (shard, line) => refused.set(shard, [...refused.get(shard) ?? [], line]);
  for (const part of reports) {
    const { shard = 0, attempt = 0 } = part.report.shard ?? {};
    const known = parts.get(shard);
    const knownAttempt = known?.report.shard?.attempt ?? 0;
    if (part.report.shard !== void 0 && attempt < plan.attempt) {
      left.push(`${quote(part.file)} is left over from attempt ${attempt}; the plan was made anew in attempt ${plan.attempt}: left out`);
      continue;
    }
    const problem = whyNot(plan, part.report, latest);
    if (problem !== null) refuse(shard, `${quote(part.file)} ${problem}`);
    else if (known === void 0 || attempt > knownAttempt) parts.set(shard, part);
    else if (attempt === knownAttempt && !known.bytes.equals(part.bytes))
      doubtful.set(shard, { attempt, files: `${quote(known.file)} and ${quote(part.file)}` });
  }
  for (const [shard, { attempt, files }] of doubtful) {
    if (parts.get(shard)?.report.shard?.attempt !== attempt) continue;
    refuse(shard, `${files} are two different reports of attempt ${attempt}: neither counts`);
    parts.delete(shard);
  }
  return { parts, left, refused, unknown };
}
function whyNot(plan, { shard: stamp, tool, policy, fail_on, models }, latest) {
  if (stamp === void 0) return "is not the report of a shard";
  if (stamp.plan !== plan.id) return "belongs to another plan";
  if (stamp.config !== plan.config) return "was made with another configuration than the plan";
  if (stamp.commit !== plan.commit) return `judged commit ${stamp.commit ?? "unknown"}, not the plan's ${plan.commit ?? "unknown"}`;
  if (tool.version !== plan.tool.version) return `was made by version ${quote(tool.version)}, the plan by ${quote(plan.tool.version)}`;
  if (policy !== plan.policy || !sameList(fail_on, plan.fail_on)) return "followed another policy or fail-on than the plan";
  const planned = plan.shards[stamp.shard - 1];
  if (planned === void 0 || stamp.of !== plan.shards.length)
    return `says that it is shard ${stamp.shard} of ${stamp.of}; the plan has ${plan.shards.length}`;
  if (latest !== null && stamp.attempt > latest) return `says that it is of attempt ${stamp.attempt}, but this run is in attempt ${latest}`;
  const ids = models.map(({ id }) => id);
  if (!sameList(ids, planned.models)) return `holds other models than the plan gives to shard ${stamp.shard}`;
  return firstContradiction(models, policy, plan);
}
function firstContradiction(models, policy, thresholds) {
  for (const model of models) {
    const found = contradiction(model, policy, thresholds);
    if (found !== null) return `contradicts itself at model ${quote(model.id)}: ${found}. It is not as it was written`;
  }
  return null;
}
function sameList(a, b) {
  return a.length === b.length && a.every((entry, index) => entry === b[index]);
}
function joined(plan, sorted, { fail_on, clock = () => /* @__PURE__ */ new Date() }) {
  const { parts } = sorted;
  const reports = [...parts.values()].map(({ report }) => report);
  const judged = new Map(reports.flatMap(({ models: models2 }) => models2.map((model) => [model.id, model])));
  const missing = new Map(
    plan.shards.flatMap((planned) => planned.models.map((id) => [id, missingModel(id, planned, plan, sorted)]))
  );
  const models = plan.models.flatMap(({ id }) => judged.get(id) ?? missing.get(id) ?? []).map((model) => ({ ...model, baseline: null }));
  const failOn = fail_on ?? plan.fail_on;
  return {
    schema_version: 1,
    tool: { ...plan.tool, onnxruntime: together(reports.map(({ tool }) => tool.onnxruntime)) },
    host: hostOf(reports),
    policy: plan.policy,
    fail_on: failOn,
    gate: gate(models, failOn),
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
var FILES_SHOWN = 3;
function missingModel(id, { shard }, { shards }, { refused, unknown }) {
  const own = refused.get(shard) ?? [];
  const stray = [...refused].flatMap(([of, lines]) => of < 1 || of > shards.length ? lines : []);
  const other = own.length > 0 ? [] : [...stray, ...unknown];
  const list = (lines) => lines.slice(0, FILES_SHOWN).join("; ");
  const why = own.length > 0 ? list(own) : "its job failed, was cancelled or timed out";
  const unused = other.length === 0 ? "" : ` Of no shard, and not used: ${list(other)}.`;
  const message = `Shard ${shard} of ${shards.length} left no report that counts: ${why}.${unused} Rerun it.`;
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
    recommendations: [AFTER_FAILURE.shard_missing].filter((line) => line !== void 0),
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

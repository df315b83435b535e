import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  package_default
} from "./chunk-LCLR2ZV5.js";
import {
  plain
} from "./chunk-4PW6NF73.js";
import {
  UsageError,
  init_errors
} from "./chunk-QZ7MPQQF.js";

// src/shards/plan.ts
import { createHash } from "node:crypto";
import { isAbsolute, relative, sep } from "node:path";
init_errors();

// src/shards/cost.ts
var MODEL_COST = 64;
var KERNEL_LAYER_COST = 1;
function costsOf(sizes, { policy }, kernels) {
  if (policy === "static") return sizes.map(() => 1);
  const known = sizes.map(
    ({ bytes, layers }) => bytes === null ? null : MODEL_COST + Math.ceil(bytes / 2 ** 20) + (layers ?? 0) * kernels * KERNEL_LAYER_COST
  );
  const largest = Math.max(MODEL_COST, ...known.map((cost) => cost ?? 0));
  return known.map((cost) => cost ?? largest);
}

// src/shards/plan.ts
var MAX_JOBS = 256;
var MAX_OUTPUT_BYTES = 1e6;
var NAME_LIMIT = 60;
function makePlan(config, sizes, kernels, moment) {
  const costs = costsOf(sizes, config, kernels);
  const models = config.models.map(({ id }, index) => {
    const { bytes = null, layers = null } = sizes[index] ?? {};
    return { id, bytes, layers, cost: costs[index] ?? 1 };
  });
  const { policy, static: limits, numeric, fail_on, allow } = config;
  const body = {
    schema_version: 1,
    tool: { name: "fused-compat", version: package_default.version },
    commit: moment.commit,
    config: configDigest(config, moment.cwd),
    policy,
    static: limits,
    numeric,
    fail_on,
    allow,
    models,
    shards: shardsOf(models, config)
  };
  return { ...body, id: planId(body), attempt: moment.attempt };
}
function planId(plan) {
  const { schema_version, tool, commit, config, policy, fail_on } = plan;
  const limits = [plan.static, plan.numeric].map((group) => Object.entries(group).sort());
  const allow = plan.allow.map(({ model, kernel, reason, until }) => [model, kernel, reason, until]);
  const models = plan.models.map(({ id, bytes, layers, cost }) => [id, bytes, layers, cost]);
  const shards = plan.shards.map(({ shard, name, runs_on, models: ids, cost }) => [shard, name, runs_on, ids, cost]);
  return sha256([schema_version, tool.name, tool.version, commit, config, policy, limits, fail_on, allow, models, shards]);
}
function configDigest(config, cwd) {
  const inWorkspace = (path) => {
    const inside = relative(cwd, path);
    return inside.startsWith("..") || isAbsolute(inside) ? path : inside.split(sep).join("/");
  };
  const { policy, fail_on, dtype, execution_provider, require_gpu, prompts, max_prompt_tokens, layers, numeric } = config;
  return sha256([
    config.models.map(({ id, path }) => [id, inWorkspace(path)]),
    config.kernels === null ? null : inWorkspace(config.kernels),
    [policy, fail_on, dtype, execution_provider, require_gpu, prompts, max_prompt_tokens, layers],
    Object.entries(config.static).sort(),
    Object.entries(numeric).sort()
  ]);
}
function sha256(value) {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}
function shardsOf(models, config) {
  const groups = groupsOf(models, config);
  if (groups.length > MAX_JOBS)
    throw new UsageError(`runners: ${groups.length} kinds of runners; allowed: at most ${MAX_JOBS}, the jobs of one matrix`);
  for (let left = Math.min(config.shards, models.length) - groups.length; left > 0; left--) {
    const busiest = groups.filter((group) => group.shards < group.models.length).sort((a, b) => loadOf(b) - loadOf(a))[0];
    if (busiest !== void 0) busiest.shards += 1;
  }
  const parts = groups.flatMap((group) => balance(group).map((part) => ({ runs_on: group.runs_on, part })));
  return parts.map(({ runs_on, part }, index) => ({
    shard: index + 1,
    name: nameOf(index + 1, parts.length, part),
    runs_on,
    models: part.map(({ id }) => id),
    cost: sum(part)
  }));
}
function groupsOf(models, { runs_on, runners }) {
  const groups = /* @__PURE__ */ new Map();
  for (const model of models) {
    const runner = runners.find((entry) => entry.models.includes(model.id))?.runs_on ?? runs_on;
    const key = JSON.stringify([runner].flat());
    const group = groups.get(key) ?? { runs_on: runner, models: [], shards: 1 };
    group.models.push(model);
    groups.set(key, group);
  }
  return [...groups.values()];
}
function loadOf({ models, shards }) {
  return sum(models) / shards;
}
function sum(models) {
  return models.reduce((total, { cost }) => total + cost, 0);
}
function balance({ models, shards }) {
  const parts = Array.from({ length: shards }, () => ({ load: 0, models: [] }));
  const order = new Map(models.map((model, index) => [model, index]));
  const position = (model) => order.get(model) ?? 0;
  for (const model of [...models].sort((a, b) => b.cost - a.cost || position(a) - position(b))) {
    const least = parts.reduce((best, part) => part.load < best.load ? part : best);
    least.load += model.cost;
    least.models.push(model);
  }
  return parts.map((part) => part.models.sort((a, b) => position(a) - position(b)));
}
function nameOf(shard, of, models) {
  const main = models.reduce((most, model) => model.cost > most.cost ? model : most);
  const more = models.length > 1 ? ` and ${models.length - 1} more` : "";
  return `${shard} of ${of}: ${plain(main.id, NAME_LIMIT)}${more}`;
}
function matrixOf(plan) {
  const matrix = {
    include: plan.shards.map((shard) => ({ name: shard.name, "runs-on": shard.runs_on, ...entryOf(plan, shard) }))
  };
  const text = JSON.stringify(matrix);
  if (text.length * 2 <= MAX_OUTPUT_BYTES) return text;
  throw new UsageError(
    `models: their names make a matrix of ${text.length} characters; GitHub takes ${MAX_OUTPUT_BYTES / 2} from a job. Split the list over several workflows.`
  );
}
function entryOf(plan, { shard, models }) {
  return { shard, of: plan.shards.length, plan: plan.id, config: plan.config, models };
}
function unusedRunners({ runners, models }) {
  const known = new Set(models.map(({ id }) => id));
  return runners.flatMap(
    (entry, index) => entry.models.filter((id) => !known.has(id)).map((id) => `runners[${index}].models: ${JSON.stringify(plain(id))} is none of the models`)
  );
}

export {
  makePlan,
  planId,
  configDigest,
  matrixOf,
  entryOf,
  unusedRunners
};

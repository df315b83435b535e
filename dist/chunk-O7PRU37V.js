import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  configDigest,
  entryOf,
  planId
} from "./chunk-HMSEHPGS.js";
import {
  FileProblem,
  checked,
  readJsonFile,
  schemaCheck
} from "./chunk-S665G4ZQ.js";
import {
  plain
} from "./chunk-4PW6NF73.js";
import {
  UsageError,
  init_errors
} from "./chunk-QZ7MPQQF.js";

// src/shards/shard.ts
init_errors();

// schemas/plan.schema.json
var plan_schema_default = {
  $schema: "http://json-schema.org/draft-07/schema#",
  $id: "plan.schema.json",
  title: "fused-compat plan",
  description: "plan.json of fused-compat: which models go to which shard. It travels as an artifact, so that merge knows what must arrive.",
  type: "object",
  additionalProperties: false,
  required: [
    "schema_version",
    "tool",
    "id",
    "attempt",
    "commit",
    "config",
    "policy",
    "static",
    "numeric",
    "fail_on",
    "allow",
    "models",
    "shards"
  ],
  properties: {
    schema_version: { description: "Version of this format.", type: "integer", const: 1 },
    tool: {
      description: "What made the plan. Its shards are of the same version.",
      type: "object",
      additionalProperties: false,
      required: ["name", "version"],
      properties: {
        name: { description: "Always fused-compat.", type: "string", const: "fused-compat" },
        version: { description: "Version of fused-compat.", type: "string", minLength: 1, maxLength: 64 }
      }
    },
    id: {
      description: "SHA-256 over everything but attempt; the report of each shard names it.",
      type: "string",
      pattern: "^[0-9a-f]{64}$"
    },
    attempt: {
      description: "Attempt of the run that made the plan; reports of earlier attempts do not count.",
      type: "integer",
      minimum: 1,
      maximum: 1e6
    },
    commit: { description: "Commit that is judged; null: not known.", type: ["string", "null"], pattern: "^[0-9a-f]{40,64}$" },
    config: { description: "SHA-256 of what decides a verdict in the configuration.", type: "string", pattern: "^[0-9a-f]{64}$" },
    policy: { description: "How evidence becomes verdicts.", type: "string", enum: ["evidence", "strict", "static"] },
    static: {
      description: "Thresholds of the static check, as the configuration has them: the merge holds verdicts against them.",
      type: "object",
      required: [
        "extreme_weight",
        "ratio_warn",
        "ratio_fail",
        "extreme_share_warn",
        "extreme_share_fail",
        "max_weight_warn",
        "max_weight_fail",
        "ratio_weight",
        "extreme_layers_weight",
        "max_weight_weight",
        "amplification_per_weight",
        "score_incompatible",
        "score_warning",
        "compatible_ratio",
        "compatible_max_weight"
      ],
      additionalProperties: { type: "number" }
    },
    numeric: {
      description: "Thresholds of the numeric diff.",
      type: "object",
      required: ["pass_ratio", "warn_ratio", "scale_standard_errors", "decisive_margin"],
      additionalProperties: { type: "number" }
    },
    fail_on: {
      description: "Verdicts that fail the gate.",
      type: "array",
      maxItems: 5,
      items: { type: "string", enum: ["INCOMPATIBLE", "IMPLEMENTATION_ISSUE", "INCONCLUSIVE", "WARNING", "COMPATIBLE"] }
    },
    allow: {
      description: "Known failures that do not fail the gate up to a day.",
      type: "array",
      maxItems: 1e3,
      items: {
        type: "object",
        additionalProperties: false,
        required: ["model", "kernel", "reason", "until"],
        properties: {
          model: { description: "The model.", type: "string", minLength: 1, maxLength: 4096 },
          kernel: {
            description: "Kernel whose failure is known; null: whatever fails.",
            type: ["string", "null"],
            minLength: 1,
            maxLength: 256
          },
          reason: { description: "Why it is allowed.", type: "string", minLength: 1, maxLength: 500 },
          until: { description: "Last day of it, in UTC.", type: "string", pattern: "^\\d{4}-\\d{2}-\\d{2}$" }
        }
      }
    },
    models: {
      description: "All models, in the user's order.",
      type: "array",
      minItems: 1,
      maxItems: 1e3,
      items: {
        type: "object",
        additionalProperties: false,
        required: ["id", "bytes", "layers", "cost"],
        properties: {
          id: { description: "The model as the user wrote it.", type: "string", minLength: 1, maxLength: 4096 },
          bytes: {
            description: "Bytes of its weight files; null: not known when the plan was made.",
            type: ["integer", "null"],
            minimum: 0
          },
          layers: { description: "num_hidden_layers; null: not known.", type: ["integer", "null"], minimum: 1 },
          cost: { description: "What it costs, in MiB of weights.", type: "number", minimum: 0 }
        }
      }
    },
    shards: {
      description: "The jobs, each with its models.",
      type: "array",
      minItems: 1,
      maxItems: 256,
      items: {
        type: "object",
        additionalProperties: false,
        required: ["shard", "name", "runs_on", "models", "cost"],
        properties: {
          shard: { description: "Number of the shard, from 1.", type: "integer", minimum: 1, maximum: 256 },
          name: { description: "Name of the job.", type: "string", minLength: 1, maxLength: 256 },
          runs_on: {
            description: "Runner of the job.",
            type: ["array", "string"],
            minLength: 1,
            maxLength: 256,
            minItems: 1,
            maxItems: 16,
            items: { type: "string", minLength: 1, maxLength: 256 }
          },
          models: {
            description: "Its models, in the user's order.",
            type: "array",
            minItems: 1,
            maxItems: 1e3,
            items: { type: "string", minLength: 1, maxLength: 4096 }
          },
          cost: { description: "The costs of its models together.", type: "number", minimum: 0 }
        }
      }
    }
  }
};

// src/shards/shard.ts
var PLAN_BYTES = 64 * 2 ** 20;
var isPlan = schemaCheck(plan_schema_default);
var { shard, models } = plan_schema_default.properties.shards.items.properties;
var isEntry = schemaCheck({
  type: "object",
  required: ["shard", "of", "plan", "config", "models"],
  properties: { shard, of: shard, plan: plan_schema_default.properties.id, config: plan_schema_default.properties.config, models }
});
function asPlan(value) {
  const plan = checked(value, isPlan, "a plan");
  if (planId(plan) !== plan.id) throw new FileProblem("is not a plan as it was made: its id does not fit its content");
  const all = new Set(plan.models.map(({ id }) => id));
  const given = plan.shards.flatMap((entry) => entry.models);
  const numbered = plan.shards.every((entry, index) => entry.shard === index + 1);
  const each = all.size === plan.models.length && given.length === all.size && given.every((id) => all.has(id));
  if (!numbered || !each || new Set(given).size !== given.length)
    throw new FileProblem("is not a plan: each of its models must be in one shard, and shards count from 1");
  return plan;
}
async function entryFromPlan(wanted, path, name) {
  const [, number = "", of = ""] = /^(\d{1,3})\/(\d{1,3})$/.exec(wanted) ?? [];
  if (number === "") throw new UsageError(`--shard: ${JSON.stringify(wanted)} is not allowed; allowed: K/N, such as 2/4`);
  const plan = await planFile(path, name);
  const found = plan.shards.find((entry) => entry.shard === Number(number));
  if (found === void 0 || Number(of) !== plan.shards.length)
    throw new UsageError(`--shard: ${wanted} is not in ${name}, which has ${plan.shards.length} shards: 1/${plan.shards.length} ...`);
  return entryOf(plan, found);
}
async function planFile(path, name) {
  try {
    return asPlan((await readJsonFile(path, PLAN_BYTES)).value);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    throw new UsageError(`${name} ${error.message}; \`fused-compat plan\` makes it`);
  }
}
function entryFromMatrix(text, name) {
  try {
    const { shard: number, of, plan, config, models: ids } = checked(JSON.parse(text), isEntry, "an entry of the matrix");
    return { shard: number, of, plan, config, models: ids };
  } catch (error) {
    const why = error instanceof FileProblem ? error.message : "is not JSON";
    throw new UsageError(`${name} ${why}; allowed: \${{ toJSON(matrix) }} in a job whose matrix is the output of mode plan`);
  }
}
function shardConfig(config, entry, cwd) {
  const known = new Map(config.models.map((ref) => [ref.id, ref]));
  const unknown = entry.models.find((id) => !known.has(id));
  const same = configDigest(config, cwd) === entry.config;
  if (unknown === void 0 && same)
    return { ...config, models: entry.models.flatMap((id) => known.get(id) ?? []), baseline: null, allow: [] };
  const difference = unknown === void 0 ? "" : `, which has no model ${JSON.stringify(plain(unknown))}`;
  throw new UsageError(
    `shard ${entry.shard} of ${entry.of}: the configuration here is not the one that the plan was made with${difference}. Give every shard the same configuration file and the same inputs or options as the plan.`
  );
}
function stampOf({ shard: number, of, plan, config }, { commit, attempt }) {
  return { shard: number, of, plan, config, commit, attempt };
}
function stamped(report, stamp) {
  return { ...report, shard: stamp };
}

export {
  PLAN_BYTES,
  asPlan,
  entryFromPlan,
  entryFromMatrix,
  shardConfig,
  stampOf,
  stamped
};

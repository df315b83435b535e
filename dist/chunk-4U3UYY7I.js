import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  renderMarkdown
} from "./chunk-QJQUOF6C.js";
import {
  require_ajv
} from "./chunk-2WZLVRTP.js";
import {
  __toESM
} from "./chunk-H45APEIH.js";

// src/report/write.ts
var import_ajv = __toESM(require_ajv(), 1);
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { randomBytes } from "node:crypto";

// schemas/report.schema.json
var report_schema_default = {
  $schema: "http://json-schema.org/draft-07/schema#",
  $id: "report.schema.json",
  title: "fused-compat report",
  type: "object",
  description: "report.json of fused-compat. A value that was not measured is null, never 0.",
  additionalProperties: false,
  required: ["schema_version", "tool", "host", "policy", "fail_on", "gate", "models", "timing"],
  properties: {
    schema_version: {
      description: "Version of this format.",
      type: "integer",
      const: 1
    },
    tool: {
      type: "object",
      description: "What made the report.",
      additionalProperties: false,
      required: ["name", "version", "onnxruntime"],
      properties: {
        name: {
          description: "Always fused-compat.",
          type: "string",
          const: "fused-compat"
        },
        version: {
          description: "Version of fused-compat.",
          type: "string"
        },
        onnxruntime: {
          description: "Version of ONNX Runtime; null: it was not loaded.",
          type: ["string", "null"]
        }
      }
    },
    host: {
      type: "object",
      description: "Where it ran.",
      additionalProperties: false,
      required: ["platform", "arch", "node", "cpu", "gpu"],
      properties: {
        platform: {
          description: "Operating system, as Node names it.",
          type: "string"
        },
        arch: {
          description: "Processor architecture, as Node names it.",
          type: "string"
        },
        node: {
          description: "Version of Node.",
          type: "string"
        },
        cpu: {
          description: "Processor model.",
          type: ["string", "null"]
        },
        gpu: {
          description: "GPU that ran kernels; null: none did.",
          type: ["string", "null"]
        }
      }
    },
    policy: {
      description: "How evidence became verdicts.",
      type: "string",
      enum: ["evidence", "strict", "static"]
    },
    fail_on: {
      description: "Verdicts that fail the gate.",
      type: "array",
      items: {
        $ref: "#/definitions/Verdict"
      }
    },
    gate: {
      description: "fail when the verdict of a model is one of fail_on.",
      type: "string",
      enum: ["pass", "fail"]
    },
    models: {
      description: "One entry per model, in the user's order.",
      type: "array",
      items: {
        $ref: "#/definitions/ModelReport"
      }
    },
    timing: {
      type: "object",
      description: "The only part that differs between two runs on the same input.",
      additionalProperties: false,
      required: ["started_at", "duration_ms", "models"],
      properties: {
        started_at: {
          description: "When the run started, ISO 8601.",
          type: "string"
        },
        duration_ms: {
          description: "Duration of the run in milliseconds.",
          type: "number",
          minimum: 0
        },
        models: {
          description: "Duration of each model.",
          type: "array",
          items: {
            type: "object",
            additionalProperties: false,
            required: ["id", "duration_ms"],
            properties: {
              id: {
                description: "The model as the user wrote it.",
                type: "string"
              },
              duration_ms: {
                description: "Its duration in milliseconds.",
                type: "number",
                minimum: 0
              }
            }
          }
        }
      }
    }
  },
  definitions: {
    Verdict: {
      description: "Verdict on a model, by the table in docs/report.md.",
      type: "string",
      enum: ["INCOMPATIBLE", "IMPLEMENTATION_ISSUE", "INCONCLUSIVE", "WARNING", "COMPATIBLE"]
    },
    Level: {
      description: "Outcome of a numeric level.",
      type: "string",
      enum: ["pass", "warn", "fail", "inconclusive"]
    },
    ServingDtype: {
      description: "The dtype that the kernels compute in.",
      type: "string",
      enum: ["bfloat16", "float16", "float32"]
    },
    Reason: {
      type: "object",
      description: "Why a verdict is what it is; the deciding reason comes first.",
      additionalProperties: false,
      required: ["code", "message"],
      properties: {
        code: {
          description: "What kind of reason, stable over releases.",
          type: "string",
          enum: [
            "model_not_found",
            "access_denied",
            "hub_unreachable",
            "download_failed",
            "integrity",
            "refused_for_safety",
            "no_disk_space",
            "config_invalid",
            "unknown_model_type",
            "unsupported_config",
            "weights_invalid",
            "weights_mismatch",
            "unsupported_weights",
            "tensor_missing",
            "non_finite_weights",
            "tokenizer_invalid",
            "prompt_too_long",
            "input_ids_out_of_range",
            "static_incompatible",
            "static_warning",
            "static_compatible",
            "static_inconclusive",
            "kernel_fail",
            "kernel_warn",
            "kernel_pass",
            "kernel_inconclusive",
            "model_fail",
            "model_warn",
            "model_pass",
            "model_inconclusive",
            "sensitive_checkpoint",
            "no_kernels",
            "no_gpu",
            "no_runtime",
            "internal_error"
          ]
        },
        message: {
          description: "The reason in words, with its numbers.",
          type: "string"
        }
      }
    },
    Finding: {
      type: "object",
      description: "Something else in the weights that makes a checkpoint sensitive.",
      additionalProperties: false,
      required: ["code", "layer", "tensor", "value", "message"],
      properties: {
        code: {
          description: "What was found, e.g. massive_norm_weight, float16_overflow, bias_norm, qk_joint_gain, non_finite.",
          type: "string"
        },
        layer: {
          description: "Layer it was found in; null: not one layer's.",
          type: ["integer", "null"],
          minimum: 0
        },
        tensor: {
          description: "Tensor it was found in, by its checkpoint name.",
          type: ["string", "null"]
        },
        value: {
          description: "The number that was found.",
          type: ["number", "null"]
        },
        message: {
          description: "The finding in words.",
          type: "string"
        }
      }
    },
    StaticLayer: {
      type: "object",
      description: "The Q/K norm weights of one layer; null where the layer has no such norm.",
      additionalProperties: false,
      required: ["layer", "max_k", "median_k", "k_ratio", "max_q", "median_q", "q_ratio", "extreme"],
      properties: {
        layer: {
          description: "Layer number, from 0.",
          type: "integer",
          minimum: 0
        },
        max_k: {
          description: "Largest |K norm weight|.",
          type: ["number", "null"],
          minimum: 0
        },
        median_k: {
          description: "Lower median of |K norm weight|.",
          type: ["number", "null"],
          minimum: 0
        },
        k_ratio: {
          description: "max_k over median_k.",
          type: ["number", "null"],
          minimum: 0
        },
        max_q: {
          description: "Largest |Q norm weight|.",
          type: ["number", "null"],
          minimum: 0
        },
        median_q: {
          description: "Lower median of |Q norm weight|.",
          type: ["number", "null"],
          minimum: 0
        },
        q_ratio: {
          description: "max_q over median_q.",
          type: ["number", "null"],
          minimum: 0
        },
        extreme: {
          description: "max_k or max_q is above static.extreme-weight.",
          type: "boolean"
        }
      }
    },
    StaticResult: {
      type: "object",
      description: "The static check: what the weights alone say. A risk, not evidence.",
      additionalProperties: false,
      required: [
        "status",
        "score",
        "scores",
        "max_k_weight",
        "k_weight_ratio",
        "max_q_weight",
        "extreme_layers",
        "layers_total",
        "estimated_amplification",
        "bytes_read",
        "bytes_total",
        "findings",
        "layers"
      ],
      properties: {
        status: {
          description: "Outcome of the static check by itself.",
          type: "string",
          enum: ["COMPATIBLE", "WARNING", "INCOMPATIBLE"]
        },
        score: {
          description: "0.4 ratio + 0.3 extreme_layers + 0.3 max_weight; 1 without Q/K norm.",
          type: "number",
          minimum: 0,
          maximum: 1
        },
        scores: {
          type: "object",
          description: "The three parts of the score.",
          additionalProperties: false,
          required: ["ratio", "extreme_layers", "max_weight"],
          properties: {
            ratio: {
              description: "From the largest k_ratio.",
              type: "number",
              minimum: 0,
              maximum: 1
            },
            extreme_layers: {
              description: "From the share of extreme layers.",
              type: "number",
              minimum: 0,
              maximum: 1
            },
            max_weight: {
              description: "From the largest max_k.",
              type: "number",
              minimum: 0,
              maximum: 1
            }
          }
        },
        max_k_weight: {
          description: "Largest |K norm weight| of all layers; null: no K norm.",
          type: ["number", "null"],
          minimum: 0
        },
        k_weight_ratio: {
          description: "Largest k_ratio of all layers; null: no K norm.",
          type: ["number", "null"],
          minimum: 0
        },
        max_q_weight: {
          description: "Largest |Q norm weight| of all layers; null: no Q norm.",
          type: ["number", "null"],
          minimum: 0
        },
        extreme_layers: {
          description: "Number of extreme layers.",
          type: "integer",
          minimum: 0
        },
        layers_total: {
          description: "Number of layers.",
          type: "integer",
          minimum: 0
        },
        estimated_amplification: {
          description: "Product over the extreme layers of 1 + 0.001 (max_k + max_q) / 2.",
          type: "number",
          minimum: 0
        },
        bytes_read: {
          description: "Bytes of weight files that the check read.",
          type: "integer",
          minimum: 0
        },
        bytes_total: {
          description: "Bytes of all weight files.",
          type: "integer",
          minimum: 0
        },
        findings: {
          description: "What else makes the checkpoint sensitive.",
          type: "array",
          items: {
            $ref: "#/definitions/Finding"
          }
        },
        layers: {
          description: "One entry per layer.",
          type: "array",
          items: {
            $ref: "#/definitions/StaticLayer"
          }
        }
      }
    },
    Probe: {
      type: "object",
      description: "One made-up input and what the kernel did with it.",
      additionalProperties: false,
      required: ["name", "status", "detail"],
      properties: {
        name: {
          description: "Name of the probe.",
          type: "string"
        },
        status: {
          $ref: "#/definitions/Level"
        },
        detail: {
          description: "What was seen.",
          type: "string"
        }
      }
    },
    UlpHistogram: {
      type: "object",
      description: "Share of output elements at 0, 1, 2, 3-4, 5-8 and more ULP from eager.",
      additionalProperties: false,
      required: ["0", "1", "2", "3-4", "5-8", ">8"],
      properties: {
        "0": {
          description: "Share at 0 ULP.",
          type: "number",
          minimum: 0,
          maximum: 1
        },
        "1": {
          description: "Share at 1 ULP.",
          type: "number",
          minimum: 0,
          maximum: 1
        },
        "2": {
          description: "Share at 2 ULP.",
          type: "number",
          minimum: 0,
          maximum: 1
        },
        "3-4": {
          description: "Share at 3-4 ULP.",
          type: "number",
          minimum: 0,
          maximum: 1
        },
        "5-8": {
          description: "Share at 5-8 ULP.",
          type: "number",
          minimum: 0,
          maximum: 1
        },
        ">8": {
          description: "Share at >8 ULP.",
          type: "number",
          minimum: 0,
          maximum: 1
        }
      }
    },
    KernelResult: {
      type: "object",
      description: "One kernel under test, teacher-forced at every site of the compared layers.",
      additionalProperties: false,
      required: [
        "kernel",
        "op",
        "backend",
        "device",
        "status",
        "detail",
        "sites",
        "max_abs_diff",
        "mean_abs_diff",
        "bitwise_equal",
        "max_ulp",
        "ulp_histogram",
        "accuracy_ratio",
        "max_ratio",
        "scale_error",
        "scale_error_standard_error",
        "non_finite",
        "nearest_recipe",
        "nearest_recipe_equal",
        "worst_layer",
        "worst_site",
        "probes"
      ],
      properties: {
        kernel: {
          description: "Name of the kernel.",
          type: "string"
        },
        op: {
          description: "The op contract it implements.",
          type: "string"
        },
        backend: {
          description: "What called it: onnxruntime, cuda or command.",
          type: "string"
        },
        device: {
          description: "What ran it.",
          type: ["string", "null"]
        },
        status: {
          $ref: "#/definitions/Level"
        },
        detail: {
          description: "Why it is not pass; null for a pass.",
          type: ["string", "null"]
        },
        sites: {
          description: "Sites compared: one op of one layer each.",
          type: "integer",
          minimum: 0
        },
        max_abs_diff: {
          description: "Largest |fused - eager| over all outputs of all sites.",
          type: ["number", "null"],
          minimum: 0
        },
        mean_abs_diff: {
          description: "Mean |fused - eager| over all outputs of all sites.",
          type: ["number", "null"],
          minimum: 0
        },
        bitwise_equal: {
          description: "Share of output elements bitwise equal to eager's.",
          type: ["number", "null"],
          minimum: 0,
          maximum: 1
        },
        max_ulp: {
          description: "Largest distance to eager in units in the last place.",
          type: ["number", "null"],
          minimum: 0
        },
        ulp_histogram: {
          description: "Share of output elements by their distance to eager in ULP.",
          anyOf: [
            {
              $ref: "#/definitions/UlpHistogram"
            },
            {
              type: "null"
            }
          ]
        },
        accuracy_ratio: {
          description: "Worst site: RMS(fused - oracle) over the noise floor.",
          type: ["number", "null"],
          minimum: 0
        },
        max_ratio: {
          description: "Worst site: max |fused - oracle| over the same floor taken of maxima.",
          type: ["number", "null"],
          minimum: 0
        },
        scale_error: {
          description: "Worst site by standard errors: mean of (fused - oracle) / oracle.",
          type: ["number", "null"]
        },
        scale_error_standard_error: {
          description: "Standard error of scale_error.",
          type: ["number", "null"],
          minimum: 0
        },
        non_finite: {
          description: "Output elements that are NaN or infinite where the oracle is finite.",
          type: "integer",
          minimum: 0
        },
        nearest_recipe: {
          description: "The rounding recipe whose output it equals bitwise most often.",
          type: ["string", "null"]
        },
        nearest_recipe_equal: {
          description: "Share of output elements equal to that recipe's.",
          type: ["number", "null"],
          minimum: 0,
          maximum: 1
        },
        worst_layer: {
          description: "Layer of the worst site.",
          type: ["integer", "null"],
          minimum: 0
        },
        worst_site: {
          description: "Name of the worst site.",
          type: ["string", "null"]
        },
        probes: {
          description: "Outcomes of the probes; null: no probe ran.",
          type: ["array", "null"],
          items: {
            $ref: "#/definitions/Probe"
          }
        }
      }
    },
    ModelLayer: {
      type: "object",
      description: "Errors of one layer.",
      additionalProperties: false,
      required: ["layer", "injected", "inherited", "floor"],
      properties: {
        layer: {
          description: "Layer number, from 0.",
          type: "integer",
          minimum: 0
        },
        injected: {
          description: "Teacher-forced: largest relative RMS error of this layer's sites against the oracle.",
          type: ["number", "null"],
          minimum: 0
        },
        inherited: {
          description: "Free-running: relative RMS error of the layer's output against the oracle's.",
          type: ["number", "null"],
          minimum: 0
        },
        floor: {
          description: "The same as inherited for the worst valid recipe.",
          type: ["number", "null"],
          minimum: 0
        }
      }
    },
    ModelLevel: {
      type: "object",
      description: "The whole model, free-running with the kernels at every site.",
      additionalProperties: false,
      required: [
        "status",
        "detail",
        "kl_fused",
        "kl_floor",
        "kl_ratio",
        "kl_recipes",
        "top1_agreement",
        "decisive_flips",
        "positions",
        "perplexity",
        "amplification",
        "layers"
      ],
      properties: {
        status: {
          $ref: "#/definitions/Level"
        },
        detail: {
          description: "Why it is not pass; null for a pass.",
          type: ["string", "null"]
        },
        kl_fused: {
          description: "KL(oracle || fused) in nats, mean over positions.",
          type: ["number", "null"]
        },
        kl_floor: {
          description: "Largest KL(oracle || recipe) over the valid recipes.",
          type: ["number", "null"]
        },
        kl_ratio: {
          description: "kl_fused over kl_floor.",
          type: ["number", "null"]
        },
        kl_recipes: {
          description: "KL(oracle || recipe) of each valid recipe.",
          type: "object",
          additionalProperties: {
            type: ["number", "null"]
          }
        },
        top1_agreement: {
          description: "Share of positions where fused and oracle agree on the most likely token.",
          type: ["number", "null"],
          minimum: 0,
          maximum: 1
        },
        decisive_flips: {
          description: "Top-1 changes where the oracle's margin is far above the logit noise.",
          type: ["integer", "null"],
          minimum: 0
        },
        positions: {
          description: "Positions compared.",
          type: "integer",
          minimum: 0
        },
        perplexity: {
          type: "object",
          description: "Perplexity of the prompts.",
          additionalProperties: false,
          required: ["oracle", "eager", "fused"],
          properties: {
            oracle: {
              description: "Perplexity under oracle.",
              type: ["number", "null"],
              minimum: 0
            },
            eager: {
              description: "Perplexity under eager.",
              type: ["number", "null"],
              minimum: 0
            },
            fused: {
              description: "Perplexity under fused.",
              type: ["number", "null"],
              minimum: 0
            }
          }
        },
        amplification: {
          description: "RMS error of the final hidden state over RMS error injected at the first site.",
          type: ["number", "null"],
          minimum: 0
        },
        layers: {
          description: "One entry per layer.",
          type: "array",
          items: {
            $ref: "#/definitions/ModelLayer"
          }
        }
      }
    },
    NumericResult: {
      type: "object",
      description: "The numeric diff: kernels and whole model against the reference. The evidence.",
      additionalProperties: false,
      required: ["status", "recipes", "prompt_tokens", "kernels", "model", "generation", "performance", "canaries"],
      properties: {
        status: {
          $ref: "#/definitions/Level"
        },
        recipes: {
          description: "Valid rounding recipes that the noise floor was measured with.",
          type: "array",
          items: {
            type: "string"
          }
        },
        prompt_tokens: {
          description: "Tokens of each prompt that were run.",
          type: "array",
          items: {
            type: "integer",
            minimum: 0
          }
        },
        kernels: {
          description: "One entry per kernel under test.",
          type: "array",
          items: {
            $ref: "#/definitions/KernelResult"
          }
        },
        model: {
          description: "The model level; null: no kernel ran, so there was no fused model.",
          anyOf: [
            {
              $ref: "#/definitions/ModelLevel"
            },
            {
              type: "null"
            }
          ]
        },
        generation: {
          description: "Not measured by this version.",
          type: "null"
        },
        performance: {
          description: "Not measured by this version.",
          type: "null"
        },
        canaries: {
          description: "Not measured by this version.",
          type: "null"
        }
      }
    },
    ModelReport: {
      type: "object",
      description: "One model.",
      additionalProperties: false,
      required: ["id", "revision", "architecture", "dtype", "verdict", "reasons", "static", "numeric", "diagnosis", "recommendations"],
      properties: {
        id: {
          description: "The model as the user wrote it.",
          type: "string"
        },
        revision: {
          description: "Commit of its files; null for a local folder.",
          type: ["string", "null"]
        },
        architecture: {
          description: "model_type of its config.json; null: not known.",
          type: ["string", "null"]
        },
        dtype: {
          description: "Serving dtype; null: not known.",
          anyOf: [
            {
              $ref: "#/definitions/ServingDtype"
            },
            {
              type: "null"
            }
          ]
        },
        verdict: {
          $ref: "#/definitions/Verdict"
        },
        reasons: {
          description: "Why, the deciding reason first.",
          type: "array",
          items: {
            $ref: "#/definitions/Reason"
          }
        },
        static: {
          description: "The static check; null: it could not run.",
          anyOf: [
            {
              $ref: "#/definitions/StaticResult"
            },
            {
              type: "null"
            }
          ]
        },
        numeric: {
          description: "The numeric diff; null: no kernel ran.",
          anyOf: [
            {
              $ref: "#/definitions/NumericResult"
            },
            {
              type: "null"
            }
          ]
        },
        diagnosis: {
          description: "Causes that were found.",
          type: "array",
          items: {
            type: "object",
            additionalProperties: false,
            required: ["code", "message"],
            properties: {
              code: {
                description: "What kind of cause.",
                type: "string"
              },
              message: {
                description: "The cause in words.",
                type: "string"
              }
            }
          }
        },
        recommendations: {
          description: "What to do next, in order.",
          type: "array",
          items: {
            type: "string"
          }
        }
      }
    }
  }
};

// src/report/write.ts
var compiled;
function serializeReport(report) {
  compiled ??= new import_ajv.Ajv({ allErrors: true, allowUnionTypes: true }).compile(report_schema_default);
  if (!compiled(report)) {
    const problems = (compiled.errors ?? []).slice(0, 5).map((error) => `${error.instancePath || "/"} ${error.message ?? error.keyword}`);
    throw new Error(`the report breaks its own schema: ${problems.join("; ")}`);
  }
  const text = JSON.stringify(inSchemaOrder(report, report_schema_default), null, 2);
  const harmless = text.replace(/[\u007f-\u009f\u2028\u2029\p{Cf}]/gu, (sign) => escapeUnits(sign));
  return `${harmless}
`;
}
function escapeUnits(sign) {
  return Array.from({ length: sign.length }, (_, index) => `\\u${sign.charCodeAt(index).toString(16).padStart(4, "0")}`).join("");
}
async function writeReport(report, dir) {
  const files = { json: join(dir, "report.json"), markdown: join(dir, "report.md") };
  const content = { json: serializeReport(report), markdown: renderMarkdown(report) };
  try {
    await mkdir(dir, { recursive: true });
    await replaceFile(files.json, content.json);
    await replaceFile(files.markdown, content.markdown);
  } catch (error) {
    throw new Error(`cannot write the report to ${dir}: ${error.message}`, { cause: error });
  }
  return files;
}
async function replaceFile(path, content) {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await writeFile(temporary, content, { flag: "wx" });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
function inSchemaOrder(value, node) {
  const target = resolveNode(node);
  if (Array.isArray(value)) return target.items === void 0 ? value : value.map((entry) => inSchemaOrder(entry, target.items ?? {}));
  if (typeof value !== "object" || value === null) return value;
  const known = target.properties ?? {};
  const entries = value;
  const keys = target.properties === void 0 ? Object.keys(entries).sort() : Object.keys(known);
  return Object.fromEntries(keys.map((key) => [key, inSchemaOrder(entries[key], known[key] ?? {})]));
}
function resolveNode(node) {
  const chosen = node.anyOf?.[0] ?? node;
  const name = chosen.$ref?.replace("#/definitions/", "");
  return name === void 0 ? chosen : report_schema_default.definitions[name] ?? {};
}

export {
  serializeReport,
  writeReport
};

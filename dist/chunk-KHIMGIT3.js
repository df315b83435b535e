import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);

// schemas/report.schema.json
var report_schema_default = {
  $schema: "http://json-schema.org/draft-07/schema#",
  $id: "report.schema.json",
  title: "fused-compat report",
  type: "object",
  description: "report.json of fused-compat. A value that was not measured is null, never 0.",
  additionalProperties: false,
  required: ["schema_version", "tool", "host", "policy", "fail_on", "gate", "models", "baseline", "allow", "reproduce", "timing"],
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
      description: "fail when a verdict is one of fail_on and not allowed, or a model was not judged and fail_on is not empty.",
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
    baseline: {
      description: "The report that this one was compared with; null: none was given.",
      anyOf: [
        {
          $ref: "#/definitions/Baseline"
        },
        {
          type: "null"
        }
      ]
    },
    allow: {
      description: "Known failures that the configuration allows, in its order.",
      type: "array",
      items: {
        $ref: "#/definitions/AllowEntry"
      }
    },
    reproduce: {
      description: "Arguments of fused-compat check that give this configuration again, but for its models.",
      type: "array",
      items: {
        type: "string"
      }
    },
    shard: {
      description: "Which shard of a plan this report is; only in the report of a shard.",
      type: "object",
      additionalProperties: false,
      required: ["shard", "of", "plan", "config", "commit", "attempt"],
      properties: {
        shard: {
          description: "Number of the shard, from 1.",
          type: "integer",
          minimum: 1,
          maximum: 256
        },
        of: {
          description: "How many shards the plan has.",
          type: "integer",
          minimum: 1,
          maximum: 256
        },
        plan: {
          description: "id of the plan.",
          type: "string",
          pattern: "^[0-9a-f]{64}$"
        },
        config: {
          description: "SHA-256 of the configuration that the shard ran with.",
          type: "string",
          pattern: "^[0-9a-f]{64}$"
        },
        commit: {
          description: "Commit that was judged; null: not known.",
          type: ["string", "null"],
          pattern: "^[0-9a-f]{40,64}$"
        },
        attempt: {
          description: "Attempt of the run (GITHUB_RUN_ATTEMPT) that made it; of two reports of one shard the later counts.",
          type: "integer",
          minimum: 1,
          maximum: 1e6
        }
      }
    },
    shards: {
      description: "What arrived of each shard; only in a report that was joined from shards.",
      type: "array",
      maxItems: 256,
      items: {
        type: "object",
        additionalProperties: false,
        required: ["shard", "models", "attempt", "gpu"],
        properties: {
          shard: {
            description: "Number of the shard, from 1.",
            type: "integer",
            minimum: 1,
            maximum: 256
          },
          models: {
            description: "How many models it had.",
            type: "integer",
            minimum: 1
          },
          attempt: {
            description: "Attempt of the run that its report is from; null: it left none that counts.",
            type: ["integer", "null"],
            minimum: 1
          },
          gpu: {
            description: "GPU that ran its kernels; null: none did.",
            type: ["string", "null"]
          }
        }
      }
    },
    timing: {
      type: "object",
      description: "This and the measured times of numeric.performance are all that differs between two runs on the same input.",
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
            "serving_overflow",
            "tokenizer_invalid",
            "prompt_too_long",
            "input_ids_out_of_range",
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
            "cancelled",
            "no_kernels",
            "no_gpu",
            "no_runtime",
            "shard_missing",
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
          description: "What was found, e.g. massive_norm_weight, float16_overflow, bias_norm, qk_joint_gain; docs/static-check.md has them all.",
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
        "requests",
        "bytes_transferred",
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
        requests: {
          description: "HTTP requests of the check; null: it read files on this machine.",
          type: ["integer", "null"],
          minimum: 0
        },
        bytes_transferred: {
          description: "Bytes of the bodies that answered them; null: as requests.",
          type: ["integer", "null"],
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
      description: "One kind of made-up input and what the kernel did with it. What its backend cannot see is not in the list.",
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
        "smallest_scale_error",
        "probes",
        "standard"
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
          description: "Layer of the worst site: the one that detail tells of; of a kernel that passes, that of the largest accuracy_ratio.",
          type: ["integer", "null"],
          minimum: 0
        },
        worst_site: {
          description: "Name of the worst site.",
          type: ["string", "null"]
        },
        smallest_scale_error: {
          description: "Smallest scale error that would have been seen at every site and output compared, as a share: 0.001 is 0.1 %.",
          type: ["number", "null"],
          minimum: 0
        },
        probes: {
          description: "Outcomes of the probes (docs/probes.md); null: no probe ran.",
          type: ["array", "null"],
          items: {
            $ref: "#/definitions/Probe"
          }
        },
        standard: {
          description: "The user's own unfused path by the same criteria; null: the kernel offers none, or it was not run.",
          anyOf: [
            {
              $ref: "#/definitions/StandardResult"
            },
            {
              type: "null"
            }
          ]
        }
      }
    },
    StandardResult: {
      type: "object",
      description: "The standard variant of a kernel, teacher-forced at the same sites.",
      additionalProperties: false,
      required: ["status", "detail", "accuracy_ratio", "max_abs_diff", "bitwise_equal"],
      properties: {
        status: {
          $ref: "#/definitions/Level"
        },
        detail: {
          description: "Why it is not pass; null for a pass.",
          type: ["string", "null"]
        },
        accuracy_ratio: {
          description: "Worst site: RMS(standard - oracle) over the noise floor.",
          type: ["number", "null"],
          minimum: 0
        },
        max_abs_diff: {
          description: "Largest |standard - eager| over all outputs of all sites.",
          type: ["number", "null"],
          minimum: 0
        },
        bitwise_equal: {
          description: "Share of output elements bitwise equal to eager's.",
          type: ["number", "null"],
          minimum: 0,
          maximum: 1
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
    Responsible: {
      type: "object",
      description: "A kernel in some layers that alone makes the whole model as bad as it is.",
      additionalProperties: false,
      required: ["kernel", "layers", "kl_ratio"],
      properties: {
        kernel: {
          description: "Name of the kernel.",
          type: "string"
        },
        layers: {
          description: "Layers that it stands in; empty: its sites outside of the layers.",
          type: "array",
          items: {
            type: "integer",
            minimum: 0
          }
        },
        kl_ratio: {
          description: "kl_ratio of a model with the kernel in these layers only.",
          type: ["number", "null"],
          minimum: 0
        }
      }
    },
    Canary: {
      type: "object",
      description: "A known fault planted into the reference's own output, judged as a kernel is.",
      additionalProperties: false,
      required: ["kernel", "name", "caught", "by", "detail"],
      properties: {
        kernel: {
          description: "The kernel that was judged at the same site; null: the model level.",
          type: ["string", "null"]
        },
        name: {
          description: "What was planted: zeros, stale_output, scale_1_percent, dropped_tail, wrong_eps, no_causal_mask or swapped_rope_layout.",
          type: "string"
        },
        caught: {
          description: "Whether the criteria failed it; if not, the level is inconclusive.",
          type: "boolean"
        },
        by: {
          description: "The criterion that failed it; null: none did.",
          anyOf: [
            {
              $ref: "#/definitions/Criterion"
            },
            {
              type: "null"
            }
          ]
        },
        detail: {
          description: "Where and what was planted, and the number that gave it away.",
          type: "string"
        }
      }
    },
    Control: {
      type: "object",
      description: "The reference compared with itself, judged as a kernel is: the other side of the canaries.",
      additionalProperties: false,
      required: ["level", "passed", "max_abs_diff", "bitwise_equal", "detail"],
      properties: {
        level: {
          description: "Op contract of the site where eager was run once more; model: all valid recipes as whole models.",
          type: "string"
        },
        passed: {
          description: "Whether it showed no difference and no alarm; if not, the level is inconclusive.",
          type: "boolean"
        },
        max_abs_diff: {
          description: "Largest difference from eager: 0; null: model.",
          type: ["number", "null"],
          minimum: 0
        },
        bitwise_equal: {
          description: "Share of elements bitwise equal to eager's: 1; null: model.",
          type: ["number", "null"],
          minimum: 0,
          maximum: 1
        },
        detail: {
          description: "Where, and the numbers.",
          type: "string"
        }
      }
    },
    Criterion: {
      description: "What a level can fail by.",
      type: "string",
      enum: ["non_finite", "accuracy_ratio", "max_ratio", "scale_error", "kl_ratio", "decisive_flips"]
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
        "amplification_curve",
        "sensitivity",
        "first_layer_above_floor",
        "responsible",
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
        amplification_curve: {
          description: "The same for the output of each layer in place of the final hidden state.",
          type: "array",
          items: {
            type: ["number", "null"],
            minimum: 0
          }
        },
        sensitivity: {
          description: "The same of a random perturbation of the kernel's size at the first site, in a model that rounds nowhere.",
          type: ["number", "null"],
          minimum: 0
        },
        first_layer_above_floor: {
          description: "First layer whose inherited error is over pass-ratio times its floor; null: none is.",
          type: ["integer", "null"],
          minimum: 0
        },
        responsible: {
          description: "Smallest sets of sites found that alone make the model as bad as it is; empty: no kernel alone does; null: not searched.",
          type: ["array", "null"],
          items: {
            $ref: "#/definitions/Responsible"
          }
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
    KernelTime: {
      type: "object",
      description: "How long one call of a kernel takes at one site of the model.",
      additionalProperties: false,
      required: ["kernel", "site", "layer", "tokens", "fused_us", "standard_us", "speedup", "timer", "standard", "note"],
      properties: {
        kernel: {
          description: "Name of the kernel.",
          type: "string"
        },
        site: {
          description: "Name of the site that was timed.",
          type: "string"
        },
        layer: {
          description: "Layer of that site; null: outside of the layers.",
          type: ["integer", "null"],
          minimum: 0
        },
        tokens: {
          description: "Tokens of the timed call.",
          type: "integer",
          minimum: 0
        },
        fused_us: {
          description: "Microseconds of one call, median; null: not measured.",
          type: ["number", "null"],
          minimum: 0
        },
        standard_us: {
          description: "The same of what it is compared with; null: not measured.",
          type: ["number", "null"],
          minimum: 0
        },
        speedup: {
          description: "standard_us over fused_us: 2 is twice as fast as standard.",
          type: ["number", "null"],
          minimum: 0
        },
        timer: {
          description: "device: the backend's own events; wall: the clock around the call.",
          anyOf: [
            {
              type: "string",
              enum: ["device", "wall"]
            },
            {
              type: "null"
            }
          ]
        },
        standard: {
          description: "own: the user's standard variant; unfused chain: the contract's ops one by one on the same device.",
          anyOf: [
            {
              type: "string",
              enum: ["own", "unfused chain"]
            },
            {
              type: "null"
            }
          ]
        },
        note: {
          description: "Why something was not measured, or what the time holds beside the kernel.",
          type: ["string", "null"]
        }
      }
    },
    Performance: {
      type: "object",
      description: "How fast the kernels are. Never a reason for a verdict.",
      additionalProperties: false,
      required: ["kernels", "tokens_per_second"],
      properties: {
        kernels: {
          description: "One entry per kernel that could be run.",
          type: "array",
          items: {
            $ref: "#/definitions/KernelTime"
          }
        },
        tokens_per_second: {
          description: "Of the first kernel that is a whole model; null: none is.",
          anyOf: [
            {
              $ref: "#/definitions/TokensPerSecond"
            },
            {
              type: "null"
            }
          ]
        }
      }
    },
    TokensPerSecond: {
      type: "object",
      description: "Of a kernel that is a whole model.",
      additionalProperties: false,
      required: ["fused", "standard"],
      properties: {
        fused: {
          description: "Tokens per second, fused; null: not measured.",
          type: ["number", "null"],
          minimum: 0
        },
        standard: {
          description: "The same of its standard variant; null: not measured.",
          type: ["number", "null"],
          minimum: 0
        }
      }
    },
    Cause: {
      type: "object",
      description: "A change of the reference that gives what a kernel gives, where the unchanged one does not.",
      additionalProperties: false,
      required: ["kernel", "variant", "code", "message"],
      properties: {
        kernel: {
          description: "Name of the kernel.",
          type: "string"
        },
        variant: {
          description: "Which path of the kernel.",
          enum: ["fused", "standard"]
        },
        code: {
          $ref: "#/definitions/CauseCode"
        },
        message: {
          description: "What the kernel does, with the numbers that show it: the rest of a sentence that begins with its name.",
          type: "string"
        }
      }
    },
    CauseCode: {
      description: "What kind of cause, stable over releases.",
      enum: [
        "rope_layout",
        "rope_base",
        "rotary_dim",
        "position_offset",
        "missing_qk_norm",
        "norm_weight",
        "norm_weight_offset",
        "eps",
        "scale",
        "softcap",
        "mask",
        "window",
        "head_mapping",
        "head_dim",
        "activation",
        "gate_up_order",
        "missing_bias",
        "tied_head",
        "accumulation_dtype"
      ]
    },
    Generation: {
      type: "object",
      description: "Greedy text after one prompt, as standard (eager) writes it and with the kernels standing in.",
      additionalProperties: false,
      required: [
        "prompt",
        "tokens",
        "text_standard",
        "text_fused",
        "ids_prompt",
        "ids_standard",
        "ids_fused",
        "first_divergence",
        "loops",
        "nll_standard",
        "nll_fused",
        "excess_standard",
        "excess_fused",
        "coherent",
        "detail"
      ],
      properties: {
        prompt: {
          description: "Text of the prompt; its token ids where there is no tokenizer.",
          type: "string"
        },
        tokens: {
          description: "Most tokens that each text could have.",
          type: "integer",
          minimum: 1
        },
        text_standard: {
          description: "Text of standard; its token ids where there is no tokenizer.",
          type: "string"
        },
        text_fused: {
          description: "Text of the fused model; its token ids where there is no tokenizer.",
          type: "string"
        },
        ids_prompt: {
          description: "Token ids of the prompt.",
          type: "array",
          items: {
            type: "integer",
            minimum: 0
          }
        },
        ids_standard: {
          description: "Token ids of the standard text.",
          type: "array",
          items: {
            type: "integer",
            minimum: 0
          }
        },
        ids_fused: {
          description: "Token ids of the fused text.",
          type: "array",
          items: {
            type: "integer",
            minimum: 0
          }
        },
        first_divergence: {
          description: "Where the two texts part; null: they say the same as far as both go.",
          anyOf: [
            {
              $ref: "#/definitions/Divergence"
            },
            {
              type: "null"
            }
          ]
        },
        loops: {
          type: "object",
          description: "Whether a text ends in a loop: the same tokens three times over, 8 tokens at least.",
          additionalProperties: false,
          required: ["standard", "fused"],
          properties: {
            standard: {
              description: "The standard text does.",
              type: "boolean"
            },
            fused: {
              description: "The fused text does.",
              type: "boolean"
            }
          }
        },
        nll_standard: {
          description: "The oracle's −log p of the standard text's tokens, nats, mean; null: no tokens, or the oracle is not finite.",
          type: ["number", "null"]
        },
        nll_fused: {
          description: "The same of the fused text.",
          type: ["number", "null"]
        },
        excess_standard: {
          description: "By how much nll_standard is above that of the oracle's own first choices at the same places.",
          type: ["number", "null"]
        },
        excess_fused: {
          description: "The same of the fused text.",
          type: ["number", "null"]
        },
        coherent: {
          description: "Whether the fused text makes sense to the oracle; null: it could not be judged.",
          type: ["boolean", "null"]
        },
        detail: {
          description: "Why it is not coherent, or could not be judged; null: it is coherent.",
          type: ["string", "null"]
        }
      }
    },
    Divergence: {
      type: "object",
      description: "Where two texts part.",
      additionalProperties: false,
      required: ["position", "near_tie", "margin"],
      properties: {
        position: {
          description: "Number of the first token that differs, from 0.",
          type: "integer",
          minimum: 0
        },
        near_tie: {
          description: "Whether the oracle's logits of the two tokens are within the noise of correct implementations.",
          type: "boolean"
        },
        margin: {
          description: "How far these logits are apart.",
          type: "number",
          minimum: 0
        }
      }
    },
    NumericResult: {
      type: "object",
      description: "The numeric diff: kernels and whole model against the reference. The evidence.",
      additionalProperties: false,
      required: [
        "status",
        "recipes",
        "prompt_tokens",
        "kernels",
        "causes",
        "model",
        "generation",
        "performance",
        "canaries",
        "controls",
        "smallest_scale_error"
      ],
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
        causes: {
          description: "Causes of what fails or warns, as far as one was found.",
          type: "array",
          items: {
            $ref: "#/definitions/Cause"
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
          description: "Texts written greedily, one entry per prompt; null: none were, or no kernel ran. Never a test of equality.",
          anyOf: [
            {
              type: "array",
              items: {
                $ref: "#/definitions/Generation"
              }
            },
            {
              type: "null"
            }
          ]
        },
        performance: {
          description: "How fast the kernels are; null: no kernel ran.",
          anyOf: [
            {
              $ref: "#/definitions/Performance"
            },
            {
              type: "null"
            }
          ]
        },
        canaries: {
          description: "Known faults that were judged by the same criteria; those without effect on this data are not planted; null: nothing was compared.",
          type: ["array", "null"],
          items: {
            $ref: "#/definitions/Canary"
          }
        },
        controls: {
          description: "The reference compared with itself by the same criteria; null: nothing was compared.",
          type: ["array", "null"],
          items: {
            $ref: "#/definitions/Control"
          }
        },
        smallest_scale_error: {
          description: "The largest of the kernels': a scale error above it would have been seen wherever it stands; null: nothing was compared.",
          type: ["number", "null"],
          minimum: 0
        }
      }
    },
    ModelReport: {
      type: "object",
      description: "One model.",
      additionalProperties: false,
      required: [
        "id",
        "revision",
        "architecture",
        "dtype",
        "verdict",
        "reasons",
        "static",
        "numeric",
        "diagnosis",
        "recommendations",
        "baseline",
        "allowed"
      ],
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
        },
        baseline: {
          description: "What changed against the baseline; null: there is none, or it was not used.",
          anyOf: [
            {
              $ref: "#/definitions/ModelBaseline"
            },
            {
              type: "null"
            }
          ]
        },
        allowed: {
          description: "Why its verdict does not fail the gate although it is one of fail_on; null: nothing allows it, or nothing has to.",
          anyOf: [
            {
              $ref: "#/definitions/Allowance"
            },
            {
              type: "null"
            }
          ]
        }
      }
    },
    Change: {
      description: "Against the baseline; worse and better: by more than noise.",
      type: "string",
      enum: ["new", "worse", "better", "same"]
    },
    ModelBaseline: {
      type: "object",
      description: "A model beside what the baseline says of it.",
      additionalProperties: false,
      required: ["change", "verdict", "noise_ratio", "detail", "kernels", "missing_kernels"],
      properties: {
        change: {
          $ref: "#/definitions/Change"
        },
        verdict: {
          description: "Verdict of the baseline; null: it does not have this model.",
          anyOf: [
            {
              $ref: "#/definitions/Verdict"
            },
            {
              type: "null"
            }
          ]
        },
        noise_ratio: {
          description: "The baseline's worst error of kernels and model over the noise floor.",
          type: ["number", "null"]
        },
        detail: {
          description: "What changed, with numbers; null: nothing.",
          type: ["string", "null"]
        },
        kernels: {
          description: "One entry per kernel of this report.",
          type: "array",
          items: {
            $ref: "#/definitions/KernelBaseline"
          }
        },
        missing_kernels: {
          description: "Kernels of the baseline that did not run on this model.",
          type: "array",
          items: {
            type: "string"
          }
        }
      }
    },
    KernelBaseline: {
      type: "object",
      description: "A kernel on one model beside what the baseline says of it.",
      additionalProperties: false,
      required: ["kernel", "change", "status", "noise_ratio", "detail"],
      properties: {
        kernel: {
          description: "Name of the kernel.",
          type: "string"
        },
        change: {
          $ref: "#/definitions/Change"
        },
        status: {
          description: "Status in the baseline; null: it does not have this kernel.",
          anyOf: [
            {
              $ref: "#/definitions/Level"
            },
            {
              type: "null"
            }
          ]
        },
        noise_ratio: {
          description: "The larger of the baseline's accuracy_ratio and max_ratio.",
          type: ["number", "null"]
        },
        detail: {
          description: "What changed, with numbers; null: nothing.",
          type: ["string", "null"]
        }
      }
    },
    Baseline: {
      type: "object",
      description: "The report that this one was compared with.",
      additionalProperties: false,
      required: ["version", "started_at", "problem", "missing_models"],
      properties: {
        version: {
          description: "Version of fused-compat that made it; null: it could not be read.",
          type: ["string", "null"]
        },
        started_at: {
          description: "When its run started; null: it could not be read.",
          type: ["string", "null"]
        },
        problem: {
          description: "Why it was not used; null: it was.",
          type: ["string", "null"]
        },
        missing_models: {
          description: "Models that it has and this report has not.",
          type: "array",
          items: {
            type: "string"
          }
        }
      }
    },
    Allowance: {
      type: "object",
      description: "A known failure that the configuration allows for a while.",
      additionalProperties: false,
      required: ["reason", "until", "kernels"],
      properties: {
        reason: {
          description: "The reason that the configuration gives.",
          type: "string"
        },
        until: {
          description: "Last day of it, in UTC.",
          type: "string"
        },
        kernels: {
          description: "Kernels that it is for; null: whatever fails in this model.",
          type: ["array", "null"],
          items: {
            type: "string"
          }
        }
      }
    },
    AllowEntry: {
      type: "object",
      description: "One entry of allow in the configuration, and what came of it.",
      additionalProperties: false,
      required: ["model", "kernel", "reason", "until", "status", "detail"],
      properties: {
        model: {
          description: "The model that it names.",
          type: "string"
        },
        kernel: {
          description: "The kernel that it names; null: none.",
          type: ["string", "null"]
        },
        reason: {
          description: "Why the failure is allowed.",
          type: "string"
        },
        until: {
          description: "Last day of it, in UTC.",
          type: "string"
        },
        status: {
          description: "used: it keeps a failure from failing the gate.",
          type: "string",
          enum: ["used", "expired", "unused"]
        },
        detail: {
          description: "Why it had no effect; null: it had.",
          type: ["string", "null"]
        }
      }
    }
  }
};

export {
  report_schema_default
};

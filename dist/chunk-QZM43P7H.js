import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  require_ajv
} from "./chunk-2WZLVRTP.js";
import {
  cudaProblems
} from "./chunk-JLC4LN5G.js";
import {
  CONTRACTS
} from "./chunk-OWGKBW5B.js";
import {
  printable,
  quote
} from "./chunk-NAEFPM7V.js";
import {
  UsageError,
  init_errors
} from "./chunk-QZ7MPQQF.js";
import {
  __toESM
} from "./chunk-H45APEIH.js";

// src/kernels/manifest.ts
var import_ajv = __toESM(require_ajv(), 1);
import { existsSync } from "node:fs";
import { lstat, readdir, readFile, realpath } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";

// schemas/kernel.schema.json
var kernel_schema_default = {
  $schema: "http://json-schema.org/draft-07/schema#",
  title: "fused-compat kernel manifest",
  description: "kernel.json: one kernel under test. docs/kernels.md explains the contracts and the backends.",
  type: "object",
  required: ["name", "op", "dtypes", "backend"],
  properties: {
    name: { description: "Name in reports.", type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" },
    op: {
      description: "The contract it implements.",
      enum: [
        "rms_norm",
        "add_rms_norm",
        "linear",
        "rms_norm_qkv",
        "qk_norm",
        "rope",
        "qk_norm_rope",
        "attention",
        "silu_mul",
        "gelu_tanh_mul",
        "swiglu_mlp",
        "decoder_layer",
        "model",
        "generate"
      ]
    },
    dtypes: {
      description: "Serving dtypes it is for.",
      type: "array",
      minItems: 1,
      uniqueItems: true,
      items: { enum: ["bfloat16", "float16", "float32"] }
    },
    backend: { enum: ["onnxruntime", "cuda", "command"] }
  },
  allOf: [
    {
      if: { required: ["backend"], properties: { backend: { const: "onnxruntime" } } },
      then: { $ref: "#/definitions/onnxruntime" }
    },
    { if: { required: ["backend"], properties: { backend: { const: "cuda" } } }, then: { $ref: "#/definitions/cuda" } },
    { if: { required: ["backend"], properties: { backend: { const: "command" } } }, then: { $ref: "#/definitions/command" } }
  ],
  definitions: {
    onnxruntime: {
      type: "object",
      additionalProperties: false,
      properties: {
        name: true,
        op: true,
        dtypes: true,
        backend: true,
        operator: {
          description: "A fused operator of ONNX Runtime.",
          enum: [
            "SimplifiedLayerNormalization",
            "SkipSimplifiedLayerNormalization",
            "RotaryEmbedding",
            "GroupQueryAttention",
            "QuickGelu",
            "FastGelu"
          ]
        },
        model: {
          description: "Or an ONNX file below the manifest's folder, whose inputs and outputs bear the contract's names.",
          type: "string",
          pattern: "^[^\\\\\\u0000-\\u001f]+\\.onnx$"
        }
      },
      oneOf: [{ required: ["operator"] }, { required: ["model"] }]
    },
    cuda: {
      type: "object",
      additionalProperties: false,
      required: ["entry", "grid", "block", "args"],
      properties: {
        name: true,
        op: true,
        dtypes: true,
        backend: true,
        ptx: {
          description: "PTX: a file of the repository, relative to the manifest; the driver compiles it for the device at hand.",
          $ref: "#/definitions/file"
        },
        cubin: { description: "A cubin: a file of the repository, relative to the manifest.", $ref: "#/definitions/file" },
        fatbin: { description: "A fatbin: a file of the repository, relative to the manifest.", $ref: "#/definitions/file" },
        source: {
          description: "CUDA source: a file of the repository, relative to the manifest; compiled by NVRTC where it is installed; beside ptx, cubin or fatbin: used when those do not load.",
          $ref: "#/definitions/file"
        },
        entry: {
          description: 'Name of the __global__ function (extern "C"), or one for each dtype.',
          oneOf: [
            { $ref: "#/definitions/entry" },
            {
              type: "object",
              additionalProperties: false,
              minProperties: 1,
              properties: {
                bfloat16: { $ref: "#/definitions/entry" },
                float16: { $ref: "#/definitions/entry" },
                float32: { $ref: "#/definitions/entry" }
              }
            }
          ]
        },
        grid: { description: "Blocks in x, y and z.", $ref: "#/definitions/extent" },
        block: { description: "Threads per block in x, y and z.", $ref: "#/definitions/extent" },
        shared_bytes: {
          description: "Dynamic shared memory in bytes; beyond 48 KiB is asked for.",
          $ref: "#/definitions/expression"
        },
        args: {
          description: "The kernel's parameters in order: contract tensors by name (outputs that bear an input's name as out_NAME; null where an optional one is absent), and sizes and attributes as NAME:TYPE (layout: half 0, interleaved 1; activation: silu 0, gelu_tanh 1).",
          type: "array",
          minItems: 1,
          maxItems: 64,
          items: { type: "string", pattern: "^[A-Za-z_][A-Za-z0-9_]{0,63}(:(i32|u32|i64|u64|f32|f64|bool))?$" }
        }
      },
      anyOf: [{ required: ["ptx"] }, { required: ["cubin"] }, { required: ["fatbin"] }, { required: ["source"] }]
    },
    command: {
      type: "object",
      additionalProperties: false,
      required: ["command"],
      properties: {
        name: true,
        op: true,
        dtypes: true,
        backend: true,
        command: {
          description: "The program and its arguments, without a shell. It speaks process protocol 1 of docs/kernels.md.",
          type: "array",
          minItems: 1,
          maxItems: 256,
          items: { type: "string", minLength: 1, maxLength: 4096, pattern: "^[^\\u0000]*$" }
        },
        cwd: {
          description: "Working directory, a folder of the repository; default: the manifest's folder.",
          type: "string",
          minLength: 1,
          pattern: "^[^\\u0000]*$"
        },
        env: {
          description: "Environment variables beside those of fused-compat itself, of which secrets are left out.",
          type: "object",
          maxProperties: 256,
          propertyNames: { pattern: "^[A-Za-z_][A-Za-z0-9_]{0,127}$" },
          additionalProperties: { type: "string", maxLength: 32768, pattern: "^[^\\u0000]*$" }
        },
        timeout_s: {
          description: "Seconds that one call may take, and that the program may take to be ready.",
          type: "number",
          exclusiveMinimum: 0,
          maximum: 86400,
          default: 120
        }
      }
    },
    file: { type: "string", minLength: 1, maxLength: 1024, pattern: "^[^\\\\\\u0000-\\u001f]+$" },
    entry: { type: "string", pattern: "^[A-Za-z_][A-Za-z0-9_]{0,255}$" },
    expression: {
      description: "Arithmetic over T, H, Nq, Nkv, D, R, S and I: + - * / ceil_div(a, b) min(a, b) max(a, b) and brackets.",
      oneOf: [
        { type: "integer", minimum: 0 },
        { type: "string", minLength: 1, maxLength: 200 }
      ]
    },
    extent: {
      oneOf: [
        { $ref: "#/definitions/expression" },
        { type: "array", minItems: 1, maxItems: 3, items: { $ref: "#/definitions/expression" } }
      ]
    }
  }
};

// src/kernels/manifest.ts
init_errors();
var DEFAULT_TIMEOUT_S = 120;
var MAX_DEPTH = 8;
var MAX_MANIFESTS = 1e3;
var MAX_MANIFEST_BYTES = 2 ** 20;
var SKIPPED = /* @__PURE__ */ new Set(["node_modules", ".git", "build", "dist"]);
var validate = new import_ajv.Ajv({ allErrors: true, allowUnionTypes: true }).compile(kernel_schema_default);
async function loadManifests(folder) {
  const files = await findManifests(folder);
  if (files.length === 0) throw new UsageError(`kernels: no kernel.json below ${quote(folder)}; see docs/kernels.md for the manifest`);
  const root = await repositoryOf(folder);
  const problems = [];
  const manifests = [];
  const seen = /* @__PURE__ */ new Map();
  for (const file of files) {
    const shown = printable(relative(folder, file));
    const manifest = await readManifest(file, shown, root, problems);
    if (manifest === null) continue;
    const other = seen.get(manifest.name);
    if (other !== void 0) problems.push(`${shown}: name ${quote(manifest.name)} is also the name of ${other}; names must differ`);
    seen.set(manifest.name, shown);
    manifests.push(manifest);
  }
  if (problems.length > 0) throw new UsageError(problems.join("\n"));
  return manifests;
}
async function findManifests(folder) {
  const found = [];
  const visit = async (path, depth) => {
    const entries = await readdir(path, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
      if (entry.isFile() && entry.name === "kernel.json") found.push(join(path, entry.name));
      else if (entry.isDirectory() && depth < MAX_DEPTH && !SKIPPED.has(entry.name)) await visit(join(path, entry.name), depth + 1);
      if (found.length > MAX_MANIFESTS)
        throw new UsageError(`kernels: more than ${MAX_MANIFESTS} kernel.json files below ${quote(folder)}; name a smaller folder`);
    }
  };
  try {
    await visit(folder, 0);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const code = error.code;
    if (code === "ENOENT") throw new UsageError(`kernels: the folder ${quote(folder)} does not exist`);
    if (code === "ENOTDIR")
      throw new UsageError(`kernels: ${quote(folder)} is a file; name the folder below which the kernel.json files are`);
    throw new UsageError(`kernels: ${quote(folder)} cannot be read (${code ?? "unknown error"})`);
  }
  return found;
}
async function readManifest(file, shown, root, problems) {
  let parsed;
  try {
    if ((await lstat(file)).size > MAX_MANIFEST_BYTES) throw new Error(`larger than ${MAX_MANIFEST_BYTES} bytes`);
    parsed = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    problems.push(`${shown}: not readable as JSON: ${printable(error.message).slice(0, 200)}`);
    return null;
  }
  if (!validate(parsed)) {
    const messages = (validate.errors ?? []).filter(saysSomething).map((error) => `${shown}: ${explain(error, parsed)}`);
    problems.push(...new Set(messages));
    return null;
  }
  const wrong = placeless(parsed) ?? (parsed.backend === "cuda" ? cudaProblems(parsed) : []);
  const placed = await withPaths(parsed, dirname(file), root, wrong);
  problems.push(...wrong.map((problem) => `${shown}: ${problem}`));
  return wrong.length > 0 ? null : placed;
}
function placeless({ op, backend, ...own }) {
  const standsFor = CONTRACTS.get(op)?.stands_for;
  if (standsFor === "run" || backend === "command") return null;
  if (standsFor === "model" && backend === "onnxruntime" && "model" in own) return null;
  return [`op ${op} is not for backend ${backend}${"operator" in own ? " with an operator" : ""}; give it a program (backend command)`];
}
async function withPaths(manifest, folder, root, problems) {
  const file = async (key, name) => {
    const path = await contained(folder, root, name);
    if (path === null) problems.push(`${key} ${quote(name)} does not exist, or leads outside of the repository`);
    else if (!(await lstat(path)).isFile()) problems.push(`${key} ${quote(name)} is not a file`);
    return path ?? name;
  };
  if (manifest.backend === "command") {
    const { cwd = ".", env = {}, timeout_s = DEFAULT_TIMEOUT_S } = manifest;
    const path = await contained(folder, root, cwd);
    if (path === null) problems.push(`cwd ${quote(cwd)} does not exist, or leads outside of the repository`);
    else if (!(await lstat(path)).isDirectory()) problems.push(`cwd ${quote(cwd)} is not a folder`);
    return { ...manifest, cwd: path ?? cwd, env, timeout_s };
  }
  const files = {};
  for (const key of ["model", "ptx", "cubin", "fatbin", "source"]) {
    const name = manifest[key];
    if (name !== void 0) files[key] = await file(key, name);
  }
  return { ...manifest, ...files };
}
function saysSomething({ schemaPath, keyword, params }) {
  if (keyword === "if") return false;
  if (/\/(?:oneOf|anyOf)\/\d+\//.test(schemaPath)) return false;
  return keyword !== "required" || params["missingProperty"] !== void 0;
}
function explain(error, manifest) {
  const key = error.instancePath.slice(1).replace(/\//g, ".") || "manifest";
  const params = error.params;
  if (error.keyword === "additionalProperties")
    return `unknown key ${quote(String(params["additionalProperty"]))}${key === "manifest" ? `; known: ${knownKeys(manifest)}` : ` in ${key}`}`;
  if (error.keyword === "required") return `${String(params["missingProperty"])} is missing`;
  if (error.schemaPath === "#/definitions/onnxruntime/oneOf")
    return "give either operator (one that ONNX Runtime ships) or model (your ONNX file)";
  if (error.schemaPath === "#/definitions/cuda/anyOf") return "give ptx, cubin, fatbin or source (a .cu file)";
  const value = error.instancePath.slice(1).split("/").reduce((at, part) => part === "" ? at : at[part], manifest);
  const shownValue = printable(JSON.stringify(value)).slice(0, 80);
  if (error.keyword === "enum") return `${key} is ${shownValue}; it must be one of ${params["allowedValues"].join(", ")}`;
  const [first = ""] = key.split(".");
  const words = error.keyword === "pattern" || error.keyword === "oneOf" ? PATTERNS[first] : void 0;
  return `${key} is ${shownValue}; it ${words ?? error.message ?? "is not allowed"}`;
}
function knownKeys(manifest) {
  const { backend } = manifest;
  const own = backend === "onnxruntime" || backend === "cuda" || backend === "command" ? kernel_schema_default.definitions[backend] : kernel_schema_default;
  return Object.keys(own.properties).join(", ");
}
var FILE_WORDS = "must be the path of a file of the repository, with slashes";
var EXPRESSION_WORDS = "must be a number or arithmetic over T, H, Nq, Nkv, D, R, S, I (one to three of them for grid and block)";
var PATTERNS = {
  name: "must be 1 to 64 letters, digits, dots, underscores and dashes, a letter or digit first",
  model: "must be the path of an .onnx file",
  ptx: FILE_WORDS,
  cubin: FILE_WORDS,
  fatbin: FILE_WORDS,
  source: FILE_WORDS,
  entry: "must be the name of a function, or one for each dtype",
  grid: EXPRESSION_WORDS,
  block: EXPRESSION_WORDS,
  shared_bytes: EXPRESSION_WORDS,
  args: "must be a contract tensor, or NAME:TYPE with one of i32, u32, i64, u64, f32, f64, bool"
};
async function contained(folder, root, name) {
  try {
    const path = await realpath(resolve(folder, name));
    return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep) ? path : null;
  } catch {
    return null;
  }
}
async function repositoryOf(folder) {
  const real = await realpath(folder);
  for (let at = real; ; at = dirname(at)) {
    if (existsSync(join(at, ".git"))) return at;
    if (dirname(at) === at) return real;
  }
}

export {
  loadManifests
};

import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  printable,
  quote
} from "./chunk-NAEFPM7V.js";
import {
  UsageError,
  init_errors
} from "./chunk-LNJXDEHV.js";
import {
  require_ajv
} from "./chunk-2WZLVRTP.js";
import {
  __toESM
} from "./chunk-H45APEIH.js";

// src/kernels/manifest.ts
var import_ajv = __toESM(require_ajv(), 1);
import { lstat, readdir, readFile, realpath } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";

// schemas/kernel.schema.json
var kernel_schema_default = {
  $schema: "http://json-schema.org/draft-07/schema#",
  title: "fused-compat kernel manifest",
  description: "kernel.json: one kernel under test. docs/kernels.md explains the contracts.",
  type: "object",
  additionalProperties: false,
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
        "swiglu_mlp"
      ]
    },
    dtypes: {
      description: "Serving dtypes it is for.",
      type: "array",
      minItems: 1,
      uniqueItems: true,
      items: { enum: ["bfloat16", "float16", "float32"] }
    },
    backend: { enum: ["onnxruntime"] },
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
};

// src/kernels/manifest.ts
init_errors();
var MAX_DEPTH = 8;
var MAX_MANIFESTS = 1e3;
var MAX_MANIFEST_BYTES = 2 ** 20;
var SKIPPED = /* @__PURE__ */ new Set(["node_modules", ".git", "build", "dist"]);
var validate = new import_ajv.Ajv({ allErrors: true, allowUnionTypes: true }).compile(kernel_schema_default);
async function loadManifests(folder) {
  const files = await findManifests(folder);
  if (files.length === 0) throw new UsageError(`kernels: no kernel.json below ${quote(folder)}; see docs/kernels.md for the manifest`);
  const problems = [];
  const manifests = [];
  const seen = /* @__PURE__ */ new Map();
  for (const file of files) {
    const shown = printable(relative(folder, file));
    const manifest = await readManifest(file, shown, problems);
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
async function readManifest(file, shown, problems) {
  let parsed;
  try {
    if ((await lstat(file)).size > MAX_MANIFEST_BYTES) throw new Error(`larger than ${MAX_MANIFEST_BYTES} bytes`);
    parsed = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    problems.push(`${shown}: not readable as JSON: ${printable(error.message).slice(0, 200)}`);
    return null;
  }
  if (!validate(parsed)) {
    problems.push(
      ...(validate.errors ?? []).filter(({ schemaPath }) => !schemaPath.startsWith("#/oneOf/")).map((error) => `${shown}: ${explain(error, parsed)}`)
    );
    return null;
  }
  if (parsed.model === void 0) return parsed;
  const model = await containedFile(dirname(file), parsed.model);
  if (model === null) {
    problems.push(`${shown}: model ${quote(parsed.model)} is not a file below the manifest's folder`);
    return null;
  }
  return { ...parsed, model };
}
function explain(error, manifest) {
  const key = error.instancePath.slice(1) || "manifest";
  const params = error.params;
  if (error.keyword === "additionalProperties")
    return `unknown key ${quote(String(params["additionalProperty"]))}; known: ${Object.keys(kernel_schema_default.properties).join(", ")}`;
  if (error.keyword === "required") return `${String(params["missingProperty"])} is missing`;
  if (error.keyword === "oneOf") return "give either operator (one that ONNX Runtime ships) or model (your ONNX file)";
  const value = error.instancePath.slice(1).split("/").reduce((at, part) => part === "" ? at : at[part], manifest);
  const shownValue = printable(JSON.stringify(value)).slice(0, 80);
  if (error.keyword === "enum") return `${key} is ${shownValue}; it must be one of ${params["allowedValues"].join(", ")}`;
  return `${key} is ${shownValue}; it ${error.keyword === "pattern" ? PATTERNS[key] ?? "is not allowed" : error.message ?? "is not allowed"}`;
}
var PATTERNS = {
  name: "must be 1 to 64 letters, digits, dots, underscores and dashes, a letter or digit first",
  model: "must be the path of an .onnx file"
};
async function containedFile(folder, name) {
  try {
    const root = await realpath(folder);
    const path = await realpath(join(root, name));
    return path.startsWith(root + sep) && (await lstat(path)).isFile() ? path : null;
  } catch {
    return null;
  }
}

export {
  loadManifests
};

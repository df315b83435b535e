import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  renderMarkdown
} from "./chunk-3RVBLUDV.js";
import {
  report_schema_default
} from "./chunk-KHIMGIT3.js";
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
var compiled;
function serializeReport(report) {
  compiled ??= new import_ajv.Ajv({ allErrors: true, allowUnionTypes: true }).compile(report_schema_default);
  if (!compiled(report)) {
    const problems = (compiled.errors ?? []).slice(0, 5).map((error) => `${error.instancePath || "/"} ${error.message ?? error.keyword}`);
    throw new Error(`the report breaks its own schema: ${problems.join("; ")}`);
  }
  const text = JSON.stringify(inSchemaOrder(report, report_schema_default), null, 2);
  const harmless = text.replace(/[\u007f-\u009f\u2028\u2029\p{Cf}]/gu, (sign) => escapeUnits(sign));
  return `${harmless.replaceAll("##[", "#\\u0023[")}
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

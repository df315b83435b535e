import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  report_schema_default
} from "./chunk-KHIMGIT3.js";
import {
  require_ajv
} from "./chunk-2WZLVRTP.js";
import {
  __toESM
} from "./chunk-H45APEIH.js";

// src/report/read.ts
var import_ajv = __toESM(require_ajv(), 1);
import { constants } from "node:fs";
import { open } from "node:fs/promises";
var REPORT_BYTES = 64 * 2 ** 20;
var FileProblem = class extends Error {
  name = "FileProblem";
};
async function readJsonFile(path, limit) {
  const bytes = await readBytes(path, limit);
  try {
    return { value: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)), bytes };
  } catch {
    throw new FileProblem("is not JSON in UTF-8");
  }
}
async function readBytes(path, limit) {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW).catch((error) => {
    const { code = "unknown" } = error;
    throw new FileProblem(code === "ELOOP" ? "is a link: not followed" : `cannot be opened (${code})`);
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new FileProblem("is not a regular file");
    if (stats.size > limit) throw new FileProblem(`has ${stats.size} bytes; at most ${limit} are read`);
    const bytes = Buffer.alloc(stats.size);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    return bytes.subarray(0, bytesRead);
  } catch (error) {
    throw error instanceof FileProblem ? error : new FileProblem(`cannot be read (${error.code ?? "unknown"})`);
  } finally {
    await handle.close();
  }
}
var compiled;
function asReport(value) {
  compiled ??= schemaCheck(report_schema_default);
  return checked(value, compiled, "a report");
}
function schemaCheck(schema) {
  return new import_ajv.Ajv({ allErrors: false, allowUnionTypes: true }).compile(schema);
}
function checked(value, validate, what) {
  if (validate(value)) return value;
  const [error] = validate.errors ?? [];
  throw new FileProblem(`is not ${what}: ${error?.instancePath || "it"} ${error?.message ?? "breaks the schema"}`);
}

export {
  REPORT_BYTES,
  FileProblem,
  readJsonFile,
  asReport,
  schemaCheck,
  checked
};

import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  PLAN_BYTES,
  asPlan
} from "./chunk-O7PRU37V.js";
import "./chunk-HMSEHPGS.js";
import {
  FileProblem,
  REPORT_BYTES,
  asReport,
  readJsonFile
} from "./chunk-S665G4ZQ.js";
import "./chunk-KHIMGIT3.js";
import "./chunk-LCLR2ZV5.js";
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

// src/shards/arrived.ts
init_errors();
import { readdir, stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
var DEPTH = 4;
var ENTRIES = 2e4;
var TOTAL_BYTES = 512 * 2 ** 20;
async function readArrived(folders, cwd) {
  const arrived = { plans: [], reports: [], refused: [] };
  const files = /* @__PURE__ */ new Set();
  const budget = { entries: ENTRIES, bytes: TOTAL_BYTES };
  for (const folder of folders) {
    const path = resolve(cwd, folder);
    if (!(await stat(path).catch(() => null))?.isDirectory())
      throw new UsageError(`${quote(folder)} is no folder: no artifact was downloaded to it, so nothing can be joined`);
    await collect(path, 0, files, budget, folder);
  }
  for (const path of [...files].sort()) await take(path, relative(cwd, path), arrived, budget);
  return arrived;
}
async function collect(folder, depth, files, budget, named) {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  budget.entries -= entries.length;
  if (budget.entries < 0)
    throw new UsageError(`${quote(named)} holds more than ${ENTRIES} files; give the folder that holds nothing but the artifacts`);
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && depth < DEPTH) await collect(path, depth + 1, files, budget, named);
    else if (!entry.isDirectory() && (entry.name === "report.json" || entry.name === "plan.json")) files.add(path);
  }
}
async function take(path, file, { plans, reports, refused }, budget) {
  const isReport = path.endsWith("report.json");
  try {
    const { value, bytes } = await readJsonFile(path, Math.min(isReport ? REPORT_BYTES : PLAN_BYTES, budget.bytes));
    budget.bytes -= bytes.length;
    if (isReport) reports.push({ file, report: asReport(value), bytes });
    else plans.push({ file, plan: asPlan(value) });
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    refused.push(`${quote(file)} ${error.message}`);
  }
}
export {
  readArrived
};

import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  PLAN_BYTES,
  asPlan,
  entryFromMatrix,
  entryFromPlan,
  shardConfig,
  stampOf,
  stamped
} from "./chunk-GAP245NH.js";
import "./chunk-FTX2O5U7.js";
import "./chunk-PEJY4RTW.js";
import "./chunk-TCNMV7EI.js";
import "./chunk-Y2OHPJCQ.js";
import "./chunk-H7MEFBYT.js";
import "./chunk-WXPIR4WJ.js";
import "./chunk-4PW6NF73.js";
import "./chunk-2WZLVRTP.js";
import "./chunk-TCVENN23.js";
import "./chunk-OKHQOVWE.js";
import "./chunk-NAEFPM7V.js";
import "./chunk-QZ7MPQQF.js";
import "./chunk-SO7XHSHO.js";
import "./chunk-H45APEIH.js";
export {
  PLAN_BYTES,
  asPlan,
  entryFromMatrix,
  entryFromPlan,
  shardConfig,
  stampOf,
  stamped
};

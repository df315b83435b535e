import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  PLAN_BYTES,
  asPlan,
  entryFromMatrix,
  entryFromPlan,
  shardConfig,
  stampOf,
  stamped
} from "./chunk-O7PRU37V.js";
import "./chunk-HMSEHPGS.js";
import "./chunk-S665G4ZQ.js";
import "./chunk-KHIMGIT3.js";
import "./chunk-LCLR2ZV5.js";
import "./chunk-4PW6NF73.js";
import "./chunk-2WZLVRTP.js";
import "./chunk-QZ7MPQQF.js";
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

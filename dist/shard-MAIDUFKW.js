import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  PLAN_BYTES,
  asPlan,
  entryFromMatrix,
  entryFromPlan,
  shardConfig,
  stampOf,
  stamped
} from "./chunk-G6SEEQWB.js";
import "./chunk-2SLFHQY3.js";
import "./chunk-ADTY6N2K.js";
import "./chunk-ETBRI4DI.js";
import "./chunk-FQ5EJL4L.js";
import "./chunk-Y2OHPJCQ.js";
import "./chunk-WXPIR4WJ.js";
import "./chunk-2WZLVRTP.js";
import "./chunk-5YWS6ONB.js";
import "./chunk-TJ7CQXT4.js";
import "./chunk-NAEFPM7V.js";
import "./chunk-LNJXDEHV.js";
import "./chunk-SO7XHSHO.js";
import "./chunk-4PW6NF73.js";
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

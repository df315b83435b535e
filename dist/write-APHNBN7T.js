import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  serializeReport,
  writeReport
} from "./chunk-6QFUVHIA.js";
import "./chunk-3RVBLUDV.js";
import "./chunk-XZGXZK4Z.js";
import "./chunk-37TJ2BCS.js";
import "./chunk-KHIMGIT3.js";
import "./chunk-JUYFWEVH.js";
import "./chunk-HEL6FPUC.js";
import "./chunk-4PW6NF73.js";
import "./chunk-2WZLVRTP.js";
import "./chunk-H45APEIH.js";
export {
  serializeReport,
  writeReport
};

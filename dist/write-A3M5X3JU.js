import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  serializeReport,
  writeReport
} from "./chunk-TJ6LGHM3.js";
import "./chunk-ACNHVFUG.js";
import "./chunk-37TJ2BCS.js";
import "./chunk-H7MEFBYT.js";
import "./chunk-JUYFWEVH.js";
import "./chunk-HEL6FPUC.js";
import "./chunk-4PW6NF73.js";
import "./chunk-2WZLVRTP.js";
import "./chunk-H45APEIH.js";
export {
  serializeReport,
  writeReport
};

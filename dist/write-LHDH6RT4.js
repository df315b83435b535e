import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  serializeReport,
  writeReport
} from "./chunk-4U3UYY7I.js";
import "./chunk-QJQUOF6C.js";
import "./chunk-4T3YAHRC.js";
import "./chunk-GJGK3S23.js";
import "./chunk-HEL6FPUC.js";
import "./chunk-Q6RORYE2.js";
import "./chunk-2WZLVRTP.js";
import "./chunk-H45APEIH.js";
export {
  serializeReport,
  writeReport
};

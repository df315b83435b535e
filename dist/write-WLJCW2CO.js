import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  serializeReport,
  writeReport
} from "./chunk-M62KY2CS.js";
import "./chunk-NXCOSAZW.js";
import "./chunk-CZ6ATGOL.js";
import "./chunk-GJGK3S23.js";
import "./chunk-HEL6FPUC.js";
import "./chunk-Q6RORYE2.js";
import "./chunk-2WZLVRTP.js";
import "./chunk-H45APEIH.js";
export {
  serializeReport,
  writeReport
};

import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  renderMarkdown
} from "./chunk-NXCOSAZW.js";
import "./chunk-CZ6ATGOL.js";
import "./chunk-GJGK3S23.js";
import "./chunk-HEL6FPUC.js";
import "./chunk-Q6RORYE2.js";
import "./chunk-H45APEIH.js";
export {
  renderMarkdown
};

import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  renderMarkdown
} from "./chunk-QJQUOF6C.js";
import "./chunk-4T3YAHRC.js";
import "./chunk-GJGK3S23.js";
import "./chunk-HEL6FPUC.js";
import "./chunk-Q6RORYE2.js";
import "./chunk-H45APEIH.js";
export {
  renderMarkdown
};

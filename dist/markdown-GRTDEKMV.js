import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  renderMarkdown
} from "./chunk-3RVBLUDV.js";
import "./chunk-XZGXZK4Z.js";
import "./chunk-37TJ2BCS.js";
import "./chunk-JUYFWEVH.js";
import "./chunk-HEL6FPUC.js";
import "./chunk-4PW6NF73.js";
import "./chunk-H45APEIH.js";
export {
  renderMarkdown
};

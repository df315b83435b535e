import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  renderMarkdown
} from "./chunk-OZ572O3U.js";
import "./chunk-YLIEQIIC.js";
import "./chunk-PWNSI2Q6.js";
import "./chunk-HEL6FPUC.js";
import "./chunk-4PW6NF73.js";
import "./chunk-H45APEIH.js";
export {
  renderMarkdown
};

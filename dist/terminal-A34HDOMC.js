import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  renderGateLine,
  renderTerminal
} from "./chunk-OBZR34GB.js";
import "./chunk-RL7SFSGR.js";
import "./chunk-37TJ2BCS.js";
import "./chunk-JUYFWEVH.js";
import "./chunk-HEL6FPUC.js";
import "./chunk-4PW6NF73.js";
import "./chunk-H45APEIH.js";
export {
  renderGateLine,
  renderTerminal
};

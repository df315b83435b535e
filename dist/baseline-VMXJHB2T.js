import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  compareWithBaseline,
  readBaseline
} from "./chunk-TX4FRVMO.js";
import "./chunk-TCNMV7EI.js";
import "./chunk-H7MEFBYT.js";
import "./chunk-JUYFWEVH.js";
import "./chunk-HEL6FPUC.js";
import "./chunk-4PW6NF73.js";
import "./chunk-2WZLVRTP.js";
import "./chunk-H45APEIH.js";
export {
  compareWithBaseline,
  readBaseline
};

import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  loadManifests
} from "./chunk-5HKPL4SW.js";
import "./chunk-2WZLVRTP.js";
import "./chunk-JLC4LN5G.js";
import "./chunk-OWGKBW5B.js";
import "./chunk-NAEFPM7V.js";
import "./chunk-LNJXDEHV.js";
import "./chunk-H45APEIH.js";
export {
  loadManifests
};

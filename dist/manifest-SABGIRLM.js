import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  loadManifests
} from "./chunk-GLCLHHNL.js";
import "./chunk-NAEFPM7V.js";
import "./chunk-LNJXDEHV.js";
import "./chunk-2WZLVRTP.js";
import "./chunk-H45APEIH.js";
export {
  loadManifests
};

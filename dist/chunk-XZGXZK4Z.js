import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  plain
} from "./chunk-4PW6NF73.js";

// src/report/reproduce.ts
var COMMAND_LIMIT = 2e3;
var PROMPTS_LIMIT = 1e3;
var PROMPTS_FILE = "input-prompts.json";
var INSPECT = ["--config", "--fail-on"];
function reproduceLine({ policy, reproduce }, ids) {
  const given = policy === "static" ? pairs(reproduce, INSPECT) : withPolicy(reproduce, policy);
  const long = (word, index) => given[index - 1] === "--prompts" && word.startsWith("[") && word.length > PROMPTS_LIMIT;
  const options = given.map((word, index) => long(word, index) ? PROMPTS_FILE : word);
  if (!options.every(isPlain)) return null;
  const words = ["fused-compat", policy === "static" ? "inspect" : "check", ...options];
  const usable = ids.filter((id) => id !== "" && id.length <= COMMAND_LIMIT && isPlain(id));
  const dash = usable.some((id) => id.startsWith("-")) ? ["--"] : [];
  let command = [...words, ...dash].map(shellWord).join(" ");
  let models = 0;
  for (const id of usable) {
    const longer = `${command} ${shellWord(id)}`;
    if (longer.length > COMMAND_LIMIT) break;
    command = longer;
    models += 1;
  }
  if (models === 0) return null;
  const shown = [...options, ...usable.slice(0, models)];
  return { command, models, prompts_file: given.some(long) ? PROMPTS_FILE : null, elsewhere: shown.some(isAbsolutePath) };
}
function withPolicy(given, policy) {
  return given.includes("--policy") || given.includes("--config") ? given : ["--policy", policy, ...given];
}
function pairs(given, names) {
  return given.flatMap((word, index) => names.includes(word) ? [word, given[index + 1] ?? ""] : []);
}
function isPlain(text) {
  return plain(text, Infinity) === text;
}
function isAbsolutePath(text) {
  return /^(?:\/|[A-Za-z]:[\\/])/.test(text);
}
function shellWord(text) {
  return /^[\w./@:,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

export {
  reproduceLine,
  isPlain
};

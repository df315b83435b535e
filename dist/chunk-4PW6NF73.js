import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);

// src/report/escape.ts
var NAME_LIMIT = 80;
var MESSAGE_LIMIT = 800;
var ZERO_WIDTH_SPACE = "​";
function plain(text, limit = MESSAGE_LIMIT) {
  const line = text.replace(/[\t\n\v\f\r\u0085\u2028\u2029]+/g, " ").replace(new RegExp("\\p{C}", "gu"), "�").replace(new RegExp("(\\p{M}{4})\\p{M}+", "gu"), "$1");
  return shorten(line, limit);
}
function plainName(text, limit = NAME_LIMIT) {
  return plain(text, limit);
}
function shorten(text, limit) {
  if (text.length <= limit) return text;
  const characters = [...text];
  if (characters.length <= limit) return text;
  const tail = Math.floor(limit / 3);
  return `${characters.slice(0, limit - tail - 1).join("")}…${characters.slice(-tail).join("")}`;
}
function code(text, limit = NAME_LIMIT) {
  const line = plain(text, limit);
  if (line.trim() === "") return "<code>&nbsp;</code>";
  return /[`|\\]|##\[/.test(line) ? `<code>${line.replace(/[!-/:-@[-`{-~]/g, entity)}</code>` : `\`${line}\``;
}
function html(text, limit = NAME_LIMIT) {
  return neutralReferences(plain(text, limit).replace(/[&<>"'`[]/g, entity));
}
function prose(text, limit = MESSAGE_LIMIT) {
  const parts = plain(text, limit).trim().split(/(`[\w .:,/(){}[\]<>=-]+`)/);
  const escaped = parts.map((part, index) => index % 2 === 1 ? part : escapeInline(part)).join("");
  return escaped.replace(/^[-+=#:]/, entity).replace(/^(\d+)([.)])/, (_, digits, dot) => digits + entity(dot));
}
function escapeInline(text) {
  const signs = text.replace(/[&<>|`*[\]~$\\]/g, entity).replace(/(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, "&#95;");
  return neutralReferences(signs);
}
function neutralReferences(text) {
  return text.replaceAll("@", `@${ZERO_WIDTH_SPACE}`).replace(/(?<!&)#(?=\d)/g, `#${ZERO_WIDTH_SPACE}`).replace(/\bGH-(?=\d)/gi, `$&${ZERO_WIDTH_SPACE}`).replaceAll("://", `:${ZERO_WIDTH_SPACE}//`).replace(/\bwww\./gi, (match) => `${match.slice(0, 3)}${ZERO_WIDTH_SPACE}.`);
}
function entity(sign) {
  const named = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
  return named[sign] ?? `&#${sign.charCodeAt(0)};`;
}

export {
  plain,
  plainName,
  code,
  html,
  prose
};

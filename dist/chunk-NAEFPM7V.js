import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);

// src/hub/names.ts
var SHOWN_CHARACTERS = 160;
function printable(text) {
  const cut = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  return cut.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}
function quote(text) {
  return `"${printable(text.replace(/["\\]/g, "\\$&"))}"`;
}
function fileNameProblem(name) {
  if (name === "") return "is empty";
  if (name.includes("\0")) return "holds a NUL character";
  if (name.includes("\\")) return "holds a backslash";
  if (name.startsWith("/")) return "is an absolute path";
  if (/^[a-z][a-z0-9+.-]*:/i.test(name)) return "starts with a drive letter or a URL scheme";
  if (/%(2e|2f|5c|00)/i.test(name)) return "holds a percent-encoded dot, slash or NUL";
  const segments = name.split("/");
  if (segments.includes("..")) return 'leaves the model through ".."';
  if (segments.includes("") || segments.includes(".")) return 'has an empty or "." segment';
  return null;
}

export {
  printable,
  quote,
  fileNameProblem
};

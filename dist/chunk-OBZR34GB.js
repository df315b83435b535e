import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  require_cli_table3
} from "./chunk-RL7SFSGR.js";
import {
  STRIP_LEGEND,
  allowance,
  canaryLine,
  layerLine,
  notes,
  probeSummaries,
  stripsOf
} from "./chunk-37TJ2BCS.js";
import {
  columnsOf,
  count,
  gateLine,
  rowsOf,
  ruleLine
} from "./chunk-JUYFWEVH.js";
import {
  plain,
  plainName
} from "./chunk-4PW6NF73.js";
import {
  __commonJS,
  __toESM
} from "./chunk-H45APEIH.js";

// node_modules/picocolors/picocolors.js
var require_picocolors = __commonJS({
  "node_modules/picocolors/picocolors.js"(exports, module) {
    var p = process || {};
    var argv = p.argv || [];
    var env = p.env || {};
    var isColorSupported = !(!!env.NO_COLOR || argv.includes("--no-color")) && (!!env.FORCE_COLOR || argv.includes("--color") || p.platform === "win32" || (p.stdout || {}).isTTY && env.TERM !== "dumb" || !!env.CI);
    var formatter = (open, close, replace = open) => (input) => {
      let string = "" + input, index = string.indexOf(close, open.length);
      return ~index ? open + replaceClose(string, close, replace, index) + close : open + string + close;
    };
    var replaceClose = (string, close, replace, index) => {
      let result = "", cursor = 0;
      do {
        result += string.substring(cursor, index) + replace;
        cursor = index + close.length;
        index = string.indexOf(close, cursor);
      } while (~index);
      return result + string.substring(cursor);
    };
    var createColors = (enabled = isColorSupported) => {
      let f = enabled ? formatter : () => String;
      return {
        isColorSupported: enabled,
        reset: f("\x1B[0m", "\x1B[0m"),
        bold: f("\x1B[1m", "\x1B[22m", "\x1B[22m\x1B[1m"),
        dim: f("\x1B[2m", "\x1B[22m", "\x1B[22m\x1B[2m"),
        italic: f("\x1B[3m", "\x1B[23m"),
        underline: f("\x1B[4m", "\x1B[24m"),
        inverse: f("\x1B[7m", "\x1B[27m"),
        hidden: f("\x1B[8m", "\x1B[28m"),
        strikethrough: f("\x1B[9m", "\x1B[29m"),
        black: f("\x1B[30m", "\x1B[39m"),
        red: f("\x1B[31m", "\x1B[39m"),
        green: f("\x1B[32m", "\x1B[39m"),
        yellow: f("\x1B[33m", "\x1B[39m"),
        blue: f("\x1B[34m", "\x1B[39m"),
        magenta: f("\x1B[35m", "\x1B[39m"),
        cyan: f("\x1B[36m", "\x1B[39m"),
        white: f("\x1B[37m", "\x1B[39m"),
        gray: f("\x1B[90m", "\x1B[39m"),
        bgBlack: f("\x1B[40m", "\x1B[49m"),
        bgRed: f("\x1B[41m", "\x1B[49m"),
        bgGreen: f("\x1B[42m", "\x1B[49m"),
        bgYellow: f("\x1B[43m", "\x1B[49m"),
        bgBlue: f("\x1B[44m", "\x1B[49m"),
        bgMagenta: f("\x1B[45m", "\x1B[49m"),
        bgCyan: f("\x1B[46m", "\x1B[49m"),
        bgWhite: f("\x1B[47m", "\x1B[49m"),
        blackBright: f("\x1B[90m", "\x1B[39m"),
        redBright: f("\x1B[91m", "\x1B[39m"),
        greenBright: f("\x1B[92m", "\x1B[39m"),
        yellowBright: f("\x1B[93m", "\x1B[39m"),
        blueBright: f("\x1B[94m", "\x1B[39m"),
        magentaBright: f("\x1B[95m", "\x1B[39m"),
        cyanBright: f("\x1B[96m", "\x1B[39m"),
        whiteBright: f("\x1B[97m", "\x1B[39m"),
        bgBlackBright: f("\x1B[100m", "\x1B[49m"),
        bgRedBright: f("\x1B[101m", "\x1B[49m"),
        bgGreenBright: f("\x1B[102m", "\x1B[49m"),
        bgYellowBright: f("\x1B[103m", "\x1B[49m"),
        bgBlueBright: f("\x1B[104m", "\x1B[49m"),
        bgMagentaBright: f("\x1B[105m", "\x1B[49m"),
        bgCyanBright: f("\x1B[106m", "\x1B[49m"),
        bgWhiteBright: f("\x1B[107m", "\x1B[49m")
      };
    };
    module.exports = createColors();
    module.exports.createColors = createColors;
  }
});

// src/report/terminal.ts
var import_cli_table3 = __toESM(require_cli_table3(), 1);
var import_picocolors = __toESM(require_picocolors(), 1);
import { stripVTControlCharacters } from "node:util";
var TEXT_WIDTH = 110;
var NARROWEST = 30;
var PROBES_SHOWN = 5;
function renderTerminal(report, { color, columns = Infinity }) {
  const paint = painter(color);
  const rows = rowsOf(report);
  const names = columnsOf(report);
  const wide = tableOf(rows, names, paint);
  const tableWidth = stripVTControlCharacters(wide.split("\n", 1)[0] ?? "").length;
  const overview = tableWidth <= columns ? wide : rows.map((row) => stacked(row, names, paint, columns)).join("\n");
  const reasons = rows.filter((row) => row.model.verdict !== "COMPATIBLE").map((row) => explained(row, paint, columns));
  const blocks = [
    overview,
    ...layerPictures(report, rows, paint, columns),
    ...reasons,
    ...remarks(report, columns),
    ...canaries(report, paint, columns),
    lastLine(report, paint, columns)
  ];
  return inert(`${blocks.join("\n\n")}
`);
}
function canaries({ models }, paint, columns) {
  const line = canaryLine(models);
  return line === null ? [] : [wrap(line, columns, "", "  ").map(paint.dim).join("\n")];
}
function remarks(report, columns) {
  const lines = notes(report).map((phrase) => wrap(textOf(phrase), columns, "", "  ").join("\n"));
  return lines.length === 0 ? [] : [lines.join("\n")];
}
function textOf(phrase) {
  return phrase.map((part) => typeof part === "string" ? part : "name" in part ? plainName(part.name) : plain(part.words)).join("");
}
function inert(text) {
  return text.replaceAll("##[", "## [").replace(/^(?=[^\S\n]*::)/gm, "| ");
}
function renderGateLine(report, { color, columns = Infinity }) {
  return `${lastLine(report, painter(color), columns)}
`;
}
function painter(color) {
  const { red, yellow, green, magenta, bold, dim } = import_picocolors.default.createColors(color);
  return {
    verdict: { INCOMPATIBLE: red, IMPLEMENTATION_ISSUE: red, INCONCLUSIVE: magenta, WARNING: yellow, COMPATIBLE: green },
    bold,
    dim,
    good: (text) => bold(green(text)),
    bad: (text) => bold(red(text))
  };
}
function tableOf(rows, names, paint) {
  const table = new import_cli_table3.default({
    head: ["model", "verdict", ...names].map(paint.bold),
    colAligns: ["left", "left", ...names.map(() => "right")],
    style: { head: [], border: [], compact: true }
  });
  for (const { model, figures } of rows) table.push([plainName(model.id, 48), paint.verdict[model.verdict](model.verdict), ...figures]);
  return table.toString();
}
function stacked({ model, figures }, names, paint, columns) {
  const head = `${paint.verdict[model.verdict](model.verdict)} ${narrowName(model, columns)}`;
  const facts = names.map((name, index) => `${name} ${figures[index] ?? ""}`).join(", ");
  return [head, ...wrap(facts, columns, "  ", "  ")].join("\n");
}
function explained({ model }, paint, columns) {
  const lines = [`${paint.bold(narrowName(model, columns))}: ${paint.verdict[model.verdict](model.verdict)}`];
  const allowed = allowance(model);
  if (allowed !== null) lines.push(...wrap(textOf(allowed), columns, "  - ", "    "));
  for (const reason of model.reasons) lines.push(...wrap(plain(reason.message), columns, "  - ", "    "));
  const layers = layerLine(model.numeric?.model ?? null);
  if (layers !== null) lines.push(...wrap(layers, columns, "  - ", "    "));
  lines.push(...probeFindings(model, columns));
  for (const cause of model.diagnosis) lines.push(...wrap(`cause: ${plain(cause.message)}`, columns, "  - ", "    "));
  for (const advice of model.recommendations) lines.push(...wrap(plain(advice), columns, "  > ", "    ").map(paint.dim));
  return lines.join("\n");
}
function probeFindings({ numeric }, columns) {
  const findings = probeSummaries(numeric?.kernels ?? []).flatMap(
    ({ kernel, open }) => open.filter(({ name, detail }) => kernel.detail !== `probe ${name}: ${detail}`).map(({ name, words, detail }) => `probe ${name} of ${kernel.kernel} ${words}: ${detail}`)
  );
  const hidden = findings.length - PROBES_SHOWN;
  const shown = [...findings.slice(0, PROBES_SHOWN), ...hidden > 0 ? [`${count(hidden, "more probe")} in report.json`] : []];
  return shown.flatMap((finding) => wrap(plain(finding), columns, "  - ", "    "));
}
function layerPictures({ policy }, rows, paint, columns) {
  if (policy !== "static") return [];
  const width = Math.max(NARROWEST, Math.min(columns, TEXT_WIDTH));
  const pictures = rows.flatMap(({ model }) => {
    const strips = model.static === null ? null : stripsOf(model.static, width - 2);
    if (strips === null) return [];
    const head = `${paint.bold(narrowName(model, columns))}:`;
    const marks = strips.marks === null ? [] : [paint.bad(strips.marks)];
    return [[head, ...wrap(strips.heading, columns, "  ", "  "), ...[...strips.lines, ...marks].map((line) => `  ${line}`)].join("\n")];
  });
  if (pictures.length === 0) return [];
  return [...pictures, wrap(STRIP_LEGEND, columns, "", "").map(paint.dim).join("\n")];
}
function narrowName(model, columns) {
  return plainName(model.id, Math.max(NARROWEST, Math.min(columns, TEXT_WIDTH)) - model.verdict.length - 2);
}
function lastLine(report, paint, columns) {
  const mark = report.gate === "fail" ? paint.bad : paint.good;
  const [first = "", ...rest] = wrap(`${gateLine(report)} (${ruleLine(report)})`, columns, "", "  ");
  const [gate = "", after] = first.split(/:(.*)/s);
  return [after === void 0 ? first : `${mark(gate)}:${after}`, ...rest].join("\n");
}
function wrap(text, columns, first, next) {
  const width = Math.max(NARROWEST, Math.min(columns, TEXT_WIDTH));
  const lines = [];
  let line = first;
  let empty = true;
  for (const word of text.split(" ").flatMap((entry) => pieces(entry, width - first.length))) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = next;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line];
}
function pieces(word, width) {
  return word.length <= width ? [word] : word.match(new RegExp(`.{1,${width}}`, "gu")) ?? [];
}

export {
  renderTerminal,
  renderGateLine
};

import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);

// src/report/numbers.ts
var NOT_MEASURED = "–";
function score(value) {
  if (value === null) return NOT_MEASURED;
  return (value < 1 ? Math.min(value, 0.99) : value).toFixed(2);
}
function magnitude(value) {
  if (value === null) return NOT_MEASURED;
  const rounded = Number(value.toPrecision(3));
  const size = Math.abs(rounded);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? exponent(rounded, 2) : String(rounded);
}
function difference(value) {
  if (value === null) return NOT_MEASURED;
  const rounded = Number(value.toPrecision(2));
  const size = Math.abs(rounded);
  return size === 0 || size >= 0.01 && size < 1e4 ? String(rounded) : exponent(rounded, 1);
}
function multiple(value) {
  if (value === null) return NOT_MEASURED;
  if (value >= 1e5) return `${exponent(value, 1)}×`;
  return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)}×`;
}
function percent(value) {
  if (value === null) return NOT_MEASURED;
  if (value === 0 || value === 1) return `${value * 100}%`;
  if (value < 1e-3) return "<0.1%";
  return `${Math.min(value * 100, 99.9).toFixed(1)}%`;
}
function against(value, limit) {
  for (let digits = 3; digits < 15; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.sign(rounded - limit) === Math.sign(value - limit)) return String(rounded);
  }
  return String(value);
}
function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
function exponent(value, digits) {
  return value.toExponential(digits).replace("e+", "e").replace(/\.0+e/, "e");
}

export {
  NOT_MEASURED,
  score,
  magnitude,
  difference,
  multiple,
  percent,
  against,
  count
};

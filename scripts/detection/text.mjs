// Numbers and tables as docs/detection.md has them.

export const number = (value, digits = 2) => (value === null || value === undefined ? '–' : Number(value.toPrecision(digits)).toString());

export const exponential = (value) => (value === null || value === undefined ? '–' : value.toExponential(1));

export function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** The value that is furthest from 0; null: there is none. */
export function largest(values) {
  const found = values.filter((value) => value !== null && value !== undefined);
  return found.length === 0 ? null : found.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most));
}

/** When and on what something was measured. */
export function measured({ date, cpu }) {
  return `Measured on ${date} on the CPU (${cpu})`;
}

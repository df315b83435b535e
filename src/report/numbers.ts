// How numbers of the report are put into words, the same in Markdown, terminal and reasons. Not measured is an en dash everywhere.

export const NOT_MEASURED = '–';

/** A score between 0 and 1: `0.00`. Never rounds up to a perfect score. */
export function score(value: number | null): string {
  if (value === null) return NOT_MEASURED;
  return (value < 1 ? Math.min(value, 0.99) : value).toFixed(2);
}

/** A plain magnitude to three significant digits, no exponent: `96.5`, `2.28`, `12300`. */
export function magnitude(value: number | null): string {
  if (value === null) return NOT_MEASURED;
  const rounded = Number(value.toPrecision(3));
  const size = Math.abs(rounded);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? exponent(rounded, 2) : String(rounded);
}

/** A difference to two significant digits: `4.9e-4`, `0.013`, `0`. */
export function difference(value: number | null): string {
  if (value === null) return NOT_MEASURED;
  const rounded = Number(value.toPrecision(2));
  const size = Math.abs(rounded);
  return size === 0 || (size >= 0.01 && size < 1e4) ? String(rounded) : exponent(rounded, 1);
}

/** A multiple of something: `0.97×`, `12.3×`, `1530×`. */
export function multiple(value: number | null): string {
  if (value === null) return NOT_MEASURED;
  if (value >= 1e5) return `${exponent(value, 1)}×`;
  return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)}×`;
}

/** A share between 0 and 1 in percent: `99.4%`. Neither all nor none is claimed for what is only nearly so. */
export function percent(value: number | null): string {
  if (value === null) return NOT_MEASURED;
  if (value === 0 || value === 1) return `${value * 100}%`;
  if (value < 0.001) return '<0.1%';
  return `${Math.min(value * 100, 99.9).toFixed(1)}%`;
}

/** `value` with as many digits as it takes to be seen above (or below) `limit`: 2.0004 against 2 is not `2.00`. */
export function against(value: number, limit: number): string {
  for (let digits = 3; digits < 15; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.sign(rounded - limit) === Math.sign(value - limit)) return String(rounded);
  }
  return String(value);
}

/** `1 layer`, `16 layers`. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}

function exponent(value: number, digits: number): string {
  return value.toExponential(digits).replace('e+', 'e').replace(/\.0+e/, 'e');
}

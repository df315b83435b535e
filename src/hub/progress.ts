// How far a download is, in words, now and then.

import type { HubClient } from './http.js';

export interface Progress {
  /** Bytes that came, or were there already; negative for what had to be thrown away. */
  advance(bytes: number): void;
}

/** Says share, rate and time left at most every `patience.progressMs`. */
export function startProgress(name: string, total: number, { log, patience }: HubClient): Progress {
  const started = performance.now();
  let done = 0;
  let said = started;
  log(`${name}: downloading ${bytesInWords(total)}`);
  return {
    advance(bytes) {
      done += bytes;
      const now = performance.now();
      if (done >= total) return;
      if (now - said < patience.progressMs || bytes <= 0) return;
      said = now;
      const rate = done / Math.max(1e-3, (now - started) / 1000);
      const left = Math.ceil((total - done) / rate);
      const share = Math.floor((100 * done) / total);
      log(`${name}: downloading, ${share} % of ${bytesInWords(total)}, ${bytesInWords(rate)}/s, ${timeInWords(left)} left`);
    },
  };
}

/** `1.5 GB`: decimal units, as the Hub shows sizes. */
export function bytesInWords(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const value = bytes / 1000 ** step;
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[step] ?? ''}`;
}

function timeInWords(seconds: number): string {
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

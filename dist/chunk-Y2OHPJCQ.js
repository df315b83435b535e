import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);

// src/hub/lanes.ts
function lanes(count) {
  let free = count;
  const waiting = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === void 0) free++;
      else next();
    }
  };
}

// src/hub/progress.ts
function startProgress(name, total, { log, patience }) {
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
      const rate = done / Math.max(1e-3, (now - started) / 1e3);
      const left = Math.ceil((total - done) / rate);
      const share = Math.floor(100 * done / total);
      log(`${name}: downloading, ${share} % of ${bytesInWords(total)}, ${bytesInWords(rate)}/s, ${timeInWords(left)} left`);
    }
  };
}
function bytesInWords(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const value = bytes / 1e3 ** step;
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[step] ?? ""}`;
}
function timeInWords(seconds) {
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

export {
  lanes,
  startProgress,
  bytesInWords
};

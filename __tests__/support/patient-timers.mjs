// Timers that a machine which stands still does not use up. A runner that is shared may stop all processes for minutes; all their limits have
// passed when it goes on, before any of them could read the answer that it waits for. Here a limit is counted in ticks of a second at
// most, and a tick that comes late is waited for again. Used by jest's environment for tests and for the product within them, and by processes
// that are started with PATIENT_CHILD of waiting.ts.

const TICK_MS = 1000;
/** Later than this, the machine, or this process, stood still. */
const LATE_MS = 200;
/** Ticks of one timer that may be waited for again: one whose process is always busy ends too. */
const SPARE = 300;

/** @param {typeof globalThis.setTimeout} start the realm's own */
function patient(start) {
  const setTimeout = (callback, ms, ...args) => {
    if (typeof callback !== 'function') return start(callback, ms, ...args);
    const wanted = Number(ms) >= 1 && Number(ms) < 2 ** 31 ? Number(ms) : 1;
    const ticks = Math.ceil(wanted / TICK_MS);
    let left, spare, due;
    const begin = () => {
      [left, spare, due] = [ticks, SPARE, performance.now() + wanted / ticks];
    };
    begin();
    const timer = start(() => {
      const now = performance.now();
      const late = now - due > LATE_MS && spare-- > 0;
      if (!late && --left === 0) return callback(...args);
      due = now + wanted / ticks;
      again();
    }, wanted / ticks);
    const again = timer.refresh.bind(timer);
    timer.refresh = () => {
      begin();
      return again();
    };
    return timer;
  };
  // For util.promisify.
  for (const symbol of Object.getOwnPropertySymbols(start)) setTimeout[symbol] = start[symbol];
  return setTimeout;
}

/**
 * Gives a realm's globals such timers.
 * @param {{ setTimeout: typeof globalThis.setTimeout; AbortSignal: typeof globalThis.AbortSignal }} realm
 */
export function makePatient(realm) {
  realm.setTimeout = patient(realm.setTimeout);
  const wait = realm.setTimeout;
  realm.AbortSignal.timeout = (ms) => {
    const controller = new AbortController();
    const expired = () => controller.abort(new globalThis.DOMException('The operation was aborted due to timeout', 'TimeoutError'));
    wait(expired, ms).unref();
    return controller.signal;
  };
}

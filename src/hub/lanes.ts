// At most so many at once: the rest wait their turn, first come, first served.

export type Lanes = <T>(work: () => Promise<T>) => Promise<T>;

/** A runner for asynchronous work with `count` lanes. */
export function lanes(count: number): Lanes {
  let free = count;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}

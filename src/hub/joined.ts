// One run of something for all who ask before it begins. What is run is for those who ask.

/**
 * Never runs twice at the same time. Who asks while it runs gets the next run: what it tells is of after the question, never of before.
 * @param run what it throws goes to those who asked for that run, and to no others
 */
export function joined(run: () => Promise<void>): () => Promise<void> {
  let last = Promise.resolve();
  let next: Promise<void> | null = null;
  return () => {
    next ??= last
      .catch(() => undefined)
      .then(() => {
        next = null;
        return (last = run());
      });
    return next;
  };
}

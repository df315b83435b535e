// A job that is cancelled: what the runner sends and how long it leaves us. What is then written is the door's business.

/**
 * The runner sends SIGINT, after 7.5 s SIGTERM, and after another 2.5 s it kills the whole tree (actions/runner, ProcessInvoker.cs).
 * A runner that is itself shut down sends SIGTERM only.
 */
const CANCELS = ['SIGINT', 'SIGTERM'] as const;

/**
 * From now on the first of these signals does not end the process but aborts; the second kind ends it, with the exit code that is set then.
 * The same kind again is not counted: who ends processes of their own on a signal (src/kernels/processes.ts) sends it on.
 * @param target tests put their own in
 */
export function cancellation(target: Pick<NodeJS.Process, 'on' | 'exit'> = process): AbortSignal {
  const controller = new AbortController();
  let first: NodeJS.Signals | null = null;
  for (const name of CANCELS) {
    target.on(name, () => {
      if (first !== null && first !== name) target.exit();
      first ??= name;
      controller.abort();
    });
  }
  return controller.signal;
}

// The environment of a kernel's process. What a kernel is told over its pipes is not decided here.

/** Secrets and the runner's command files: a kernel under test is code of the pull request, and needs none of them. */
const HIDDEN =
  /^(?:INPUT_.*|GITHUB_TOKEN|GH_TOKEN|HF_TOKEN|HUGGING_?FACE_HUB_TOKEN|ACTIONS_RUNTIME_TOKEN|ACTIONS_ID_TOKEN_.*|GITHUB_(?:ENV|OUTPUT|PATH|STATE|STEP_SUMMARY))$/i;

/**
 * Our own environment without what is secret, and with what is added.
 * This keeps secrets from being printed or sent on by mistake; it is no sandbox: a process of the same user can look for more.
 */
export function kernelEnvironment(own: NodeJS.ProcessEnv, added: Readonly<Record<string, string>> = {}): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(own)) if (value !== undefined && !HIDDEN.test(name)) environment[name] = value;
  return { ...environment, ...added };
}

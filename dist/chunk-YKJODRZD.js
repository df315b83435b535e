import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);

// src/github/event.ts
import { readFile } from "node:fs/promises";
var SHA = /^[0-9a-f]{40,64}$/i;
var ATTEMPT = /^[1-9]\d{0,5}$/;
function child(node, key) {
  return typeof node === "object" && node !== null ? node[key] : void 0;
}
function text(node, key) {
  const value = child(node, key);
  return typeof value === "string" && value !== "" ? value : null;
}
function pullRequestOf(payload, repository) {
  const pull = child(payload, "pull_request");
  const number = child(pull, "number");
  const head = child(pull, "head");
  const headSha = text(head, "sha");
  if (typeof number !== "number" || headSha === null) return null;
  const from = text(child(head, "repo"), "full_name");
  const base = text(child(pull, "base"), "sha");
  return {
    number,
    headSha,
    fork: from?.toLowerCase() !== repository.toLowerCase(),
    base: base !== null && SHA.test(base) ? base : null
  };
}
function runUrlOf(env, repository) {
  const { GITHUB_SERVER_URL: server = "https://github.com", GITHUB_RUN_ID: run, GITHUB_RUN_ATTEMPT: attempt = "" } = env;
  if (run === void 0 || !/^\d+$/.test(run)) return null;
  const page = `${server.replace(/\/+$/, "")}/${repository}/actions/runs/${run}`;
  return ATTEMPT.test(attempt) ? `${page}/attempts/${attempt}` : page;
}
function followedRun(payload, env, repository) {
  const run = child(payload, "workflow_run");
  const sha = text(run, "head_sha");
  if (sha === null || !SHA.test(sha)) return null;
  const owner = text(child(child(run, "head_repository"), "owner"), "login");
  const branch = text(run, "head_branch");
  const isPull = text(run, "event") === "pull_request" && owner !== null && branch !== null;
  const own = { ...env, GITHUB_RUN_ID: String(child(run, "id")), GITHUB_RUN_ATTEMPT: String(child(run, "run_attempt")) };
  const from = text(child(run, "head_repository"), "full_name");
  return {
    sha,
    runUrl: runUrlOf(own, repository),
    fork: from?.toLowerCase() !== repository.toLowerCase(),
    attempt: attemptOf(own),
    head: isPull ? `${owner}:${branch}` : null
  };
}
function eventOfReports(event) {
  const { followed } = event;
  return followed === void 0 || followed === null ? event : { ...event, sha: followed.sha, runUrl: followed.runUrl ?? event.runUrl };
}
function attemptOf({ GITHUB_RUN_ATTEMPT: attempt = "" }) {
  return ATTEMPT.test(attempt) ? Number(attempt) : 1;
}
async function readEvent(env) {
  const repository = env["GITHUB_REPOSITORY"] ?? "";
  const [, owner, repo] = /^([\w.-]+)\/([\w.-]+)$/.exec(repository) ?? [];
  if (owner === void 0 || repo === void 0) return null;
  const file = env["GITHUB_EVENT_PATH"];
  const payload = file === void 0 || file === "" ? {} : JSON.parse(await readFile(file, "utf8"));
  const pullRequest = pullRequestOf(payload, repository);
  const sha = pullRequest?.headSha ?? text(child(payload, "merge_group"), "head_sha") ?? env["GITHUB_SHA"] ?? "";
  if (!SHA.test(sha)) return null;
  const name = env["GITHUB_EVENT_NAME"] ?? "unknown";
  const followed = name === "workflow_run" ? followedRun(payload, env, repository) : null;
  const checkout = SHA.test(env["GITHUB_SHA"] ?? "") ? env["GITHUB_SHA"] ?? null : null;
  const event = { name, owner, repo, sha, checkout, pullRequest, runUrl: runUrlOf(env, repository) };
  return followed === null ? event : { ...event, followed };
}

export {
  eventOfReports,
  attemptOf,
  readEvent
};

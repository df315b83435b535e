// A loopback GitHub: a real HTTP server that holds comments and statuses and checks every request and every answer of its own
// against GitHub's OpenAPI description (__tests__/fixtures/github-openapi). What that does not know is added here by hand:
// the 140 characters of a status description, the size of a comment, GraphQL's viewer, and who may do what.

import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Ajv } from 'ajv';
import type { ValidateFunction } from 'ajv';
import { unhurried } from '../support/waiting.js';

type Json = Record<string, unknown>;
interface Parameter {
  name: string;
  in: 'path' | 'query';
  required?: boolean;
  schema: { type?: string };
}
interface Operation {
  parameters: (Parameter | { $ref: string })[];
  requestBody?: { content: { 'application/json': { schema: Json } } };
  responses: Record<string, unknown>;
}

const description = JSON.parse(readFileSync(new URL('../fixtures/github-openapi/api.github.com.json', import.meta.url), 'utf8')) as {
  paths: Record<string, Record<string, Operation>>;
  components: { examples: Record<string, { value: unknown }>; parameters: Record<string, Parameter> };
};
// OpenAPI 3.0 has keywords that JSON Schema does not (`nullable` without a type, `discriminator`), so not strict.
const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
ajv.addSchema(description, 'github');

/** A copy of an example from the description. */
function example(name: string): Json {
  const { value } = description.components.examples[name] ?? { value: null };
  return structuredClone(Array.isArray(value) ? value[0] : value) as Json;
}

function pointer(...parts: string[]): string {
  return `github#/${parts.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
}

const compiled = new Map<string, ValidateFunction>();
function validator(reference: string): ValidateFunction {
  const known = compiled.get(reference) ?? ajv.compile({ $ref: reference });
  compiled.set(reference, known);
  return known;
}

function complain(reference: string, value: unknown, what: string): string[] {
  const validate = validator(reference);
  return validate(value) ? [] : [`${what}: ${ajv.errorsText(validate.errors)}`];
}

interface Match {
  template: string;
  method: string;
  operation: Operation;
  params: Record<string, string>;
}

/** The operation of the description that a request means; the most literal path wins, as `issues/comments/1` over `issues/{n}/...`. */
function match(method: string, path: string): Match | null {
  for (const [template, methods] of Object.entries(description.paths)) {
    const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
    const pattern = new RegExp(`^${template.replaceAll(/\{\w+\}/g, '([^/]+)')}$`);
    const values = pattern.exec(path)?.slice(1);
    const operation = methods[method.toLowerCase()];
    if (values === undefined || operation === undefined) continue;
    const params = Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(values[index] ?? '')]));
    return { template, method: method.toLowerCase(), operation, params };
  }
  return null;
}

function parametersOf({ parameters }: Operation): Parameter[] {
  return parameters.map((item) =>
    '$ref' in item ? (description.components.parameters[item.$ref.split('/').pop() ?? ''] as Parameter) : item,
  );
}

/** Text from a URL as the type its schema asks for, so that ajv judges numbers as numbers. */
function typed(text: string, schema: { type?: string }): unknown {
  return schema.type === 'integer' && /^-?\d+$/.test(text) ? Number(text) : text;
}

function checkRequest({ template, method, operation, params }: Match, query: URLSearchParams, body: unknown): string[] {
  const problems: string[] = [];
  const known = parametersOf(operation);
  for (const name of query.keys()) {
    if (!known.some((parameter) => parameter.in === 'query' && parameter.name === name))
      problems.push(`query parameter ${name} is unknown`);
  }
  for (const parameter of known) {
    const text = parameter.in === 'path' ? params[parameter.name] : query.get(parameter.name);
    if (text === undefined || text === null) {
      if (parameter.required === true) problems.push(`${parameter.in} parameter ${parameter.name} is missing`);
      continue;
    }
    const check = ajv.compile(parameter.schema);
    if (!check(typed(text, parameter.schema)))
      problems.push(`${parameter.in} parameter ${parameter.name}: ${ajv.errorsText(check.errors)}`);
  }
  if (operation.requestBody === undefined && body !== undefined) problems.push('no body is allowed');
  if (operation.requestBody !== undefined) {
    const schema = pointer('paths', template, method, 'requestBody', 'content', 'application/json', 'schema');
    problems.push(...complain(schema, body, 'body'));
    const { properties = {} } = operation.requestBody.content['application/json'].schema as { properties?: Json };
    // The description leaves additional properties open, but a misspelt one is a bug of ours.
    for (const key of Object.keys((body as Json | undefined) ?? {})) if (!(key in properties)) problems.push(`body.${key} is unknown`);
  }
  return problems;
}

function checkAnswer({ template, method, operation }: Match, status: number, body: unknown): string[] {
  const response = operation.responses[String(status)] as { $ref?: string; content?: Json } | undefined;
  // GitHub documents few of the errors it gives; those share one shape.
  if (response === undefined)
    return status >= 400 ? complain(pointer('components', 'schemas', 'basic-error'), body, 'answer') : [`status ${status} is undocumented`];
  const base = response.$ref === undefined ? ['paths', template, method, 'responses', String(status)] : response.$ref.slice(2).split('/');
  return complain(pointer(...base, 'content', 'application/json', 'schema'), body, 'answer');
}

export interface Comment {
  id: number;
  body: string;
  login: string;
  type: 'User' | 'Bot';
  issue: number;
}

export interface SentStatus {
  sha: string;
  state: string;
  description: string;
  context: string;
  target_url?: string;
}

/** An answer put in place of the server's own. */
export interface Canned {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
  /** Close the connection instead of answering. */
  drop?: boolean;
  /** Do what was asked, and only then answer so: the client cannot know. */
  afterDoing?: boolean;
}

export interface GitHubDouble {
  url: string;
  owner: string;
  repo: string;
  comments: Comment[];
  statuses: SentStatus[];
  /** `METHOD /path?query` of each request, in order. */
  requests: string[];
  /** Breaches of the contract, by either side. A test that ends with one has failed. */
  violations: string[];
  /** Whose token it is; `installation` may not ask `GET /user`. */
  actor: { login: string; type: 'User' | 'Bot'; installation: boolean };
  /** Head of the pull request as the API tells it. */
  headSha: string;
  /** Open pull requests, for who looks for one by its head (`owner:branch`). */
  pulls: { number: number; head: string; sha: string }[];
  /** Text of files, by `path@ref`. */
  files: Record<string, string>;
  /** Answers to give first, by `METHOD /path` prefix; each is used once. */
  canned: { when: string; answer: Canned }[];
  /** Answers that stay. */
  always: { when: string; answer: Canned }[];
  close(): Promise<void>;
}

const MAX_COMMENT_BYTES = 65_536;
const FORBIDDEN = { message: 'Resource not accessible by integration', documentation_url: 'https://docs.github.com/rest', status: '403' };
export const FORBIDDEN_ANSWER: Canned = { status: 403, body: FORBIDDEN };

function userOf(login: string, type: string): Json {
  return { ...(example('issue-comment')['user'] as Json), login, type };
}

function commentJson(double: GitHubDouble, comment: Comment): Json {
  const url = `${double.url}/repos/${double.owner}/${double.repo}/issues/comments/${comment.id}`;
  return { ...example('issue-comment'), id: comment.id, url, body: comment.body, user: userOf(comment.login, comment.type) };
}

function pullJson({ number, sha }: GitHubDouble['pulls'][number]): Json {
  const pull = example('pull-request-simple-items');
  return { ...pull, number, requested_teams: [], head: { ...(pull['head'] as Json), sha } };
}

interface Answer {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

function validationFailed(message: string): Answer {
  return {
    status: 422,
    body: { message: 'Validation Failed', documentation_url: 'https://docs.github.com/rest', errors: [{ code: 'custom', message }] },
  };
}

function tooLong(body: string): boolean {
  return Buffer.byteLength(body) > MAX_COMMENT_BYTES;
}

/** One page of comments, with the `Link` header that octokit follows. */
function listComments(double: GitHubDouble, issue: number, path: string, query: URLSearchParams): Answer {
  const size = Number(query.get('per_page') ?? 30);
  const page = Number(query.get('page') ?? 1);
  const all = double.comments.filter((comment) => comment.issue === issue).sort((a, b) => a.id - b.id);
  const items = all.slice((page - 1) * size, page * size).map((comment) => commentJson(double, comment));
  const more = page * size < all.length;
  const next = `<${double.url}${path}?per_page=${size}&page=${page + 1}>; rel="next"`;
  return { status: 200, body: items, headers: more ? { link: next } : {} };
}

function perform(double: GitHubDouble, { template, method, params }: Match, path: string, query: URLSearchParams, body: Json): Answer {
  const { owner, repo, actor } = double;
  if (template === '/user') {
    if (actor.installation) return { status: 403, body: FORBIDDEN };
    return {
      status: 200,
      body: { ...example('private-user-response-with-public-profile-information'), login: actor.login, user_view_type: 'public' },
    };
  }
  if (params['owner'] !== owner || params['repo'] !== repo)
    return { status: 404, body: { message: 'Not Found', documentation_url: 'x', status: '404' } };
  if (template.endsWith('/contents/{path}')) return fileAt(double, params['path'] ?? '', query.get('ref') ?? '');
  if (template.endsWith('/pulls')) {
    const found = double.pulls.filter(({ head }) => head === (query.get('head') ?? head));
    return { status: 200, body: found.map(pullJson) };
  }
  if (template.endsWith('/pulls/{pull_number}')) {
    // GitHub's example breaks GitHub's schema in `requested_teams`, so that list is empty here.
    const pull = { ...example('pull-request'), requested_teams: [], number: Number(params['pull_number']) } as Json;
    return { status: 200, body: { ...pull, head: { ...(pull['head'] as Json), sha: double.headSha } } };
  }
  if (template.endsWith('/statuses/{sha}')) {
    const { description: text = '' } = body as { description?: string };
    if ([...text].length > 140) return validationFailed('description is too long (maximum is 140 characters)');
    double.statuses.push({ ...(body as unknown as SentStatus), sha: params['sha'] ?? '' });
    return { status: 201, body: { ...example('status'), ...body, creator: userOf(actor.login, actor.type) } };
  }
  if (method === 'get') return listComments(double, Number(params['issue_number']), path, query);
  const text = String(body['body']);
  if (tooLong(text)) return validationFailed('body is too long (maximum is 65536 characters)');
  if (method === 'patch') {
    const comment = double.comments.find(({ id }) => id === Number(params['comment_id']));
    if (comment === undefined) return { status: 404, body: { message: 'Not Found', documentation_url: 'x', status: '404' } };
    comment.body = text;
    return { status: 200, body: commentJson(double, comment) };
  }
  const id = Math.max(1000, ...double.comments.map((comment) => comment.id)) + 1;
  const comment: Comment = { id, body: text, login: actor.login, type: actor.type, issue: Number(params['issue_number']) };
  double.comments.push(comment);
  return { status: 201, body: commentJson(double, comment) };
}

function fileAt(double: GitHubDouble, path: string, ref: string): Answer {
  const text = double.files[`${path}@${ref}`];
  if (text === undefined) return { status: 404, body: { message: 'Not Found', documentation_url: 'x', status: '404' } };
  const content = Buffer.from(text).toString('base64').replaceAll(/.{60}/g, '$&\n');
  return {
    status: 200,
    body: { ...example('content-file-response-if-content-is-a-file'), path, content, encoding: 'base64', size: text.length },
  };
}

function graphql(double: GitHubDouble, body: unknown): Answer {
  const { query } = (body ?? {}) as { query?: unknown };
  if (typeof query !== 'string' || !/^query \{ viewer \{ login \} \}$/.test(query))
    double.violations.push(`unknown GraphQL query ${String(query)}`);
  return { status: 200, body: { data: { viewer: { login: double.actor.login } } } };
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}

function takeCanned(double: GitHubDouble, line: string): Canned | undefined {
  const index = double.canned.findIndex(({ when }) => line.startsWith(when));
  if (index >= 0) return double.canned.splice(index, 1)[0]?.answer;
  return double.always.find(({ when }) => line.startsWith(when))?.answer;
}

async function handle(double: GitHubDouble, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams, search } = new URL(request.url ?? '/', double.url);
  const method = request.method ?? 'GET';
  const line = `${method} ${pathname}${search}`;
  double.requests.push(line);
  const body = await readBody(request);
  if (!/^(token|bearer) \S+$/.test(request.headers.authorization ?? '')) double.violations.push(`${line}: no token was sent`);
  const canned = takeCanned(double, line);
  if (canned?.drop === true) {
    request.socket.destroy();
    return;
  }
  const found = match(method, pathname);
  const isGraphql = method === 'POST' && pathname === '/graphql';
  if (found === null && !isGraphql) double.violations.push(`${line}: no such operation`);
  if (found !== null) double.violations.push(...checkRequest(found, searchParams, body).map((problem) => `${line}: ${problem}`));
  const own = (): Answer => {
    if (isGraphql) return graphql(double, body);
    if (found === null) return { status: 404, body: { message: 'Not Found', documentation_url: 'x', status: '404' } };
    return perform(double, found, pathname, searchParams, (body ?? {}) as Json);
  };
  if (canned?.afterDoing === true) own();
  const answer: Answer = canned === undefined ? own() : { body: {}, ...canned };
  if (found !== null) double.violations.push(...checkAnswer(found, answer.status, answer.body).map((problem) => `${line}: ${problem}`));
  response.writeHead(answer.status, { 'content-type': 'application/json; charset=utf-8', connection: 'close', ...answer.headers });
  response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
}

/** Starts the server on a free port of the loopback interface. */
export async function startGitHub(): Promise<GitHubDouble> {
  const double: GitHubDouble = {
    url: '',
    owner: 'octo-org',
    repo: 'fast.kernels',
    comments: [],
    statuses: [],
    requests: [],
    violations: [],
    actor: { login: 'github-actions[bot]', type: 'Bot', installation: true },
    headSha: 'a'.repeat(40),
    pulls: [],
    files: {},
    canned: [],
    always: [],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  const server: Server = createServer((request, response) => {
    handle(double, request, response).catch((error: unknown) => {
      double.violations.push(`the double broke: ${String(error)}`);
      response.destroy();
    });
  });
  unhurried(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  double.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return double;
}

/** `count` comments by people, with ids that come before any that the server gives. */
export function chatter(double: GitHubDouble, count: number, issue: number): void {
  for (let index = 0; index < count; index += 1) {
    double.comments.push({ id: double.comments.length + 1, body: `Looks good ${index}`, login: `person-${index}`, type: 'User', issue });
  }
}

// Keeps tokens out of what is written. The runner masks its own log and job summaries, but neither comments nor commit statuses.
// Reports are redacted as data, before they are rendered, because Markdown escaping would hide a token's underscores.

const MASK = '***';
/** A shorter "secret" is a word of everyday text; masking it would make reports unreadable and tell the secret by its gaps. */
const SHORTEST_SECRET = 6;
/** Tokens of GitHub (classic, app and fine-grained) and of Hugging Face, not in the middle of a longer name. */
const TOKEN = /(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9_.-]{16,}|github_pat_[A-Za-z0-9_]{16,}|hf_[A-Za-z0-9]{16,})/g;

export type Redact = (text: string) => string;

/** A function that replaces `secrets` and whatever looks like a token by `***`. Empty and very short secrets are left out. */
export function redactor(secrets: readonly string[]): Redact {
  // Longest first, so that a secret which contains another one goes as a whole.
  const known = secrets.filter((secret) => secret.length >= SHORTEST_SECRET).sort((a, b) => b.length - a.length);
  return (text) => {
    let clean = text;
    for (const secret of known) clean = clean.replaceAll(secret, MASK);
    return clean.replaceAll(TOKEN, MASK);
  };
}

/** A copy of `data` (plain objects, lists and values) with every string in it redacted; keys and numbers stay, NaN too. */
export function redactData<T>(data: T, redact: Redact): T {
  const copy = (value: unknown): unknown => {
    if (typeof value === 'string') return redact(value);
    if (Array.isArray(value)) return value.map(copy);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, copy(entry)]));
  };
  return copy(data) as T;
}

// The tables of docs/reference.md that bench/models.mjs fills: results of diff, reference and transformers runs → Markdown. Measures nothing.

export const MARKERS = ['<!-- made by bench/models.mjs -->', '<!-- end of what bench/models.mjs made -->'];

const seconds = (value) => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} s`;
const size = (bytes) => (bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(2)} GB`);
const times = (value) => value.toFixed(1);
const sum = (values) => values.reduce((total, value) => total + value, 0);
const row = (cells) => `| ${cells.join(' | ')} |`;

function table(heads, rows) {
  return [row(heads.map(([head]) => head)), row(heads.map(([, side]) => (side === 'left' ? '---' : '---:'))), ...rows.map(row)].join('\n');
}

/** Checkpoints that differ in the number of layers only. */
function familyOf({ config }) {
  return JSON.stringify({ ...config, num_hidden_layers: null });
}

/** Families in order of their size, each from few layers to many. */
function families(records) {
  const groups = new Map();
  for (const record of records) groups.set(familyOf(record), [...(groups.get(familyOf(record)) ?? []), record]);
  const layers = ({ config }) => config.num_hidden_layers;
  const sorted = [...groups.values()].map((group) => group.sort((a, b) => layers(a) - layers(b)));
  return sorted.sort((a, b) => a.at(-1).bytes - b.at(-1).bytes);
}

function diffTable(records) {
  const heads = [
    'checkpoint',
    'layers',
    'weights',
    'tokens',
    'cold',
    'floor',
    'cold / floor',
    'per layer more',
    'peak',
    'warm',
    'cold / warm',
    'a kernel changed',
    'cold / changed',
    'peak, warm',
  ];
  const rows = families(records).flatMap((group) =>
    group.map(({ config, bytes, lengths, cold, warm, changed, floor }, i) => {
      const before = group[i - 1];
      const more = before === undefined ? null : config.num_hidden_layers - before.config.num_hidden_layers;
      return [
        group.at(-1).name,
        config.num_hidden_layers,
        size(bytes),
        sum(lengths),
        seconds(cold.seconds),
        seconds(floor.seconds),
        times(cold.seconds / floor.seconds),
        more === null ? '' : seconds((cold.seconds - before.cold.seconds) / more),
        size(cold.peak_bytes),
        warm === null ? '' : seconds(warm.seconds),
        warm === null ? '' : times(cold.seconds / warm.seconds),
        changed == null ? '' : seconds(changed.seconds),
        changed == null ? '' : times(cold.seconds / changed.seconds),
        warm === null ? '' : size(warm.peak_bytes),
      ];
    }),
  );
  return table(
    heads.map((head, i) => [head, i === 0 ? 'left' : 'right']),
    rows,
  );
}

/** What the reference's recipes are in transformers. */
const COUNTERPARTS = [
  ['eager', ['bfloat16', 'float32']],
  ['oracle', ['float64', 'float32']],
];

function passTable(references, others) {
  const heads = [
    'checkpoint',
    'weights',
    'pass',
    'start to file',
    'of it, load and forward',
    'forward alone',
    'peak memory',
    'weights / peak',
    'peak / ours',
  ];
  const rows = references.flatMap((reference) =>
    reference.passes.flatMap((pass) => {
      const dtypes = COUNTERPARTS.find(([recipe]) => recipe === pass.recipe)[1];
      const beside = dtypes.flatMap((dtype) =>
        others.filter(
          (other) =>
            other.dtype === dtype &&
            familyOf(other) === familyOf(reference) &&
            other.config.num_hidden_layers === reference.config.num_hidden_layers,
        ),
      );
      const whose = [reference.name, size(reference.bytes)];
      const share = ({ peak_bytes }) => times(reference.bytes / peak_bytes);
      const ours = [seconds(pass.seconds), seconds(pass.loaded_seconds), '', size(pass.peak_bytes), share(pass), ''];
      return [
        [...whose, `fused-compat, ${pass.recipe}`, ...ours],
        ...beside.map((other) => [
          ...whose,
          `transformers, ${other.dtype}`,
          seconds(other.seconds),
          seconds(other.loaded_seconds),
          seconds(other.forward_seconds),
          size(other.peak_bytes),
          share(other),
          times(other.peak_bytes / pass.peak_bytes),
        ]),
      ];
    }),
  );
  return table(
    heads.map((head) => [head, ['checkpoint', 'pass'].includes(head) ? 'left' : 'right']),
    rows,
  );
}

function hostLine({ machine, rates }) {
  const { cpu, cores, used_cores, system, node, day } = machine;
  const on = used_cores === null ? `${cores} cores` : `cores ${used_cores} of ${cores}`;
  const gemm = ['float32', 'float64'].map((type) => `${(rates[type] / 1e9).toFixed(0)} GFLOP/s in ${type}`).join(' and ');
  return `${cpu}, ${on}, ${system}, Node ${node}, ${day}; ONNX Runtime's Gemm on ${rates.threads} threads: ${gemm}; reading from the page cache: ${(rates.read / 1e9).toFixed(1)} GB/s.`;
}

/** Markdown of all results: records of models.mjs, reference.mjs and transformers_forward.py. */
export function tables(records) {
  const of = (kind) => records.filter((record) => record.kind === kind);
  const [diffs, references, others] = ['diff', 'reference', 'transformers'].map(of);
  const parts = [];
  const host = (of) => hostLine(families(of).at(-1).at(-1));
  if (diffs.length > 0) parts.push('The whole numeric diff (`check`):', diffTable(diffs), host(diffs));
  const changed = diffs.filter(({ same_evidence }) => same_evidence === false).map(({ name }) => name);
  if (changed.length > 0) parts.push(`**The warm run found something else than the cold one: ${changed.join(', ')}.**`);
  // A table for each machine: times of two do not stand beside each other.
  for (const cpu of new Set(references.map(({ machine }) => machine.cpu))) {
    const ours = references.filter(({ machine }) => machine.cpu === cpu);
    const compared = others.some((other) => ours.some((one) => familyOf(one) === familyOf(other)));
    parts.push(`One pass of the reference${compared ? ' beside transformers' : ''}:`, passTable(families(ours).flat(), others), host(ours));
  }
  const [versions] = others.map((other) => other.versions);
  if (versions !== undefined) parts.push(`transformers ${versions.transformers}, PyTorch ${versions.torch}, Python ${versions.python}.`);
  return parts.join('\n\n');
}

#!/usr/bin/env bash
# Everything that docs/gpu.md reports, on a machine with an NVIDIA GPU: `scripts/gpu/run.sh FOLDER`, then `node scripts/gpu/table.mjs FOLDER > docs/gpu.md`.
# Needs node, python3 with PyTorch and Triton, the CUDA driver. Only the part `detection` needs nvcc, and build/detection (`node scripts/detection.mjs prepare`). A part that fails is noted in FOLDER/parts.tsv and the others go on.
set -uo pipefail
cd "$(dirname "$0")/../.."
out=$(mkdir -p "${1:?usage: scripts/gpu/run.sh FOLDER [PART...]}" && cd "$1" && pwd)
shift
chosen="${*:-machine verify cuda late examples webgpu shapes detection}"
models=(examples/models/qwen3-mini examples/models/tinyllama-mini examples/models/ernie45-mini __tests__/models/mistral-mini __tests__/models/gemma3-mini)
shapes=${SHAPES_FOLDER:-/tmp/fused-compat-shapes}

check() { # NAME ARGS...
  local name=$1; shift
  node dist/cli.js check --fail-on never --format json --output "$out/$name" "$@" >/dev/null 2>"$out/$name.log"
}

machine() {
  nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv,noheader >"$out/machine.txt"
  python3 -c 'import torch, triton; print(f"torch {torch.__version__}, triton {triton.__version__}, CUDA {torch.version.cuda}")' >>"$out/machine.txt"
  echo "node $(node --version), $(uname -sr), $(nproc) CPU cores, $(date -u +%Y-%m-%d)" >>"$out/machine.txt"
}

verify() { python3 scripts/gpu/verify.py >"$out/verify.txt" 2>&1; }

cuda() {
  local status=0
  for dtype in bfloat16 float16; do
    check "cuda-$dtype" "${models[@]}" --kernels kernels/cuda --dtype "$dtype" --execution-provider cuda --require-gpu || status=1
  done
  return $status
}

# The two roundings of rms_norm_qkv, each alone in the model.
late() {
  local status=0
  for kernel in rms-norm-qkv rms-norm-qkv-late-rounding; do
    check "$kernel" "${models[@]}" --kernels "kernels/cuda/$kernel" --dtype bfloat16 --require-gpu || status=1
  done
  return $status
}

examples() {
  local status=0
  for example in examples/kernels/triton-* examples/kernels/pytorch-*; do
    check "$(basename "$example")" "${models[@]}" --kernels "$example" --dtype bfloat16 || status=1
  done
  return $status
}

webgpu() {
  local status=0
  for dtype in bfloat16 float16; do
    check "webgpu-$dtype" "${models[@]}" --execution-provider webgpu --dtype "$dtype" --require-gpu || status=1
  done
  return $status
}

shapes() {
  local status=0
  printf 'prompts:\n  - input-ids: [%s]\n' "$(seq -s, 1 256)" >"$out/shapes.yml"
  for shape in qwen3-0.6b tinyllama-1.1b ernie-4.5-0.3b; do
    [ -e "$shapes/$shape/config.json" ] || node bench/make-checkpoint.mjs "$shapes/$shape" --shape "$shape" --layers 2 >/dev/null
  done
  sed -i "1i models: [$shapes/qwen3-0.6b, $shapes/tinyllama-1.1b, $shapes/ernie-4.5-0.3b]\nmax-prompt-tokens: 256" "$out/shapes.yml"
  check shapes --config "$out/shapes.yml" --kernels kernels/cuda --dtype bfloat16 --require-gpu || status=1
  return $status
}

# Mutants of the CUDA kernels: `node scripts/detection.mjs table FOLDER/detection ...` puts them in docs/detection.md.
detection() { node scripts/detection.mjs cuda "$out/detection" >"$out/detection.log" 2>&1; }

for part in $chosen; do
  started=$SECONDS
  if "$part"; then result=done; else result=failed; fi
  printf '%s\t%s\t%s s\n' "$part" "$result" "$((SECONDS - started))" | tee -a "$out/parts.tsv"
done

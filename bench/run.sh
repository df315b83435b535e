#!/usr/bin/env bash
# What docs/reference.md says about speed and memory of whole models: `bench/run.sh FOLDER [PART...]`, then
# `node bench/models.mjs table FOLDER docs/reference.md`. Results go to FOLDER as JSON; checkpoints are made in $WORK, 7 GB for the small shapes
# and 33 GB for the large one. Needs node, taskset, and for transformers python3 with PyTorch; a part that fails is noted in FOLDER/parts.tsv.
#
# PART: small and large (the numeric diff, cold and warm, with all layers, a half and a quarter of them), small-passes and large-passes (one pass
# of the reference beside transformers). Settings, all in the environment:
#   CORES=0,1               cores that everything measured runs on; default: two that are not threads of one core
#   CHECK_ARGS='--check-arg=--some-option --check-arg={cache}'   what makes `check` keep references; --env=NAME=VALUE likewise
#   SMALL_PROMPTS=4 LARGE_PROMPTS=1   prompts of 64, 64, 61 and 50 tokens     SMALL_DTYPES, LARGE_DTYPES   what transformers computes in
#   LAYERS=N                at most so many layers, to try it out             WORK, PYTHON, CLI
set -uo pipefail
cd "$(dirname "$0")/.."
out=$(mkdir -p "${1:?usage: bench/run.sh FOLDER [PART...]}" && cd "$1" && pwd)
shift
chosen="${*:-small small-passes large large-passes}"
work=${WORK:-/tmp/fused-compat-bench}
python=${PYTHON:-python3}
cli=${CLI:-dist/cli.js}
small=(qwen3-0.6b:28 tinyllama-1.1b:22)
large=(qwen3-8b:36)
mkdir -p "$work"

two_cores() {
  local siblings second=1
  siblings=$(cat /sys/devices/system/cpu/cpu0/topology/thread_siblings_list 2>/dev/null || echo 0)
  while [[ ,${siblings/-/,}, == *,$second,* ]]; do second=$((second + 1)); done
  [ -e "/sys/devices/system/cpu/cpu$second" ] || second=1
  echo "0,$second"
}
cores=${CORES:-$(two_cores)}
# The kernel that is changed before the last run; without the development packages there is none.
[ -e "$work/kernels" ] || node bench/make-kernels.mjs "$work/kernels" || rm -rf "$work/kernels"
kernels=()
[ ! -e "$work/kernels" ] || kernels=(--kernels "$work/kernels")

# SHAPE:LAYERS PARTS -> folder of a checkpoint with LAYERS / PARTS layers, made where it is not there yet
checkpoint() {
  local shape=${1%:*} whole=${1#*:} layers name
  layers=$((${LAYERS:-$whole} < whole ? LAYERS : whole))
  layers=$(((layers + $2 - 1) / $2))
  name=$shape
  [ "$layers" -eq "$whole" ] || name=$shape-$layers-layers
  [ -e "$work/$name/config.json" ] || node bench/make-checkpoint.mjs "$work/$name" --shape "$shape" --layers "$layers" >&2 || return 1
  echo "$work/$name"
}

diffs() { # PROMPTS SHAPE:LAYERS...
  local prompts=$1 shape part folder status=0
  shift
  for shape in "$@"; do
    for part in 1 2 4; do
      folder=$(checkpoint "$shape" "$part") || return 1
      # shellcheck disable=SC2086 # a list of words
      node bench/models.mjs run --out "$out" --cli "$cli" --cores "$cores" --prompts "$prompts" "${kernels[@]}" ${CHECK_ARGS:-} "$folder" || status=1
    done
  done
  return $status
}

passes() { # RUNS DTYPES SHAPE:LAYERS...
  local runs=$1 dtypes=$2 shape folder name dtype status=0
  shift 2
  for shape in "$@"; do
    folder=$(checkpoint "$shape" 1) || return 1
    name=$(basename "$folder")
    node bench/reference.mjs "$folder" --cli "$cli" --cores "$cores" --runs "$runs" --limit-mb 1000 --json "$out/reference-$name.json" || status=1
    for dtype in $dtypes; do
      taskset -c "$cores" "$python" bench/transformers_forward.py "$folder" --dtype "$dtype" --json "$out/transformers-$name-$dtype.json" || status=1
    done
  done
  return $status
}

part() {
  case $1 in
    small) diffs "${SMALL_PROMPTS:-4}" "${small[@]}" ;;
    large) diffs "${LARGE_PROMPTS:-1}" "${large[@]}" ;;
    small-passes) passes 2 "${SMALL_DTYPES:-bfloat16 float32 float64}" "${small[@]}" ;;
    large-passes) passes 1 "${LARGE_DTYPES:-bfloat16 float32}" "${large[@]}" ;;
    *) echo "there is no part $1" >&2 && return 1 ;;
  esac
}

for name in $chosen; do
  started=$SECONDS
  if part "$name"; then result=done; else result=failed; fi
  printf '%s\t%s\t%s s\n' "$name" "$result" "$((SECONDS - started))" | tee -a "$out/parts.tsv"
done

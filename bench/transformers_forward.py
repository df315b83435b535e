"""One forward pass of a checkpoint by transformers on the CPU, for comparison with bench/reference.mjs: time and peak memory.

    taskset -c 0,1 python3 bench/transformers_forward.py FOLDER --dtype bfloat16 [--threads 2] [--json FILE]

Attention is eager, as the reference's recipe of that name, and the tokens, the hidden states of all layers and the written file are those of
`fused-compat reference`. float64 is the counterpart of its oracle.
"""

import os
import time


def since_start() -> float:
    """Seconds since this process was started."""
    with open("/proc/self/stat") as file:
        ticks = int(file.read().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def status_bytes(key: str) -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key + ":"))


def arguments():
    import argparse

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--dtype", choices=["bfloat16", "float32", "float64"], default="bfloat16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--forwards", type=int, default=3, help="forward passes in all; the best is the time of the forward alone")
    parser.add_argument("--json")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    os.environ.update(OMP_NUM_THREADS=str(args.threads), MKL_NUM_THREADS=str(args.threads))
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", CUDA_VISIBLE_DEVICES="")
    import json
    import platform
    import tempfile

    import torch
    import transformers
    from safetensors.torch import save_file

    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(args.threads)
    torch.set_num_interop_threads(1)
    # From here on the same as `reference` does with its program loaded: model → file of logits and hidden states.
    imported = since_start()
    model_class = transformers.AutoModelForCausalLM
    model = model_class.from_pretrained(args.folder, dtype=getattr(torch, args.dtype), attn_implementation="eager").eval()
    loaded = since_start()
    ids = torch.tensor([[(i * 2371 + 11) % 1000 for i in range(args.tokens)]])

    def forward() -> tuple[float, dict[str, torch.Tensor]]:
        start = time.perf_counter()
        with torch.inference_mode():
            out = model(ids, output_hidden_states=True, use_cache=False)
        return time.perf_counter() - start, {"logits": out.logits[0], "hidden": torch.stack(out.hidden_states)[:, 0]}

    first, tensors = forward()
    finite = bool(torch.isfinite(tensors["logits"]).all())
    with tempfile.TemporaryDirectory() as folder:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, os.path.join(folder, "out.safetensors"))
    written = since_start()
    peak = status_bytes("VmHWM")
    del tensors
    best = min([first] + [forward()[0] for _ in range(args.forwards - 1)])

    with open(os.path.join(args.folder, "config.json")) as file:
        config = json.load(file)
    record = {
        "kind": "transformers",
        "name": os.path.basename(os.path.normpath(args.folder)),
        "config": config,
        "dtype": args.dtype,
        "threads": args.threads,
        "tokens": args.tokens,
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__},
        "import_seconds": imported,
        "load_seconds": loaded - imported,
        "first_forward_seconds": first,
        "forward_seconds": best,
        "loaded_seconds": written - imported,
        "seconds": written,
        "peak_bytes": peak,
        "finite": finite,
    }
    if args.json is not None:
        with open(args.json, "w") as file:
            json.dump(record, file, indent=2)
            file.write("\n")
    print(
        f"{record['name']} {args.dtype}: {written:.2f} s to the written file (imports {imported:.2f}, load {loaded - imported:.2f}, "
        f"forward {first:.2f}), forward alone {best:.2f} s, peak memory {peak / 1e6:.0f} MB, logits finite: {finite}"
    )


main()

#!/usr/bin/env python3
"""Checks every kernel of kernels/cuda on an NVIDIA GPU against float64 and PyTorch eager, and times it.

    python3 scripts/gpu/verify.py                 on a GPU; needs PyTorch
    python3 scripts/gpu/verify.py --emulate       on the CPU, with g++: what the kernels compute, not how fast
    python3 scripts/gpu/verify.py --only attention --no-times

One line per case. `ulp`: largest distance from PyTorch eager in units in the last place. `rms`: error against float64 over the noise floor, which
is PyTorch's own error or that of rounding alone, whichever is larger; `max` the same for the largest error. Exit code 1 when anything is wrong.
"""

import argparse
import ctypes
import hashlib
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNELS = ROOT / "kernels" / "cuda"
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
UNIT_ROUNDOFF = {"bfloat16": 2.0**-8, "float16": 2.0**-11}
# The gate's own limits (docs/kernels.md).
LIMIT_RATIO = 2.0
SCALE_STANDARD_ERRORS = 6.0
SCALARS = {"i32": ctypes.c_int32, "u32": ctypes.c_uint32, "i64": ctypes.c_int64, "f32": ctypes.c_float, "bool": ctypes.c_bool}


# --- kernels ---


def expression(text, sizes):
    """Arithmetic of a manifest; these are our own manifests, checked to hold nothing else."""
    text = str(text)
    if not re.fullmatch(r"[\w\s+*/(),-]*", text):
        raise ValueError(text)
    names = {**sizes, "ceil_div": lambda a, b: -(-a // b), "min": min, "max": max}
    return eval(text.replace("/", "//"), {"__builtins__": {}}, names)  # noqa: S307


class Kernel:
    def __init__(self, folder, device):
        self.folder = folder
        self.manifest = json.loads((folder / "kernel.json").read_text())
        self.name = self.manifest["name"]
        self.op = self.manifest["op"]
        self.device = device

    def launcher(self, dtype, tensors, sizes, attributes):
        """A function that launches it once on the current stream."""
        values = {**sizes, **{k: {"half": 0, "interleaved": 1}.get(v, v) for k, v in attributes.items()}}
        args = []
        for arg in self.manifest["args"]:
            name, _, kind = arg.partition(":")
            if kind:
                args.append(SCALARS[kind](values[name]))
            else:
                args.append(ctypes.c_void_p(tensors[name].data_ptr() if name in tensors else None))

        def extent(given):
            values = [expression(e, sizes) for e in (given if isinstance(given, list) else [given])]
            return values + [1] * (3 - len(values))

        grid, block = extent(self.manifest["grid"]), extent(self.manifest["block"])
        shared = expression(self.manifest.get("shared_bytes", 0), sizes)
        function = self.device.function(self.folder, self.manifest, dtype, shared)
        pointers = (ctypes.c_void_p * len(args))(*[ctypes.cast(ctypes.pointer(a), ctypes.c_void_p) for a in args])
        return lambda: self.device.launch(function, grid, block, shared, pointers, args)


class Gpu:
    """The CUDA driver, in the context that PyTorch made."""

    name = "cuda"

    def __init__(self):
        torch.cuda.init()
        torch.zeros(1, device="cuda")
        self.cuda = ctypes.CDLL("libcuda.so.1")
        self.modules = {}
        self.functions = {}

    def check(self, code, what):
        if code != 0:
            text = ctypes.c_char_p()
            self.cuda.cuGetErrorString(code, ctypes.byref(text))
            raise RuntimeError(f"{what}: {(text.value or b'?').decode()} ({code})")

    def module(self, path):
        if path not in self.modules:
            log = ctypes.create_string_buffer(16384)
            options = (ctypes.c_int * 2)(5, 6)  # CU_JIT_ERROR_LOG_BUFFER and its size
            given = (ctypes.c_void_p * 2)(ctypes.cast(log, ctypes.c_void_p), ctypes.c_void_p(len(log)))
            module = ctypes.c_void_p()
            code = self.cuda.cuModuleLoadDataEx(ctypes.byref(module), path.read_bytes() + b"\0", 2, options, given)
            self.check(code, f"{path.name}: {log.value.decode()}")
            self.modules[path] = module
        return self.modules[path]

    def function(self, folder, manifest, dtype, shared):
        path = (folder / manifest["ptx"]).resolve()
        key = (path, manifest["entry"][dtype])
        if key not in self.functions:
            function = ctypes.c_void_p()
            self.check(self.cuda.cuModuleGetFunction(ctypes.byref(function), self.module(path), key[1].encode()), key[1])
            self.functions[key] = function
        if shared > 48 * 1024:
            self.check(self.cuda.cuFuncSetAttribute(self.functions[key], 8, shared), f"{shared} bytes of shared memory")
        return self.functions[key]

    def launch(self, function, grid, block, shared, pointers, _args):
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        self.check(self.cuda.cuLaunchKernel(function, *grid, *block, shared, stream, pointers, None), "launch")

    def synchronize(self):
        torch.cuda.synchronize()


class Emulation:
    """The same .cu files as C++ (emulation.h)."""

    name = "cpu"

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="emulation-")
        self.libraries = {}

    def library(self, source):
        if source in self.libraries:
            return self.libraries[source]
        text = source.read_text()
        text = re.sub(r"#include <cuda_\w+\.h>\n", "", text)
        text = re.sub(
            r"extern __shared__ (?:__align__\(16\) )?([\w ]+?) (\w+)\[\];",
            r"\1* const \2 = reinterpret_cast<\1*>(emulation::dynamic_shared);",
            text,
        )
        names = set()
        for file in KERNELS.rglob("kernel.json"):
            manifest = json.loads(file.read_text())
            if (file.parent / manifest["source"]).resolve() == source:
                names.update(manifest["entry"].values())
        table = "".join(f'{{"{name}", emulation::entry({name})}},' for name in sorted(names))
        text = f"""#include "{ROOT}/scripts/gpu/emulation.h"
{text}
static const std::map<std::string, std::function<void(void**)>> ENTRIES = {{{table}}};
extern "C" int launch(const char* name, const unsigned* grid, unsigned block, unsigned shared_bytes, void** args) {{
  return emulation::launch(ENTRIES.at(name), grid, block, shared_bytes, args);
}}
"""
        stem = pathlib.Path(self.folder.name) / hashlib.sha256(text.encode()).hexdigest()[:16]
        stem.with_suffix(".cpp").write_text(text)
        flags = ["-O2", "-std=c++17", "-shared", "-fPIC", "-w", "-ffp-contract=off", "-march=native"]
        subprocess.run(["g++", *flags, "-o", f"{stem}.so", f"{stem}.cpp"], check=True)
        self.libraries[source] = ctypes.CDLL(f"{stem}.so")
        return self.libraries[source]

    def function(self, folder, manifest, dtype, _shared):
        return self.library((folder / manifest["source"]).resolve()), manifest["entry"][dtype].encode()

    def launch(self, function, grid, block, shared, pointers, _args):
        library, name = function
        if library.launch(name, (ctypes.c_uint * 3)(*grid), block[0], shared, pointers) != 0:
            raise RuntimeError("wrote beyond its shared memory")

    def synchronize(self):
        pass


# --- buffers ---

GUARD = 64


class Guarded:
    """A tensor between two bands of a bit pattern that must survive; `shift` moves it by elements, off its alignment."""

    def __init__(self, shape, dtype, device, shift=0, values=None):
        count = math.prod(shape)
        bits = torch.int32 if dtype == torch.float32 else torch.int16
        self.pattern = -1234567 if bits == torch.int32 else -3  # a NaN in every dtype used
        self.all = torch.full((count + 2 * GUARD + shift,), self.pattern, dtype=bits, device=device)
        self.first, self.last = GUARD + shift, GUARD + shift + count
        self.bits = self.all[self.first : self.last]
        self.tensor = self.bits.view(dtype).view(shape)
        if values is not None:
            self.tensor.copy_(values)
        self.before = self.all.clone()

    def guards_intact(self):
        return bool((self.all[: self.first] == self.pattern).all()) and bool((self.all[self.last :] == self.pattern).all())

    def unchanged(self):
        return torch.equal(self.all, self.before)

    def unwritten(self):
        return int((self.bits == self.pattern).sum())


# --- references: PyTorch eager when `r` rounds, float64 when it does not ---


def norm(x, weight, eps, offset, compute, dtype, late=False):
    wide = x.to(compute)
    scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    if compute == torch.float64:
        return scaled * (offset + weight.to(compute))
    if offset == 0 and not late:
        return (scaled.to(dtype) * weight).to(dtype)
    return (scaled * (offset + weight.float())).to(dtype)


def rotate(x, cos, sin, layout, R):
    """x of any dtype: products in the dtype of cos, as eager does after casting cos and sin to the serving dtype."""
    part, rest = x[..., :R], x[..., R:]
    c, s = cos[:, None, :], sin[:, None, :]
    if layout == "interleaved":
        a, b = part[..., 0::2], part[..., 1::2]
        turned = torch.stack([a * c - b * s, b * c + a * s], -1).flatten(-2)
    else:
        a, b = part[..., : R // 2], part[..., R // 2 :]
        turned = torch.cat([a * c - b * s, b * c + a * s], -1)
    return torch.cat([turned, rest], -1)


def attend(q, k, v, a, compute, dtype):
    T, S = q.shape[0], k.shape[0]
    groups = q.shape[1] // k.shape[1]
    wide = (lambda x: x.double()) if compute == torch.float64 else (lambda x: x)
    qh = wide(q).transpose(0, 1)
    kh = wide(k).transpose(0, 1).repeat_interleave(groups, 0)
    vh = wide(v).transpose(0, 1).repeat_interleave(groups, 0)
    scores = (qh @ kh.transpose(1, 2)) * a["scale"]
    if a["softcap"] > 0:
        scores = torch.tanh(scores / a["softcap"]) * a["softcap"]
    position = torch.arange(S - T, S, device=q.device)[:, None]
    key = torch.arange(S, device=q.device)[None, :]
    hidden = torch.zeros(T, S, dtype=torch.bool, device=q.device)
    if a["causal"]:
        hidden |= key > position
    if a["window"] > 0:
        hidden |= key <= position - a["window"]
    scores = scores.masked_fill(hidden, -math.inf)
    p = torch.softmax(scores, -1, dtype=torch.float64 if compute == torch.float64 else torch.float32).to(vh.dtype)
    return (p @ vh).transpose(0, 1)


def reference(op, i, a, compute, dtype):
    """Outputs by name. compute float64: the oracle; None: PyTorch eager in the serving dtype."""
    exact = compute == torch.float64
    wide = (lambda x: x.double()) if exact else (lambda x: x)
    inner = torch.float64 if exact else torch.float32
    if op == "rms_norm":
        return {"y": norm(i["x"], i["weight"], a["eps"], a["weight_offset"], inner, dtype)}
    if op == "add_rms_norm":
        added = wide(i["x"]) + wide(i["residual"])
        # The contract adds first: a kernel's residual_out is what it norms, but the oracle never rounds.
        return {"y": norm(added, i["weight"], a["eps"], a["weight_offset"], inner, dtype), "residual_out": added}
    if op == "linear":
        y = wide(i["x"]) @ wide(i["weight"]).T if "bias" not in i or exact else torch.nn.functional.linear(i["x"], i["weight"], i["bias"])
        return {"y": y + wide(i["bias"]) if "bias" in i and exact else y}
    if op == "rms_norm_qkv":
        x = norm(i["x"], i["norm_weight"], a["eps"], a["weight_offset"], inner, dtype)
        bias = wide(i["qkv_bias"]) if "qkv_bias" in i else None
        y = torch.nn.functional.linear(x, wide(i["qkv_weight"]), bias)
        Nq, Nkv, D = a["num_heads"], a["num_kv_heads"], a["head_dim"]
        q, k, v = y.split([Nq * D, Nkv * D, Nkv * D], -1)
        return {"q": q.reshape(-1, Nq, D), "k": k.reshape(-1, Nkv, D), "v": v.reshape(-1, Nkv, D)}
    if op in ("qk_norm", "rope", "qk_norm_rope"):
        q, k = wide(i["q"]), wide(i["k"])
        if op != "rope":
            q = norm(q, i["q_weight"], a["eps"], a["weight_offset"], inner, dtype)
            k = norm(k, i["k_weight"], a["eps"], a["weight_offset"], inner, dtype)
        if op != "qk_norm":
            cos, sin = (i["cos"].double(), i["sin"].double()) if exact else (i["cos"].to(dtype), i["sin"].to(dtype))
            q, k = (rotate(x, cos, sin, a["layout"], a["rotary_dim"]) for x in (q, k))
        return {"q": q, "k": k}
    if op == "attention":
        return {"o": attend(i["q"], i["k"], i["v"], a, inner, dtype)}
    if op == "silu_mul":
        return {"y": torch.nn.functional.silu(wide(i["gate"])) * wide(i["up"])}
    raise ValueError(op)


# --- cases ---


def sized(op, s):
    """Shapes of inputs and outputs, and attributes with defaults."""
    T, H, Nq, Nkv, D, S, R, I = (s.get(n, 0) for n in ("T", "H", "Nq", "Nkv", "D", "S", "R", "I"))
    q, k = (T, Nq, D), (T, Nkv, D)
    shapes = {
        "rms_norm": ({"x": (T, H), "weight": (H,)}, {"y": (T, H)}),
        "add_rms_norm": ({"x": (T, H), "residual": (T, H), "weight": (H,)}, {"y": (T, H), "residual_out": (T, H)}),
        "linear": ({"x": (T, H), "weight": (I, H), "bias": (I,)}, {"y": (T, I)}),
        "rms_norm_qkv": (
            {"x": (T, H), "norm_weight": (H,), "qkv_weight": ((Nq + 2 * Nkv) * D, H), "qkv_bias": ((Nq + 2 * Nkv) * D,)},
            {"q": q, "k": k, "v": k},
        ),
        "qk_norm": ({"q": q, "k": k, "q_weight": (D,), "k_weight": (D,)}, {"q": q, "k": k}),
        "rope": ({"q": q, "k": k, "cos": (T, R // 2), "sin": (T, R // 2)}, {"q": q, "k": k}),
        "qk_norm_rope": (
            {"q": q, "k": k, "q_weight": (D,), "k_weight": (D,), "cos": (T, R // 2), "sin": (T, R // 2)},
            {"q": q, "k": k},
        ),
        "attention": ({"q": q, "k": (S, Nkv, D), "v": (S, Nkv, D)}, {"o": q}),
        "silu_mul": ({"gate": (T, I), "up": (T, I)}, {"y": (T, I)}),
    }
    inputs, outputs = shapes[op]
    if not s.get("bias"):
        inputs = {n: shape for n, shape in inputs.items() if n not in ("bias", "qkv_bias")}
    attributes = {
        "eps": s.get("eps", 1e-6),
        "weight_offset": s.get("offset", 0.0),
        "num_heads": Nq,
        "num_kv_heads": Nkv,
        "head_dim": D,
        "layout": s.get("layout", "half"),
        "rotary_dim": R,
        "scale": s.get("scale", D**-0.5 if D else 1.0),
        "causal": s.get("causal", True),
        "window": s.get("window", 0),
        "softcap": s.get("softcap", 0.0),
    }
    return inputs, outputs, attributes


def made(op, shapes, s, dtype, device, generator):
    """Inputs as models have them: a few large channels in x, norm weights around 1, large ones among them for K."""
    values = {}
    for name, shape in shapes.items():
        x = torch.randn(shape, generator=generator)
        if name in ("cos", "sin"):
            half = shape[1]
            angle = torch.arange(s["T"])[:, None] * 10000.0 ** (-torch.arange(half) / max(half, 1))
            values[name] = (angle.cos() if name == "cos" else angle.sin()).float().to(device)
            continue
        if name in ("weight", "norm_weight", "q_weight", "k_weight") and len(shape) == 1:
            x = 1 - s.get("offset", 0.0) + 0.3 * x
            if name == "k_weight":
                x[:: max(1, shape[0] // 4)] *= 20
        elif name in ("weight", "qkv_weight"):
            x = x * shape[1] ** -0.5
        elif name in ("x", "residual"):
            x[:, :: max(1, shape[1] // 3)] *= 8
        elif name in ("gate", "up"):
            x = x * 4
        elif op == "attention" and name in ("q", "k"):
            x = x * s.get("spread", 1.5)
        values[name] = x.to(dtype).to(device)
    return values


TAILS = [1, 15, 16, 17, 63, 64, 65, 127, 128, 129]


def cases(op, quick):
    T = [1, 17, 65] if quick else TAILS
    if op in ("rms_norm", "add_rms_norm"):
        for t in T:
            yield {"T": t, "H": 64}
        for h in [1, 7, 8, 33, 100, 129, 1000, 1024, 1032] + ([] if quick else [2048, 4096, 4104, 5120, 8200, 16384]):
            yield {"T": 3, "H": h}
        yield {"T": 5, "H": 256, "offset": 1.0}
        yield {"T": 5, "H": 255, "offset": 1.0}
        yield {"T": 5, "H": 256, "shift": 1}
        if not quick:
            yield {"T": 4100, "H": 1024}
    elif op == "linear":
        for t in T:
            yield {"T": t, "H": 96, "I": 80}
        for h, i in [(1, 1), (7, 5), (8, 8), (9, 33), (65, 31), (100, 100), (136, 40), (200, 129)]:
            yield {"T": 5, "H": h, "I": i, "bias": True}
        yield {"T": 20, "H": 72, "I": 64, "shift": 1}
        for t in ([512] if quick else [511, 512, 513, 1000]):
            yield {"T": t, "H": 40, "I": 72, "bias": True}
        yield {"T": 515, "H": 33, "I": 35}
        if not quick:
            yield {"T": 64, "H": 1024, "I": 3072}
            yield {"T": 640, "H": 3072, "I": 1024}
    elif op == "rms_norm_qkv":
        for t in T:
            yield {"T": t, "H": 64, "Nq": 4, "Nkv": 2, "D": 16}
        for h in [1, 9, 40, 63, 72, 136, 200]:
            yield {"T": 5, "H": h, "Nq": 2, "Nkv": 1, "D": 8}
        yield {"T": 6, "H": 72, "Nq": 3, "Nkv": 3, "D": 5, "bias": True}
        yield {"T": 6, "H": 72, "Nq": 3, "Nkv": 1, "D": 24, "bias": True}
        yield {"T": 6, "H": 71, "Nq": 1, "Nkv": 1, "D": 33}
        yield {"T": 20, "H": 64, "Nq": 5, "Nkv": 1, "D": 20, "offset": 1.0}
        yield {"T": 20, "H": 64, "Nq": 2, "Nkv": 2, "D": 16, "shift": 1}
        yield {"T": 513, "H": 40, "Nq": 3, "Nkv": 1, "D": 24, "bias": True}
        yield {"T": 515, "H": 33, "Nq": 1, "Nkv": 1, "D": 15, "offset": 1.0}
        if not quick:
            for t in (64, 100, 600):
                yield {"T": t, "H": 1024, "Nq": 16, "Nkv": 8, "D": 128}
            yield {"T": 65, "H": 2048, "Nq": 32, "Nkv": 4, "D": 64}
            yield {"T": 65, "H": 640, "Nq": 4, "Nkv": 1, "D": 256, "offset": 1.0}
    elif op in ("qk_norm", "rope", "qk_norm_rope"):
        for t in T:
            yield {"T": t, "Nq": 4, "Nkv": 2, "D": 32, "R": 32}
        for d, r in [(2, 2), (6, 4), (64, 64), (80, 32), (96, 96), (128, 128), (128, 64), (256, 256), (33, 32), (255, 254)]:
            for layout in ("half", "interleaved"):
                yield {"T": 7, "Nq": 3, "Nkv": 1, "D": d, "R": r, "layout": layout}
        yield {"T": 7, "Nq": 4, "Nkv": 1, "D": 256, "R": 256, "offset": 1.0}
        yield {"T": 7, "Nq": 4, "Nkv": 4, "D": 64, "R": 64, "layout": "interleaved", "shift": 1}
        if not quick:
            yield {"T": 2048, "Nq": 16, "Nkv": 8, "D": 128, "R": 128}
    elif op == "attention":
        for t in T:
            yield {"T": t, "S": t, "Nq": 4, "Nkv": 2, "D": 32}
        for d in [8, 16, 20, 33, 64, 72, 80, 96, 128, 136, 256] + ([] if quick else [1, 40, 120, 200, 255]):
            yield {"T": 70, "S": 70, "Nq": 2, "Nkv": 1, "D": d}
        for t, past in [(1, 64), (1, 129), (17, 100), (65, 1), (3, 62)]:
            yield {"T": t, "S": t + past, "Nq": 3, "Nkv": 1, "D": 64}
        for w in [1, 2, 16, 63, 64, 65, 100]:
            yield {"T": 130, "S": 130, "Nq": 2, "Nkv": 2, "D": 16, "window": w}
        yield {"T": 5, "S": 200, "Nq": 2, "Nkv": 2, "D": 24, "window": 70}
        yield {"T": 40, "S": 40, "Nq": 7, "Nkv": 7, "D": 48, "causal": False}
        yield {"T": 40, "S": 90, "Nq": 6, "Nkv": 3, "D": 48, "causal": False, "window": 20}
        yield {"T": 66, "S": 66, "Nq": 2, "Nkv": 1, "D": 64, "softcap": 20.0}
        yield {"T": 66, "S": 66, "Nq": 4, "Nkv": 1, "D": 256, "softcap": 50.0, "window": 32, "scale": 1 / 16}
        yield {"T": 66, "S": 66, "Nq": 2, "Nkv": 1, "D": 32, "spread": 8.0}
        yield {"T": 66, "S": 66, "Nq": 2, "Nkv": 1, "D": 64, "shift": 1}
        if not quick:
            yield {"T": 1000, "S": 1000, "Nq": 16, "Nkv": 8, "D": 128}
            yield {"T": 300, "S": 3000, "Nq": 8, "Nkv": 1, "D": 64}
            yield {"T": 700, "S": 700, "Nq": 4, "Nkv": 1, "D": 256, "window": 512}
    elif op == "silu_mul":
        for t in T:
            yield {"T": t, "I": 96}
        for i in [1, 3, 7, 8, 9, 2047, 2048, 2049]:
            yield {"T": 3, "I": i}
        yield {"T": 7, "I": 40, "shift": 1}
        if not quick:
            yield {"T": 2048, "I": 5632}


# --- comparison ---


def rms(x):
    return float(x.double().pow(2).mean().sqrt())


def ulps(a, b):
    """Distance in representable values, of two tensors of one 16-bit dtype."""
    order = lambda x: torch.where((bits := x.view(torch.int16).int()) < 0, -(bits & 0x7FFF), bits)  # noqa: E731
    return int((order(a.contiguous()) - order(b.contiguous())).abs().max())


def scale_error(fused, oracle, eager, dtype):
    """Standard errors and mean of the relative error over elements that are not small."""
    large = oracle.abs() > 0.1 * rms(oracle)
    if int(large.sum()) < 30:
        return 0.0, 0.0
    relative = (fused - oracle)[large] / oracle[large]
    standard_error = float(relative.std()) / math.sqrt(relative.numel())
    mean = float(relative.mean())
    own = abs(float(((eager - oracle)[large] / oracle[large]).mean()))
    if standard_error == 0 or abs(mean) <= max(UNIT_ROUNDOFF[dtype] / 4, 2 * own):
        return 0.0, mean
    return abs(mean) / standard_error, mean


def run_case(kernel, s, dtype, device):
    """Problems in words, and the numbers of the line."""
    torch_dtype = DTYPES[dtype]
    inputs, outputs, attributes = sized(kernel.op, s)
    generator = torch.Generator().manual_seed(7)
    values = made(kernel.op, inputs, s, torch_dtype, device.name, generator)
    given = {n: Guarded(inputs[n], v.dtype, device.name, s.get("shift", 0), v) for n, v in values.items()}
    sizes = {n: s[n] for n in ("T", "H", "Nq", "Nkv", "D", "R", "S", "I") if n in s}
    problems = []

    def once():
        made_outputs = {n: Guarded(shape, torch_dtype, device.name, s.get("shift", 0)) for n, shape in outputs.items()}
        tensors = {n: g.tensor for n, g in given.items()}
        tensors.update({f"out_{n}" if n in inputs else n: g.tensor for n, g in made_outputs.items()})
        kernel.launcher(dtype, tensors, sizes, attributes)()
        device.synchronize()
        return made_outputs

    first, second = once(), once()
    oracle = reference(kernel.op, values, attributes, torch.float64, torch_dtype)
    eager = reference(kernel.op, values, attributes, None, torch_dtype)
    worst = {"ulp": 0, "rms": 0.0, "max": 0.0, "equal": 1.0}
    for name, output in first.items():
        if not output.guards_intact():
            problems.append(f"{name}: wrote outside of it")
        if not torch.equal(output.bits, second[name].bits):
            problems.append(f"{name}: two runs differ")
        if output.unwritten() > 0:
            problems.append(f"{name}: {output.unwritten()} elements not written")
            continue
        fused, exact, pytorch = output.tensor, oracle[name].reshape(outputs[name]), eager[name].reshape(outputs[name])
        if not bool(torch.isfinite(fused).all()):
            problems.append(f"{name}: not finite")
            continue
        rounded = exact.to(torch_dtype)
        floor = max(rms(pytorch.double() - exact), rms(rounded.double() - exact))
        floor_max = max(float((pytorch.double() - exact).abs().max()), float((rounded.double() - exact).abs().max()))
        error, error_max = rms(fused.double() - exact), float((fused.double() - exact).abs().max())
        ratio = 0.0 if error == 0 else error / floor if floor > 0 else math.inf
        ratio_max = 0.0 if error_max == 0 else error_max / floor_max if floor_max > 0 else math.inf
        # With a handful of elements a ratio is one element's luck: then the bound is two units in the last place.
        few = fused.numel() < 64
        if ratio > LIMIT_RATIO and not (few and ulps(fused, rounded) <= 2):
            problems.append(f"{name}: rms ratio {ratio:.2f}")
        if ratio_max > 2 * LIMIT_RATIO and not (few and ulps(fused, rounded) <= 2):
            problems.append(f"{name}: max ratio {ratio_max:.2f}")
        deviations, mean = scale_error(fused.double(), exact, pytorch.double(), dtype)
        if deviations > SCALE_STANDARD_ERRORS:
            problems.append(f"{name}: off by a factor of {1 + mean:.5f}")
        worst["ulp"] = max(worst["ulp"], ulps(fused, pytorch))
        worst["rms"] = max(worst["rms"], ratio)
        worst["max"] = max(worst["max"], ratio_max)
        worst["equal"] = min(worst["equal"], float((fused == pytorch).float().mean()))
    for name, buffer in given.items():
        if not buffer.unchanged():
            problems.append(f"{name}: the input was changed")
    problems += row_problems(kernel, s, dtype, device, given, first, inputs, outputs, attributes, sizes)
    return problems, worst


def row_problems(kernel, s, dtype, device, given, first, inputs, outputs, attributes, sizes):
    """A token's result has the same bits with fewer tokens beside it (attention: the last tokens, so that positions stay)."""
    t = min(s["T"], 3) if s["T"] < 512 else 511
    if t == s["T"]:
        return []
    torch_dtype = DTYPES[dtype]
    tensors = {}
    for name, buffer in given.items():
        tensor = buffer.tensor
        if name in ("x", "residual", "gate", "up", "cos", "sin") or (name in ("q", "k") and kernel.op != "attention"):
            tensor = tensor[:t].clone()
        if kernel.op == "attention" and name == "q":
            tensor = tensor[-t:].clone()
        tensors[name] = tensor
    few = {n: Guarded((t, *shape[1:]), torch_dtype, device.name) for n, shape in outputs.items()}
    tensors.update({f"out_{n}" if n in inputs else n: g.tensor for n, g in few.items()})
    kernel.launcher(dtype, tensors, {**sizes, "T": t}, attributes)()
    device.synchronize()
    problems = []
    for name, output in few.items():
        full = first[name].tensor[-t:] if kernel.op == "attention" else first[name].tensor[:t]
        # A shifted tensor may take the path for unaligned memory, which sums in the same order.
        if kernel.op == "attention" or kernel.op in ("rms_norm", "add_rms_norm") and s.get("shift"):
            if ulps(output.tensor, full.contiguous()) > 64:
                problems.append(f"{name}: depends on the other tokens")
        elif not torch.equal(output.tensor, full):
            problems.append(f"{name}: depends on the other tokens")
    return problems


# --- times ---

MODELS = {
    "Qwen3-0.6B": {"H": 1024, "Nq": 16, "Nkv": 8, "D": 128, "R": 128, "I": 3072},
    "TinyLlama-1.1B": {"H": 2048, "Nq": 32, "Nkv": 4, "D": 64, "R": 64, "I": 5632},
    "ERNIE-4.5-0.3B": {"H": 1024, "Nq": 16, "Nkv": 2, "D": 128, "R": 128, "I": 3072, "layout": "interleaved"},
}
# Measured on one H200: a copy, and a large bfloat16 product.
BYTES_PER_S = 4.3e12
FLOP_PER_S = 788e12
# Beyond the L2 cache (60 MB), so that weights come from memory, as they do in a model of many layers.
ROTATE_BYTES = 256 * 2**20


def graph_time(launches):
    """Microseconds of one launch, from a CUDA graph of them all: median of 15 replays after 3."""
    for launch in launches[:2]:
        launch()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for launch in launches:
            launch()
    times = []
    for i in range(18):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        if i >= 3:
            times.append(start.elapsed_time(end))
    return sorted(times)[len(times) // 2] * 1000 / len(launches)


def work(op, s, inputs, outputs):
    """Bytes that must move, and floating-point operations of products."""
    size = lambda n: 4 if n in ("cos", "sin") else 2  # noqa: E731
    moved = sum(math.prod(v) * size(n) for n, v in inputs.items()) + sum(math.prod(v) * 2 for v in outputs.values())
    if op == "rms_norm_qkv":
        return moved, 2 * s["T"] * s["H"] * (s["Nq"] + 2 * s["Nkv"]) * s["D"]
    if op == "linear":
        return moved, 2 * s["T"] * s["H"] * s["I"]
    if op == "attention":
        pairs = s["T"] * (s["T"] + 1) / 2 + s["T"] * (s["S"] - s["T"])
        return moved, 4 * pairs * s["Nq"] * s["D"]
    return moved, 0


def time_kernel(kernel, model, T, dtype, device):
    s = {**MODELS[model], "T": T, "S": T}
    torch_dtype = DTYPES[dtype]
    inputs, outputs, attributes = sized(kernel.op, s)
    moved, flops = work(kernel.op, s, inputs, outputs)
    copies = max(2, min(64, math.ceil(ROTATE_BYTES / moved)))
    generator = torch.Generator().manual_seed(7)
    values = made(kernel.op, inputs, s, torch_dtype, device.name, generator)
    sizes = {n: s[n] for n in ("T", "H", "Nq", "Nkv", "D", "R", "S", "I")}
    launches, pytorch, kept = [], [], []
    for _ in range(copies):
        tensors = {n: v.clone() for n, v in values.items()}
        results = {n: torch.empty(shape, dtype=torch_dtype, device=device.name) for n, shape in outputs.items()}
        named = {**tensors, **{f"out_{n}" if n in inputs else n: r for n, r in results.items()}}
        kept.append(named)
        launches.append(kernel.launcher(dtype, named, sizes, attributes))
        pytorch.append(lambda t=tensors: reference(kernel.op, t, attributes, None, torch_dtype))
    took = graph_time(launches)
    eager = graph_time(pytorch)
    floor = max(moved / BYTES_PER_S, flops / FLOP_PER_S) * 1e6
    rate = f"{flops / took / 1e6:7.1f} TFLOP/s" if flops > 0 and flops / FLOP_PER_S > moved / BYTES_PER_S else f"{moved / took / 1e3:7.0f} GB/s   "
    print(
        f"time {kernel.name:32} {model:15} T={T:<5} {dtype:8} {took:9.2f} us  {rate}  floor {floor:8.2f} us  x{took / floor:5.1f}  PyTorch eager {eager:9.2f} us  x{eager / took:5.2f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emulate", action="store_true", help="on the CPU, with g++")
    parser.add_argument("--only", default="", help="kernels whose name holds this")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller cases (with --emulate always)")
    parser.add_argument("--no-times", action="store_true")
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    if options.emulate:
        device = Emulation()
    else:
        if not torch.cuda.is_available():
            sys.exit("no CUDA device; --emulate runs the kernels on the CPU")
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
        device = Gpu()
        print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    kernels = [Kernel(file.parent, device) for file in sorted(KERNELS.rglob("kernel.json"))]
    kernels = [k for k in kernels if options.only in k.name]
    failed = total = 0
    for kernel in kernels:
        for dtype in kernel.manifest["dtypes"]:
            for s in cases(kernel.op, options.quick or options.emulate):
                total += 1
                shape = " ".join(f"{k}={v}" for k, v in s.items())
                problems, worst = run_case(kernel, s, dtype, device)
                failed += bool(problems)
                verdict = "ok  " if not problems else "FAIL"
                print(
                    f"{verdict} {kernel.name:32} {dtype:8} ulp {worst['ulp']:5} rms {worst['rms']:5.2f} max {worst['max']:5.2f} equal {worst['equal']:7.2%}  {shape}"
                    + "".join(f"\n     {p}" for p in problems),
                    flush=True,
                )
    if not options.emulate and not options.no_times:
        for kernel in kernels:
            for model in MODELS:
                for T in (64, 2048):
                    time_kernel(kernel, model, T, "bfloat16", device)
    print(f"{total - failed} of {total} cases passed")
    sys.exit(1 if failed or total == 0 else 0)


if __name__ == "__main__":
    main()

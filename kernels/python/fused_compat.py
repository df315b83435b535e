"""Puts a Python function under test by fused-compat (backend `command`, process protocol 1 of docs/kernels.md).

    import fused_compat
    import torch

    @fused_compat.kernel("rms_norm")
    def rms_norm(x, weight, eps, weight_offset):
        return my_extension.rms_norm(x, weight + weight_offset, eps)

    fused_compat.serve()

One file, Python 3.9 or newer, with PyTorch or NumPy and nothing else. Copy it beside your kernel, or put its folder on PYTHONPATH.

With PyTorch, tensors have the dtype that the model is served in and lie on the device. With NumPy there is no bfloat16: such tensors are
float32 arrays that hold bfloat16 values, and results are rounded to bfloat16, ties to even.

On every call it is checked that the kernel leaves its inputs as they were, writes nothing before or after them, and writes all of its outputs.
"""

import ctypes
import inspect
import json
import os
import statistics
import struct
import sys
import time
import traceback

__all__ = ["kernel", "serve"]

PROTOCOL = 1

#: Outputs of each op in the order of a returned tuple (the contracts of docs/kernels.md).
OUTPUTS = {
    "rms_norm": ("y",),
    "add_rms_norm": ("y", "residual_out"),
    "linear": ("y",),
    "rms_norm_qkv": ("q", "k", "v"),
    "qk_norm": ("q", "k"),
    "rope": ("q", "k"),
    "qk_norm_rope": ("q", "k"),
    "attention": ("o",),
    "silu_mul": ("y",),
    "gelu_tanh_mul": ("y",),
    "swiglu_mlp": ("y",),
    "decoder_layer": ("y",),
    "model": ("logits",),
    "generate": ("output_ids",),
}

VARIANTS = ("fused", "standard")
SERVING = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}
ITEM_BYTES = {"BF16": 2, "F16": 2, "F32": 4, "I64": 8}

#: Bytes before and after every input. All bits set: NaN in every float dtype, -1 as an integer. A multiple of any alignment a kernel asks for.
GUARD_BYTES = 65536
GUARD = 0xFF
#: What fresh memory is filled with, 16 bits at a time: a quiet NaN in bfloat16, float16 and float32 that no arithmetic gives by itself.
POISON = 0xFFDB
#: Blocks of each size that are poisoned: a kernel's temporaries take some of them.
POISON_BLOCKS = 3

WARM_UP = 3
#: Exit code when the device cannot be used any more.
DEVICE_LOST = 70

_kernels = {}


class _Refused(Exception):
    """The call cannot be answered; the text is for the user."""


def kernel(op, variant="fused"):
    """Registers a function as the kernel for `op`, or as your own unfused path for it (`variant="standard"`).

    The function is called by name: parameters that bear the name of an input of the op get the tensor, those that bear the name of an
    attribute get the number or text; `**rest` gets everything else. It returns a tensor, a tuple in the order of the op's outputs, or a dict.
    """
    if op not in OUTPUTS:
        raise ValueError("unknown op %r; known are %s" % (op, ", ".join(OUTPUTS)))
    if variant not in VARIANTS:
        raise ValueError("unknown variant %r; known are %s" % (variant, ", ".join(VARIANTS)))

    def register(function):
        if (op, variant) in _kernels:
            raise ValueError("%s has a %s kernel already" % (op, variant))
        _kernels[op, variant] = function
        return function

    return register


def serve(device=None, arrays=None, name=None):
    """Speaks the protocol until stdin is closed. What is printed from here on goes to stderr.

    device: of PyTorch (`"cuda:1"`); default: `cuda` where there is one, else `cpu`.
    arrays: `"torch"` or `"numpy"`; default: PyTorch when your file has imported it, else NumPy.
    name: of this program; default: the name of its file.
    """
    requests, answers = _private_pipes()
    backend = None
    for line in requests:
        message = json.loads(line)
        if message.get("type") == "hello":
            try:
                backend = _backend(arrays, device)
                answer = _ready(message, backend, name)
            except _Refused as refused:
                answer = {"type": "error", "message": str(refused)}
        elif message.get("type") == "call" and backend is not None:
            answer = _answer(backend, message)
        else:
            answer = {"type": "error", "message": "fused_compat.py does not know %r here" % (message.get("type"),)}
        try:
            answers.write(json.dumps(answer).encode("ascii") + b"\n")
        except BrokenPipeError:
            return


def _private_pipes():
    """The protocol's pipes for us alone: a library that prints, or a child that reads, must not get between."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, answers


def _backend(arrays, device):
    if arrays not in (None, "torch", "numpy"):
        raise _Refused('serve(arrays=...) must be "torch" or "numpy"')
    wanted = [arrays] if arrays else ["torch", "numpy"] if "torch" in sys.modules else ["numpy", "torch"]
    reasons = []
    for each in wanted:
        try:
            return _Torch(device) if each == "torch" else _NumPy()
        except ImportError as error:
            reasons.append(str(error))
    raise _Refused("needs PyTorch or NumPy: %s" % "; ".join(reasons))


def _ready(message, backend, name):
    if message.get("protocol") != PROTOCOL:
        raise _Refused("this fused_compat.py speaks protocol %d, not %r" % (PROTOCOL, message.get("protocol")))
    if message.get("dtype") not in SERVING:
        raise _Refused("unknown dtype %r" % (message.get("dtype"),))
    backend.serving = SERVING[message["dtype"]]
    ops = sorted(op for op, variant in _kernels if variant == "fused")
    # One list for all ops: only what all of them have.
    standard = bool(ops) and all((op, "standard") in _kernels for op in ops)
    return {
        "type": "ready",
        "name": name or os.path.basename(sys.argv[0] or "kernel"),
        "ops": ops,
        "variants": ["fused", "standard"] if standard else ["fused"],
        "device": backend.device_name,
    }


def _answer(backend, message):
    answer = {"type": "result", "id": message["id"]}
    try:
        answer.update(_call(backend, message))
        return answer
    except _Refused as refused:
        text = str(refused)
    except Exception as error:  # whatever the user's function raises
        traceback.print_exc()
        text = _explain(error, backend)
    # Frames hold tensors: only now are they gone, and their memory free for the next call.
    backend.recover()
    return {"type": "error", "id": message["id"], "message": text}


def _explain(error, backend):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = "%s: %s" % (type(error).__name__, lines[0] if lines else "")
    if backend.is_out_of_memory(error):
        text = "out of memory on %s: %s" % (backend.device_name, text)
    frames = traceback.extract_tb(error.__traceback__)
    own = os.path.abspath(__file__)
    last = [frame for frame in frames if os.path.abspath(frame.filename) != own][-1:] or frames[-1:]
    where = "".join("\n%s:%s: %s" % (os.path.basename(frame.filename), frame.lineno, frame.line) for frame in last)
    return text + where


def _call(backend, message):
    op, variant, repeat = message["op"], message["variant"], int(message.get("repeat", 1))
    function = _kernels.get((op, variant))
    if function is None:
        raise _Refused("no function is registered as %s kernel for %s" % (variant, op))
    inputs = {name: backend.guarded(*stored) for name, stored in read_safetensors(message["inputs"]).items()}
    arguments = _arguments(function, op, {name: each.array for name, each in inputs.items()}, message.get("attributes", {}))

    def run():
        return _named(op, backend.run(lambda: function(**arguments)))

    shapes = tuple(sorted((name, tuple(each.array.shape)) for name, each in inputs.items()))
    if (op, variant, shapes) not in backend.sizes:
        # Only a first run tells how much memory the outputs take.
        sizes = [backend.size(array) for array in run().values()]
        backend.sizes[op, variant, shapes] = sizes
        for each in inputs.values():
            backend.restore(each)
    backend.poison(backend.sizes[op, variant, shapes])
    outputs = run()
    violations = [found for output, array in outputs.items() for found in backend.unwritten(output, array)]
    # Stored before the timing: a kernel may give the same buffer every time.
    write_safetensors(message["outputs"], {output: backend.stored(output, array) for output, array in outputs.items()})
    del outputs
    time_us = None
    if repeat > 1:
        for _ in range(WARM_UP):
            run()
        time_us = backend.time_us(lambda: function(**arguments), repeat)
    violations += [found for name, each in inputs.items() for found in backend.disturbed(name, each)]
    return {"time_us": time_us, "violations": violations}


def _arguments(function, op, tensors, attributes):
    """What the function asks for by name. Tensors must all be taken: a bias left aside would be a wrong result, not a choice."""
    given = {**attributes, **tensors}
    parameters = inspect.signature(function).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return given
    arguments = {}
    for each in parameters:
        if each.name in given:
            arguments[each.name] = given[each.name]
        elif each.default is each.empty and each.kind is not each.VAR_POSITIONAL:
            raise _Refused("parameter %s of %s is no input or attribute of %s here; there are: %s" % (each.name, function.__name__, op, ", ".join(given)))
    left = [name for name in tensors if name not in arguments]
    if left:
        raise _Refused("%s does not take %s, input of %s here" % (function.__name__, ", ".join(left), op))
    return arguments


def _named(op, returned):
    names = OUTPUTS[op]
    if isinstance(returned, dict):
        missing = [name for name in names if name not in returned]
        if missing:
            raise _Refused("the function's dict has no %s; %s gives %s" % (", ".join(missing), op, ", ".join(names)))
        return {name: returned[name] for name in names}
    values = tuple(returned) if isinstance(returned, (tuple, list)) else (returned,)
    if len(values) != len(names):
        raise _Refused("the function returned %d values; %s gives %s" % (len(values), op, ", ".join(names)))
    return dict(zip(names, values))


class _Guarded:
    """An input in the middle of a larger buffer, and what that buffer held before the call."""

    def __init__(self, array, buffer, before):
        self.array, self.buffer, self.before = array, buffer, before


class _Arrays:
    """What both libraries have in common."""

    serving = None

    def __init__(self):
        #: Bytes of each output, by op, variant and shapes of the inputs.
        self.sizes = {}

    def disturbed(self, name, guarded):
        at = self.first_difference(guarded.buffer, guarded.before)
        if at is None:
            return
        size = int(guarded.buffer.shape[0])
        if GUARD_BYTES <= at < size - GUARD_BYTES:
            item = (size - 2 * GUARD_BYTES) // max(_product(guarded.array.shape), 1)
            yield {"check": "inputs_unchanged", "detail": "input %s was changed (first at element %d)" % (name, (at - GUARD_BYTES) // item)}
        elif at < GUARD_BYTES:
            yield {"check": "guard_bands", "detail": "memory before input %s was written (first %d bytes before it)" % (name, GUARD_BYTES - at)}
        else:
            after = at - (size - GUARD_BYTES)
            yield {"check": "guard_bands", "detail": "memory after input %s was written (first %d bytes after its end)" % (name, after)}

    def unwritten(self, name, array):
        shape = [int(size) for size in getattr(array, "shape", ())]
        places = self.poisoned(array) if shape else []
        if len(places) == 0:
            return
        row = max(_product(shape[1:]), 1)
        first, last = int(places[0]) // row, int(places[-1]) // row
        rows = "row %d" % first if first == last else "rows %d to %d" % (first, last)
        yield {"check": "outputs_written", "detail": "%s of %s: %d of %d elements were not written" % (rows, name, len(places), _product(shape))}


class _NumPy(_Arrays):
    def __init__(self):
        super().__init__()
        import numpy

        self.np = numpy
        self.device_name = "CPU (NumPy %s)" % numpy.__version__

    def guarded(self, dtype, shape, data):
        np = self.np
        given = {"BF16": np.uint16, "F16": np.float16, "F32": np.float32, "I64": np.int64}[dtype]
        values = np.frombuffer(data, dtype=given)
        if dtype == "BF16":
            values = (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
        size = values.nbytes
        # NumPy aligns to 16 bytes at least; kernels may ask for a cache line.
        room = np.full(size + 2 * GUARD_BYTES + 64, GUARD, dtype=np.uint8)
        start = -room.ctypes.data % 64
        buffer = room[start : start + size + 2 * GUARD_BYTES]
        array = buffer[GUARD_BYTES : GUARD_BYTES + size].view(values.dtype).reshape(shape)
        array[...] = values.reshape(shape)
        return _Guarded(array, buffer, buffer.copy())

    def restore(self, guarded):
        guarded.buffer[...] = guarded.before

    def first_difference(self, after, before):
        different = self.np.flatnonzero(after != before)
        return int(different[0]) if len(different) else None

    def run(self, work):
        return work()

    def size(self, array):
        return int(getattr(array, "nbytes", 0))

    def poison(self, sizes):
        blocks = [self.np.full(max(size // 2, 1), POISON, dtype=self.np.uint16) for size in sizes for _ in range(POISON_BLOCKS)]
        del blocks

    def poisoned(self, array):
        np = self.np
        if not isinstance(array, np.ndarray) or array.dtype not in (np.float16, np.float32):
            return []
        flat = np.ascontiguousarray(array).reshape(-1)
        if flat.dtype == np.float16:
            return np.flatnonzero(flat.view(np.uint16) == POISON)
        return np.flatnonzero(flat.view(np.uint32) == (POISON << 16 | POISON))

    def stored(self, name, array):
        np = self.np
        if not isinstance(array, np.ndarray):
            raise _Refused("output %s is a %s, not a NumPy array" % (name, type(array).__name__))
        wanted = np.dtype(np.float16 if self.serving == "F16" else np.float32)
        if array.dtype == np.int64:
            return "I64", array.shape, array.astype("<i8").tobytes()
        if array.dtype != wanted:
            raise _Refused("output %s has dtype %s; it must be %s" % (name, array.dtype, wanted))
        if self.serving == "BF16":
            return "BF16", array.shape, self.bfloat16_bits(array).tobytes()
        return self.serving, array.shape, np.ascontiguousarray(array).tobytes()

    def bfloat16_bits(self, array):
        """float32 to bfloat16, to nearest, ties to even; a NaN stays one."""
        np = self.np
        bits = np.ascontiguousarray(array).view(np.uint32)
        rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
        return np.where(np.isnan(array), (bits >> np.uint32(16)) | np.uint32(0x40), rounded).astype(np.uint16)

    def time_us(self, work, repeat):
        return _time_on_cpu(work, repeat, lambda: None)

    def is_out_of_memory(self, error):
        return isinstance(error, MemoryError)

    def recover(self):
        pass


class _Torch(_Arrays):
    def __init__(self, device):
        super().__init__()
        import torch

        self.torch = torch
        try:
            self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
            if self.device.type == "cuda":
                # set_device wants an index, which "cuda" alone has not.
                index = torch.cuda.current_device() if self.device.index is None else self.device.index
                self.device = torch.device("cuda", index)
                torch.cuda.set_device(self.device)
                self.device_name = torch.cuda.get_device_name(self.device)
            else:
                self.device_name = "CPU (PyTorch %s)" % torch.__version__ if self.device.type == "cpu" else str(self.device)
            torch.zeros(1, device=self.device)
        except Exception as error:
            raise _Refused("PyTorch cannot use the device %s: %s" % (device or "cuda", error))
        self.dtypes = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32, "I64": torch.int64}

    def guarded(self, dtype, shape, data):
        torch = self.torch
        buffer = torch.full((len(data) + 2 * GUARD_BYTES,), GUARD, dtype=torch.uint8, device=self.device)
        middle = buffer[GUARD_BYTES : GUARD_BYTES + len(data)]
        if len(data):
            middle.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
        return _Guarded(middle.view(self.dtypes[dtype]).view(tuple(shape)), buffer, buffer.clone())

    def restore(self, guarded):
        guarded.buffer.copy_(guarded.before)

    def first_difference(self, after, before):
        if self.torch.equal(after, before):
            return None
        return int(self.torch.nonzero(after != before)[0])

    def run(self, work):
        with self.torch.no_grad():
            returned = work()
        # What a kernel does wrong on the device is told here, not in the middle of the next call.
        self.synchronize()
        return returned

    def synchronize(self):
        if self.device.type == "cuda":
            self.torch.cuda.synchronize(self.device)
        elif self.device.type != "cpu":
            getattr(self.torch, self.device.type).synchronize()

    def size(self, array):
        return int(array.numel() * array.element_size()) if isinstance(array, self.torch.Tensor) else 0

    def poison(self, sizes):
        """The caching allocator gives a block out again as it is: a kernel that leaves something unwritten must not find an old result there."""
        torch = self.torch
        blocks = [
            torch.full((max(size // 2, 1),), POISON - 0x10000, dtype=torch.int16, device=self.device)
            for size in sizes
            for _ in range(POISON_BLOCKS)
        ]
        self.synchronize()
        del blocks

    def poisoned(self, array):
        torch = self.torch
        if not isinstance(array, torch.Tensor) or array.dtype not in (torch.bfloat16, torch.float16, torch.float32):
            return []
        flat = array.detach().contiguous().view(-1)
        if flat.dtype == torch.float32:
            found = flat.view(torch.int32) == (POISON << 16 | POISON) - 0x100000000
        else:
            found = flat.view(torch.int16) == POISON - 0x10000
        return torch.nonzero(found).view(-1).cpu().tolist() if bool(found.any()) else []

    def stored(self, name, array):
        torch = self.torch
        if not isinstance(array, torch.Tensor):
            raise _Refused("output %s is a %s, not a tensor" % (name, type(array).__name__))
        dtype = next((word for word, each in self.dtypes.items() if each == array.dtype), None)
        if dtype is None or (dtype != self.serving and dtype != "I64"):
            raise _Refused("output %s has dtype %s; it must be %s" % (name, array.dtype, self.dtypes[self.serving]))
        flat = array.detach().contiguous().cpu().view(-1)
        if not flat.numel():
            return dtype, tuple(array.shape), b""
        # Straight from memory: NumPy may be missing.
        return dtype, tuple(array.shape), ctypes.string_at(flat.data_ptr(), flat.numel() * flat.element_size())

    def time_us(self, work, repeat):
        torch = self.torch
        with torch.no_grad():
            if self.device.type != "cuda":
                return _time_on_cpu(work, repeat, self.synchronize)
            events = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(repeat)]
            # As in a model, weights come from memory and not from the last call's cache. 128 MiB where PyTorch does not tell the size.
            cache = getattr(torch.cuda.get_device_properties(self.device), "L2_cache_size", 0) or 2**26
            other = torch.empty(2 * cache, dtype=torch.uint8, device=self.device)
            for start, end in events:
                other.zero_()
                start.record()
                work()
                end.record()
            self.synchronize()
            return statistics.median(start.elapsed_time(end) for start, end in events) * 1000.0

    def is_out_of_memory(self, error):
        kind = getattr(self.torch.cuda, "OutOfMemoryError", None)
        return isinstance(error, MemoryError) or (kind is not None and isinstance(error, kind))

    def recover(self):
        if self.device.type != "cuda":
            return
        try:
            self.synchronize()
            self.torch.cuda.empty_cache()
        except Exception as error:
            # An illegal address or a lost GPU leaves the context of no use: only a new process helps.
            sys.stderr.write("fused_compat: the device is lost: %s\n" % (str(error).splitlines() or ["unknown"])[0])
            sys.stderr.flush()
            os._exit(DEVICE_LOST)


def _time_on_cpu(work, repeat, synchronize):
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def _product(sizes):
    product = 1
    for size in sizes:
        product *= int(size)
    return product


def read_safetensors(path):
    """Tensors of a file by name, each (dtype, shape, bytes). https://github.com/huggingface/safetensors#format"""
    with open(path, "rb") as file:
        data = memoryview(file.read())
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(bytes(data[8 : 8 + length]).decode("utf-8"))
    body = data[8 + length :]
    tensors = {}
    for name, about in header.items():
        if name == "__metadata__":
            continue
        begin, end = about["data_offsets"]
        if end - begin != _product(about["shape"]) * ITEM_BYTES[about["dtype"]]:
            raise ValueError("%s: tensor %s contradicts itself" % (path, name))
        tensors[name] = (about["dtype"], tuple(about["shape"]), body[begin:end])
    return tensors


def write_safetensors(path, tensors):
    """Writes tensors, each (dtype, shape, bytes), wider ones first so that all are aligned."""
    ordered = sorted(tensors.items(), key=lambda item: -ITEM_BYTES[item[1][0]])
    header, begin = {}, 0
    for name, (dtype, shape, data) in ordered:
        header[name] = {"dtype": dtype, "shape": [int(size) for size in shape], "data_offsets": [begin, begin + len(data)]}
        begin += len(data)
    text = json.dumps(header).encode("utf-8")
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for _, (_, _, data) in ordered:
            file.write(data)

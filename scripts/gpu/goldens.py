"""Small random checkpoints of further families and what transformers computes with them, for __tests__/models and __tests__/goldens.

    python3 scripts/gpu/goldens.py FOLDER [NAME ...]

Writes FOLDER/goldens.tgz with NAME/config.json, NAME/model.safetensors, NAME/golden.json and NAME/golden.safetensors. Needs PyTorch 2.11,
transformers 5.17, safetensors and an NVIDIA GPU; `--cpu` computes all of it on the CPU, to try the script out. A model that fails is
reported and the others go on; the exit status is then 1. Weights come from a seeded CPU generator, so they are the same on every machine.
"""

import argparse
import importlib
import json
import math
import os
import re
import sys
import tarfile
import tempfile
import traceback
import zlib

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
import transformers
from safetensors.torch import save_file

VOCABULARY = 128
TOKENS = 24
# Before original_max_position_embeddings of phi3-longrope-mini, so that both of its factors are used.
SHORT_TOKENS = 12

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": VOCABULARY,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "bfloat16",
}
# Four heads of 8: a norm over the whole projection then differs from one per head, for K too.
FOUR_HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2}
LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    **SIZES,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-5,
    "pretraining_tp": 1,
    "tie_word_embeddings": False,
    "attention_bias": False,
    "mlp_bias": False,
    "max_position_embeddings": 256,
}

# In the form that published checkpoints of each family have. Windows and original_max_position_embeddings are below 24, so that 24 tokens meet them.
MODELS = {
    "qwen2-mini": {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        **SIZES,
        **FOUR_HEADS,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "max_position_embeddings": 256,
        "use_sliding_window": True,
        "sliding_window": 8,
        "max_window_layers": 1,
        "tie_word_embeddings": True,
    },
    "gemma2-mini": {
        "architectures": ["Gemma2ForCausalLM"],
        "model_type": "gemma2",
        **SIZES,
        "pad_token_id": 0,
        "head_dim": 16,
        "hidden_act": "gelu_pytorch_tanh",
        "hidden_activation": "gelu_pytorch_tanh",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "max_position_embeddings": 256,
        "attention_bias": False,
        "query_pre_attn_scalar": 20,
        "sliding_window": 8,
        "attn_logit_softcapping": 4.0,
        "final_logit_softcapping": 5.0,
        "cache_implementation": "hybrid",
        "tie_word_embeddings": True,
    },
    "olmo2-mini": {
        "architectures": ["Olmo2ForCausalLM"],
        "model_type": "olmo2",
        **SIZES,
        **FOUR_HEADS,
        "pad_token_id": 0,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 500000,
        "rope_scaling": None,
        "max_position_embeddings": 256,
        "attention_bias": False,
        "tie_word_embeddings": False,
    },
    "phi3-longrope-mini": {
        "architectures": ["Phi3ForCausalLM"],
        "model_type": "phi3",
        **SIZES,
        "pad_token_id": 0,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "partial_rotary_factor": 0.75,
        "max_position_embeddings": 128,
        "original_max_position_embeddings": 16,
        "rope_scaling": {
            "type": "longrope",
            "short_factor": [1.0, 1.05, 1.1, 1.25, 1.4, 1.8],
            "long_factor": [1.1, 1.5, 2.5, 4.0, 6.5, 8.0],
        },
        "sliding_window": 10,
        "attention_bias": False,
        "tie_word_embeddings": False,
    },
    "llama3-rope-mini": {
        **LLAMA,
        "tie_word_embeddings": True,
        "rope_theta": 10000.0,
        "rope_scaling": {
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32,
            "rope_type": "llama3",
        },
    },
    "llama-linear-bias-mini": {
        **LLAMA,
        "rope_theta": 10000.0,
        "rope_scaling": {"type": "linear", "factor": 4.0},
        "attention_bias": True,
        "mlp_bias": True,
    },
    # transformers 5's own form.
    "llama-yarn-mini": {
        **LLAMA,
        "max_position_embeddings": 128,
        "rope_parameters": {
            "rope_theta": 10000.0,
            "rope_type": "yarn",
            "factor": 4.0,
            "original_max_position_embeddings": 32,
            "beta_fast": 4.0,
            "beta_slow": 0.25,
        },
    },
    "ernie45-bias-mini": {
        "architectures": ["Ernie4_5ForCausalLM"],
        "model_type": "ernie4_5",
        **SIZES,
        "pad_token_id": 0,
        "head_dim": 16,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "max_position_embeddings": 256,
        "use_bias": True,
        "tie_word_embeddings": True,
    },
}


def seed(text):
    return zlib.crc32(text.encode())


def prompts(name):
    generator = torch.Generator().manual_seed(seed(f"{name} prompt"))
    lengths = [TOKENS, SHORT_TOKENS] if name.startswith("phi3") else [TOKENS]
    return [torch.randint(3, VOCABULARY, (length,), generator=generator).tolist() for length in lengths]


def draw(name, tensor, shape, config):
    """Values for one weight: norms spread around 1, biases well away from 0, matrices that keep the size of what goes through them."""
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed(f"{name} {tensor}")), dtype=torch.float32)
    if re.search(r"norm\.weight$", tensor):
        return 0.3 * values + (0.0 if config["model_type"] == "gemma2" else 1.0)
    if tensor.endswith(".bias"):
        return 0.4 * values
    if "embed_tokens" in tensor or tensor == "lm_head.weight":
        tied_or_head = config["tie_word_embeddings"] or tensor == "lm_head.weight"
        return values * (2.5 / math.sqrt(shape[1]) if tied_or_head else 1.0)
    gain = 1.6 if re.search(r"(q|k|qkv)_proj", tensor) else 1.2
    return values * gain / math.sqrt(shape[1])


def make_checkpoint(folder, name, config):
    os.makedirs(folder)
    with open(f"{folder}/config.json", "w") as file:
        json.dump(config, file, indent=2)
        file.write("\n")
    model = model_class(config)(transformers.AutoConfig.from_pretrained(folder))
    tensors = {}
    for tensor, value in sorted(model.state_dict().items()):
        if tensor == "lm_head.weight" and config["tie_word_embeddings"]:
            continue
        tensors[tensor] = draw(name, tensor, tuple(value.shape), config).to(torch.bfloat16).contiguous()
    save_file(tensors, f"{folder}/model.safetensors", metadata={"format": "pt"})


def model_class(config):
    return getattr(transformers, config["architectures"][0])


def float32_scores(module, query, key, value, attention_mask, scaling=None, softcap=None, dropout=0.0, **kwargs):
    """What fused attention does: scores, cap and probabilities in float32, one rounding at the end. In place of SDPA, which has no soft cap."""
    groups = query.shape[1] // key.shape[1]
    wide = lambda x: x.float() if x.dtype != torch.float64 else x
    key, value = (wide(x).repeat_interleave(groups, dim=1) for x in (key, value))
    scores = torch.matmul(wide(query), key.transpose(2, 3)) * scaling
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    if attention_mask is not None:
        scores = scores + attention_mask
    out = torch.matmul(torch.softmax(scores, dim=-1), value).to(query.dtype)
    return out.transpose(1, 2).contiguous(), None


@torch.no_grad()
def compute(folder, config, ids, dtype, device, attention):
    """Logits [tokens, vocab] and hidden states [layers + 1, tokens, hidden], the last one after the final norm."""
    own = attention == "float32_scores"
    modeling = importlib.import_module(model_class(config).__module__)
    eager = modeling.eager_attention_forward
    if own:
        modeling.eager_attention_forward = float32_scores
    try:
        model = model_class(config).from_pretrained(folder, dtype=dtype, attn_implementation="eager" if own else attention)
        model = model.eval().to(device)
        inputs = torch.tensor([ids], device=device)
        output = model(input_ids=inputs, use_cache=False, output_hidden_states=True)
    finally:
        modeling.eager_attention_forward = eager
    if {parameter.dtype for parameter in model.parameters()} != {dtype}:
        raise RuntimeError(f"parameters are not all {dtype}")
    if model.model.rotary_emb.inv_freq.dtype != torch.float32:
        raise RuntimeError("the RoPE frequencies are not float32")
    if output.logits.dtype != dtype:
        raise RuntimeError(f"logits are {output.logits.dtype}")
    return output.logits[0].cpu(), torch.stack([state[0] for state in output.hidden_states]).cpu()


def make_golden(folder, name, config, device):
    second = "float32_scores" if config.get("attn_logit_softcapping") else "sdpa"
    kinds = {
        "f64": (torch.float64, "cpu", "eager"),
        "f32": (torch.float32, device, "eager"),
        "bf16": (torch.bfloat16, device, "eager"),
        "bf16_sdpa": (torch.bfloat16, device, second),
    }
    tensors = {}
    for number, ids in enumerate(prompts(name)):
        for kind, (dtype, on, attention) in kinds.items():
            logits, hidden = compute(folder, config, ids, dtype, on, attention)
            if not torch.isfinite(logits).all():
                raise RuntimeError(f"{kind} logits are not finite")
            # Stored as float32: the rounding is 1e-7 of a logit's size, a tenth of what float32 computation makes.
            tensors[f"p{number}.{kind}.logits"] = logits.to(torch.float32) if kind == "f64" else logits
            if kind == "bf16" and number == 0:
                tensors[f"p{number}.bf16.hidden"] = hidden
        report(name, number, tensors)
    golden = {
        "prompts": [{"input_ids": ids} for ids in prompts(name)],
        "bf16_sdpa": "attention with float32 scores and probabilities, one rounding" if second == "float32_scores" else "sdpa",
        "versions": {"transformers": transformers.__version__, "torch": torch.__version__},
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
    }
    with open(f"{folder}/golden.json", "w") as file:
        json.dump(golden, file)
        file.write("\n")
    save_file({key: value.contiguous() for key, value in tensors.items()}, f"{folder}/golden.safetensors")


def report(name, number, tensors):
    exact = tensors[f"p{number}.f64.logits"].double()
    eager = tensors[f"p{number}.bf16.logits"].double()
    log = exact.log_softmax(-1)
    parts = [f"logits std {exact.std():.3f}", f"entropy {-(log.exp() * log).sum(-1).mean():.3f}"]
    for kind in ("f32", "bf16", "bf16_sdpa"):
        other = tensors[f"p{number}.{kind}.logits"].double()
        kl = (log.exp() * (log - other.log_softmax(-1))).sum(-1).mean()
        parts.append(f"{kind}: max {(other - exact).abs().max():.2e} rms {(other - exact).pow(2).mean().sqrt():.2e} KL {kl:.1e}")
    parts.append(f"eager/sdpa rms {(tensors[f'p{number}.bf16_sdpa.logits'].double() - eager).pow(2).mean().sqrt():.2e}")
    print(f"{name} p{number}: " + "; ".join(parts), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("names", nargs="*", help=", ".join(MODELS))
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args()
    device = "cpu" if options.cpu else "cuda"
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    print(f"transformers {transformers.__version__}, PyTorch {torch.__version__}, {device}", flush=True)
    failed = []
    os.makedirs(options.folder, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(f"{options.folder}/goldens.tgz", "w:gz") as archive:
        for name in options.names or MODELS:
            folder = f"{scratch}/{name}"
            try:
                make_checkpoint(folder, name, MODELS[name])
                make_golden(folder, name, MODELS[name], device)
                archive.add(folder, arcname=name)
                sizes = ", ".join(f"{file} {os.path.getsize(f'{folder}/{file}')}" for file in sorted(os.listdir(folder)))
                print(f"{name}: {sizes}", flush=True)
            except Exception:
                failed.append(name)
                print(f"{name} FAILED\n{traceback.format_exc()}", flush=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes the small random Qwen checkpoints of tests/data/models and their goldens.

    pip install torch==2.13.0 transformers==5.24.0 safetensors numpy
    python3 tests/oracle/record_qwen.py

Weights are drawn so that every term of the forward pass matters; the greedy ids of record_golden.py
are checked against transformers' own generate().
"""

import json
import pathlib
import subprocess
import sys

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen3Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "tests/data/models"
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "rope_theta": 1000000.0}

CASES = {
    "qwen3-tiny": (Qwen3Config, dict(head_dim=24, tie_word_embeddings=True), "float32", (160, 100)),
    "qwen3-tiny-bf16": (Qwen3Config, dict(head_dim=24), "bfloat16", (160, 100)),
    "qwen3-yarn": (Qwen3Config, dict(head_dim=32, rope_parameters=YARN, max_position_embeddings=256,
                                     attention_bias=True), "float32", (200, 120)),
    "qwen2-tiny": (Qwen2Config, dict(num_attention_heads=6, hidden_size=96), "float32", (160, 100)),
    "qwen2-window": (Qwen2Config, dict(use_sliding_window=True, sliding_window=32, max_window_layers=2),
                     "float32", (160, 100)),
}
COMMON = dict(vocab_size=128, hidden_size=64, intermediate_size=96, num_hidden_layers=4,
              num_attention_heads=4, num_key_value_heads=2, eos_token_id=1, bos_token_id=0)


def randomize(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name:
                parameter.copy_(1 + 0.2 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.5 * noise)
            elif "embed" in name or "lm_head" in name:
                parameter.copy_(0.3 * noise)
            else:
                parameter.copy_(1.2 * noise / parameter.shape[1] ** 0.5)


def says_something(folder):
    """Whether the continuation is a useful test: random models tend to repeat themselves."""
    return len(set(load_file(folder / "golden.safetensors")["greedy_ids"][0].tolist())) > 6


def check_generation(folder):
    golden = load_file(folder / "golden.safetensors")
    prefill = golden["prefill_length"].item()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = golden["input_ids"][:, :prefill]
    with torch.no_grad():
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, min_new_tokens=24,
                             do_sample=False, eos_token_id=-1, pad_token_id=0)
    assert out[0, prefill:].tolist() == golden["greedy_ids"][0].tolist(), folder
    assert 4 < golden["logits"].abs().max() < 30, golden["logits"].abs().max()


def make(folder, config, seed, dtype):
    model = AutoModelForCausalLM.from_config(config).float()
    randomize(model, seed)
    model = model.to(getattr(torch, dtype))
    model.config.dtype = getattr(torch, dtype)
    model.save_pretrained(folder, max_shard_size="200KB" if dtype == "bfloat16" else "5GB")
    (folder / "generation_config.json").unlink(missing_ok=True)


def main():
    for seed, (name, (kind, own, dtype, (tokens, prefill))) in enumerate(CASES.items()):
        folder = OUTPUT / name
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            make(folder, kind(**{**COMMON, **own}), seed, dtype)
            command = [sys.executable, ROOT / "tests/oracle/record_golden.py", folder, "--out",
                       folder / "golden.safetensors", "--tokens", str(tokens), "--prefill", str(prefill)]
            subprocess.run(command + (["--also-bf16"] if dtype == "bfloat16" else []), check=True)
            if says_something(folder):
                break
            seed += 100
        check_generation(folder)
    old_style()


def old_style():
    """Writes the YaRN config in the format of transformers before version 5."""
    config = json.loads((OUTPUT / "qwen3-yarn/config.json").read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = {"type": rope.pop("rope_type"), **rope}
    config["torch_dtype"] = config.pop("dtype")
    (OUTPUT / "qwen3-yarn/config.old_style.json").write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    main()

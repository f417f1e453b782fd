#!/usr/bin/env python3
"""Checks an adapter that `niah train` writes: PEFT must read it, and compute with it what niah does.

    pip install torch transformers peft safetensors numpy
    python3 tests/oracle/check_lora.py --niah build/release/niah

Trains a LoRA of the zoo's Qwen3-shaped model for a few steps, gives it to PEFT on that model as transformers
reads it, and lets `niah verify --adapter` compare its logits with theirs.
"""

import argparse
import pathlib
import subprocess
import tempfile

import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

ZOO = pathlib.Path(__file__).resolve().parents[2] / "models/zoo"
RECIPE = """\
name: lora
seed: 1
tokenizer: {zoo}/tokenizer
start: {zoo}/qwen3
data: {{kind: direct, batch_problems: 2}}
lora: {{rank: 4, alpha: 12}}
train: {{steps: 6, learning_rate: 5.0e-3, warmup_steps: 1, bf16: false}}
"""
LENGTH, DECODED = 200, 16


def logits_of(model, ids):
    with torch.no_grad():
        return model(ids).logits


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--niah", required=True)
    niah = parser.parse_args().niah
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)
        recipe, adapter, golden = root / "lora.yaml", root / "lora", root / "golden.safetensors"
        recipe.write_text(RECIPE.format(zoo=ZOO))
        subprocess.run([niah, "train", recipe, "--out", adapter, "--quiet"], check=True)

        ids = torch.randint(3, 1000, (1, LENGTH), generator=torch.Generator().manual_seed(0))
        base = AutoModelForCausalLM.from_pretrained(ZOO / "qwen3", dtype=torch.float32).eval()
        before = logits_of(base, ids)
        tuned = PeftModel.from_pretrained(base, adapter).eval()
        after = logits_of(tuned, ids)
        factors = sum("lora_" in name for name, _ in tuned.named_parameters())
        moved = (after - before).abs().max().item()
        print(f"PEFT read {factors} factors; they move the logits by up to {moved:.3g}")
        assert factors == 2 * 7 * base.config.num_hidden_layers, "each projection has two factors"
        assert moved > 0.1, "the adapter changes next to nothing, so that equal logits would say nothing"

        save_file({"input_ids": ids, "logits": after, "prefill_length": torch.tensor([LENGTH - DECODED]),
                   "decode_logits": after[:, LENGTH - DECODED - 1:].clone()}, golden)
        subprocess.run([niah, "verify", ZOO / "qwen3", "--adapter", adapter, "--golden", golden,
                        "--tolerance", "1e-3"], check=True)


if __name__ == "__main__":
    main()

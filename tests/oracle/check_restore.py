#!/usr/bin/env python3
"""Checks the output of `niah restore --method qk` with the reference reader, tensor by tensor.

    pip install safetensors torch transformers numpy
    python3 check_restore.py --niah build/release/niah PRE POST OUT     # OUT is written
    python3 check_restore.py --niah build/release/niah                  # a small pair made here

Reads all three checkpoints with `safetensors`: only W_Q and W_K (with biases) of softmax layers may
differ from POST, and must equal PRE's bit by bit. If transformers knows the model, its logits on
OUT must be those of a model assembled in memory from POST's and PRE's tensors, and `niah verify`
must agree with the logits that transformers computes from OUT.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import torch
from safetensors import safe_open
from safetensors.torch import save_file


def read(folder):
    tensors = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():
                tensors[name] = file.get_tensor(name)
    return tensors


def softmax_layers(config):
    kinds = config.get("mixer_types") or config.get("layer_types")
    if kinds is None or config["model_type"].startswith("qwen"):
        return set(range(config["num_hidden_layers"]))
    return {i for i, kind in enumerate(kinds) if kind == "attn"}


def expected_changes(names, config):
    layers = softmax_layers(config)
    changes = set()
    for name in names:
        parts = name.split(".")
        if len(parts) > 5 and parts[3] == "self_attn" and parts[4] in ("q_proj", "k_proj"):
            if int(parts[2]) in layers:
                changes.add(name)
    return changes


def make_pair(root):
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(vocab_size=96, hidden_size=64, intermediate_size=160, num_hidden_layers=3,
                         num_attention_heads=4, num_key_value_heads=2, head_dim=16,
                         tie_word_embeddings=True, eos_token_id=0, bos_token_id=None)
    for seed, name in ((1, "pre"), (2, "post")):
        torch.manual_seed(seed)
        Qwen3ForCausalLM(config).save_pretrained(root / name, max_shard_size="100KB" if seed == 1 else "1GB")
    return root / "pre", root / "post", root / "out"


def check_logits(niah, post, out, merged, root):
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    ids = torch.randint(1, 90, (1, 200))
    restored = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
    by_hand = AutoModelForCausalLM.from_pretrained(post, dtype=torch.float32).eval()
    missing = by_hand.load_state_dict({k: v.float() for k, v in merged.items()}, strict=False)
    assert not missing.unexpected_keys, missing
    with torch.no_grad():
        logits = restored(ids).logits
        assert torch.equal(logits, by_hand(ids).logits), "transformers: the file and memory differ"
    golden = root / "golden.safetensors"
    prefill = ids.shape[1] - 16
    save_file({"input_ids": ids, "logits": logits, "prefill_length": torch.tensor([prefill]),
               "decode_logits": logits[:, prefill - 1:].clone()}, golden)
    result = subprocess.run([niah, "verify", str(out), "--golden", str(golden), "--tolerance", "1e-4"],
                            capture_output=True, text=True)
    print("niah verify:", result.stdout.strip() or result.stderr.strip())
    assert result.returncode == 0, result.stderr


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--niah", required=True)
    parser.add_argument("folders", nargs="*")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)
        pre, post, out = arguments.folders or make_pair(root)
        subprocess.run([arguments.niah, "restore", "--pre", str(pre), "--post", str(post), "--out", str(out),
                        "--method", "qk"], check=True)
        config = json.loads((pathlib.Path(post) / "config.json").read_text())
        before, after, restored = read(pre), read(post), read(out)
        assert restored.keys() == after.keys()
        changes = expected_changes(after.keys(), config)
        assert changes
        merged = {}
        for name, tensor in restored.items():
            source = before if name in changes else after
            merged[name] = source[name]
            assert tensor.dtype == after[name].dtype, name
            wanted = source[name].to(tensor.dtype).contiguous()
            same = torch.equal(tensor.contiguous().view(torch.uint8), wanted.view(torch.uint8))
            assert same, f"{name} is not {'PRE' if name in changes else 'POST'}'s"
        listed = {entry["name"] for entry in json.loads((pathlib.Path(out) / "restore.json").read_text())["tensors"]}
        assert listed == changes, listed ^ changes
        print(f"{len(restored)} tensors: {len(changes)} are PRE's, the others POST's, to the bit")
        if config["model_type"].startswith("qwen"):
            check_logits(arguments.niah, post, out, merged, root)


if __name__ == "__main__":
    main()

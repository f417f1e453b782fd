#!/usr/bin/env python3
"""Prefix sharing on and off: S2 at 32K, 40 samples, on the zoo's base and on a hybrid with d = 512.

tests/bench/peers.sh installs what this needs (torch, safetensors) and runs it. Records must be the
same except for times and counts of computed tokens.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAYERS, D, FF, HEADS, KV_HEADS, HEAD, VOCAB = 8, 512, 1536, 8, 2, 64, 1056


def hybrid(folder):
    """Writes a HypeNet with random weights, of whose eight layers every fourth is softmax
    attention."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    mixers = ["attn" if i % 4 == 3 else "lightning-attn" for i in range(LAYERS)]
    config = json.loads((ROOT / "models/zoo/base/config.json").read_text())
    config.update(
        vocab_size=VOCAB, hidden_size=D, intermediate_size=FF, num_hidden_layers=LAYERS, mixer_types=mixers,
        num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, head_dim=HEAD, lightning_nh=HEADS,
        lightning_nkv=HEADS, lightning_head_dim=HEAD)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    for name in ("tokenizer.model", "tokenizer_config.json"):
        shutil.copy(ROOT / "models/zoo/tokenizer" / name, folder)

    torch.manual_seed(1)
    matrix = lambda rows, columns: torch.randn(rows, columns) / columns**0.5
    tensors = {"model.embed_tokens.weight": matrix(VOCAB, D), "lm_head.weight": matrix(VOCAB, D),
               "model.norm.weight": torch.ones(D)}
    wide = HEADS * HEAD
    for i, mixer in enumerate(mixers):
        layer = f"model.layers.{i}."
        narrow = KV_HEADS * HEAD if mixer == "attn" else wide
        own = {"q_proj": (wide, D), "k_proj": (narrow, D), "v_proj": (narrow, D), "o_proj": (D, wide),
               "o_gate" if mixer == "attn" else "z_proj": (wide, D)}
        for part, shape in own.items():
            tensors[f"{layer}self_attn.{part}.weight"] = matrix(*shape)
        for norm in ("q_norm", "k_norm"):
            tensors[f"{layer}self_attn.{norm}.weight"] = torch.ones(HEAD)
        if mixer != "attn":
            tensors[f"{layer}self_attn.o_norm.weight"] = torch.ones(wide)
        for part, shape in (("gate", (FF, D)), ("up", (FF, D)), ("down", (D, FF))):
            tensors[f"{layer}mlp.{part}_proj.weight"] = matrix(*shape)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[layer + norm + ".weight"] = torch.ones(D)
    save_file(tensors, folder / "model.safetensors")
    return folder


def run(niah, out, checkpoint, share):
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    config = out.with_suffix(".yaml")
    config.write_text(json.dumps({
        "name": "sharing", "haystack": {"kind": "kjv"}, "tasks": ["s2"], "lengths": ["32K"], "samples": 40,
        "models": [{"name": "m", "base": str(checkpoint), "variants": ["base"]}],
        "runtime": {"dtype": "fp32", "share_prefixes": share}}))
    begin = time.perf_counter()
    subprocess.run([niah, "run", config, "--out", out], check=True, capture_output=True)
    wall = time.perf_counter() - begin
    records = sorted((json.loads(line) for line in open(out / "journal.jsonl")), key=lambda r: r["index"])
    computed = sum(record.pop("computed_tokens") for record in records)
    for record in records:
        del record["seconds"]
    return wall, computed, records


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--niah", type=pathlib.Path, default=ROOT / "build/release/niah")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "runs/sharing")
    args = parser.parse_args()
    out = args.out.resolve()
    print("| S2 at 32K, 40 samples, fp32 | computed tokens off / on | ratio | wall off / on | ratio | records |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, checkpoint in (("zoo", ROOT / "models/zoo/base"), ("hybrid of d 512", hybrid(out / "hybrid"))):
        off, on = (run(args.niah, out / f"{checkpoint.name}-{share}", checkpoint, share) for share in (False, True))
        same = "the same" if off[2] == on[2] else "DIFFER"
        print(f"| {name} | {off[1]:,} / {on[1]:,} | {on[1] / off[1]:.2f} | {off[0]:.1f} / {on[0]:.1f} s "
              f"| {on[0] / off[0]:.2f} | {same} |", flush=True)


main()

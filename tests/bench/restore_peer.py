#!/usr/bin/env python3
"""Restoring a checkpoint compared with copying it: wall time and peak memory, in one run.

    python3 tests/bench/restore_peer.py build/release/niah [FOLDER]

Makes a pair of checkpoints of 2 GB each (Qwen3-shaped, random bf16 weights, two shards) below
FOLDER (default: a temporary folder; temporarily needs 8 GB), then alternates between `cp -r` of one
of them and `niah restore` of the pair. Both end with a sync of what they wrote. Needs only Python.
"""

import json
import os
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time

LAYERS, D, FF, HEADS, KV_HEADS, HEAD, VOCAB = 18, 2048, 6144, 16, 8, 128, 100_000
ROUNDS = 3


def shapes():
    yield "model.embed_tokens.weight", [VOCAB, D]
    yield "model.norm.weight", [D]
    for i in range(LAYERS):
        layer = f"model.layers.{i}."
        yield layer + "input_layernorm.weight", [D]
        yield layer + "post_attention_layernorm.weight", [D]
        for part, heads in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS)):
            yield layer + f"self_attn.{part}_proj.weight", [heads * HEAD, D]
        yield layer + "self_attn.o_proj.weight", [D, HEADS * HEAD]
        yield layer + "self_attn.q_norm.weight", [HEAD]
        yield layer + "self_attn.k_norm.weight", [HEAD]
        for part, shape in (("gate", [FF, D]), ("up", [FF, D]), ("down", [D, FF])):
            yield layer + f"mlp.{part}_proj.weight", shape


def write_shard(path, tensors, seed):
    header, at = {}, 0
    for name, shape in tensors:
        size = 2
        for n in shape:
            size *= n
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    # Any bf16 numbers with an exponent below 127, that is between -1 and 1.
    noise = bytearray(random.Random(seed).randbytes(1 << 22))
    noise[1::2] = bytes(b & 0xBF for b in noise[1::2])
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        while at > 0:
            file.write(noise[: min(at, len(noise))])
            at -= len(noise)
        file.flush()
        os.fsync(file.fileno())


def make(folder, seed):
    folder.mkdir(parents=True)
    config = {"model_type": "qwen3", "hidden_size": D, "intermediate_size": FF, "num_hidden_layers": LAYERS,
              "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD,
              "vocab_size": VOCAB, "tie_word_embeddings": True, "rms_norm_eps": 1e-6,
              "rope_theta": 1e6, "max_position_embeddings": 40960, "hidden_act": "silu",
              "eos_token_id": 0}
    (folder / "config.json").write_text(json.dumps(config))
    tensors = list(shapes())
    half = len(tensors) // 2
    index = {}
    for number, part in enumerate((tensors[:half], tensors[half:]), 1):
        name = f"model-{number:05}-of-00002.safetensors"
        write_shard(folder / name, part, seed + number)
        index.update({tensor: name for tensor, _ in part})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))


def timed(command, written):
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    subprocess.run(["sync", "-f", str(written)], check=True)
    return time.monotonic() - begin, usage.ru_maxrss / 1024


def main(niah, root=None):
    root = pathlib.Path(root or tempfile.mkdtemp())
    pre, post, out = root / "pre", root / "post", root / "out"
    for folder, seed in ((pre, 1), (post, 7)):
        if not folder.exists():
            make(folder, seed)
    size = sum(path.stat().st_size for path in post.iterdir())
    results = {"cp": [], "restore": []}
    for _ in range(ROUNDS):
        for what, command in (("cp", ["cp", "-r", str(post), str(out)]),
                              ("restore", [niah, "restore", "--pre", str(pre), "--post", str(post),
                                           "--out", str(out), "--method", "qk"])):
            results[what].append(timed(command, root))
            shutil.rmtree(out)
    print(f"{size / 1e9:.2f} GB a checkpoint, {ROUNDS} rounds, medians")
    best = {}
    for what, runs in results.items():
        seconds = sorted(run[0] for run in runs)
        best[what] = seconds[len(seconds) // 2]
        print(f"{what:8} {best[what]:6.2f} s (of {', '.join(f'{s:.2f}' for s in seconds)}), "
              f"peak memory {max(run[1] for run in runs):.0f} MB")
    print(f"restore takes {best['restore'] / best['cp']:.2f} times as long as cp")


if __name__ == "__main__":
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""Peak resident memory of `niah run` with adapters on one base, by number of variants.

    python3 tests/bench/adapter_memory.py                       # a base of 2 GB with random weights, fp32
    python3 tests/bench/adapter_memory.py --niah build/check/niah --gigabytes 1

The base is Llama-like; the adapters change q_proj and k_proj of every layer, so each variant needs
its own copies of these, but of nothing else. Three runs of one sample at 1K: the base; the base and
one adapter; the base and two adapters. If the base is held once, an adapter adds only what it
changes. Needs NumPy.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
D, HEADS, KV_HEADS, INNER, RANK = 1536, 12, 4, 6144, 8
HEAD = D // HEADS
VOCAB = 1056  # of the zoo's tokenizer


def shapes_of_layer() -> dict[str, tuple[int, ...]]:
    return {"self_attn.q_proj.weight": (D, D), "self_attn.k_proj.weight": (KV_HEADS * HEAD, D),
            "self_attn.v_proj.weight": (KV_HEADS * HEAD, D), "self_attn.o_proj.weight": (D, D),
            "mlp.gate_proj.weight": (INNER, D), "mlp.up_proj.weight": (INNER, D), "mlp.down_proj.weight": (D, INNER),
            "input_layernorm.weight": (D,), "post_attention_layernorm.weight": (D,)}


def write_tensors(file: pathlib.Path, shapes: dict[str, tuple[int, ...]], scale: float) -> None:
    """Writes a safetensors file one tensor at a time."""
    header, offset = {}, 0
    for name, shape in shapes.items():
        end = offset + 4 * int(numpy.prod(shape))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    random = numpy.random.default_rng(0)
    with file.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes.items():
            values = random.standard_normal(shape, dtype=numpy.float32) * numpy.float32(scale)
            (numpy.ones(shape, numpy.float32) if name.endswith("norm.weight") else values).tofile(out)


def write_base(folder: pathlib.Path, layers: int) -> None:
    shapes = {"model.embed_tokens.weight": (VOCAB, D), "model.norm.weight": (D,), "lm_head.weight": (VOCAB, D)}
    for layer in range(layers):
        shapes |= {f"model.layers.{layer}.{name}": shape for name, shape in shapes_of_layer().items()}
    folder.mkdir(parents=True, exist_ok=True)
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "bos_token_id": 1, "eos_token_id": 2,
              "hidden_size": D, "intermediate_size": INNER, "num_hidden_layers": layers, "num_attention_heads": HEADS,
              "num_key_value_heads": KV_HEADS, "head_dim": HEAD, "vocab_size": VOCAB, "rms_norm_eps": 1e-6,
              "rope_theta": 1e6, "max_position_embeddings": 16384, "tie_word_embeddings": False, "hidden_act": "silu"}
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    for name in ("tokenizer.model", "tokenizer_config.json"):
        shutil.copy(ROOT / "models/zoo/qwen3" / name, folder / name)
    write_tensors(folder / "model.safetensors", shapes, 0.02)


def write_adapter(folder: pathlib.Path, base: pathlib.Path, layers: int, alpha: int) -> None:
    shapes = {}
    for layer in range(layers):
        for name, rows in (("q_proj", D), ("k_proj", KV_HEADS * HEAD)):
            of = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            shapes |= {f"{of}.lora_A.weight": (RANK, D), f"{of}.lora_B.weight": (rows, RANK)}
    folder.mkdir(parents=True, exist_ok=True)
    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": alpha, "target_modules": ["q_proj", "k_proj"],
              "base_model_name_or_path": str(base), "bias": "none", "task_type": "CAUSAL_LM"}
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    write_tensors(folder / "adapter_model.safetensors", shapes, 0.02)


def run(niah: pathlib.Path, out: pathlib.Path, name: str, variants: list) -> float:
    """Peak resident memory of one sweep in GB. Must be the only child of its process."""
    sweep = {"name": name, "tasks": ["s1"], "lengths": ["1K"], "samples": 1, "haystack": {"kind": "kjv"},
             "models": [{"name": "m", "base": str(out / "base"), "variants": variants}],
             "generation": {"max_new_tokens": 8}, "runtime": {"device": "cpu", "dtype": "fp32"}}
    config, folder = out / f"{name}.yaml", out / f"run-{name}"
    config.write_text(json.dumps(sweep), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    reader, writer = os.pipe()
    if os.fork() == 0:
        code = subprocess.run([niah, "run", config, "--out", folder], stdout=subprocess.DEVNULL,
                              stderr=(out / f"{name}.log").open("wb")).returncode
        os.write(writer, f"{code} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}".encode())
        os._exit(0)
    code, kilobytes = os.read(reader, 100).split()
    os.wait()
    if int(code) != 0:
        raise SystemExit(f"niah run {config} ended with {int(code)}: {out / name}.log")
    return int(kilobytes) * 1024 / 1e9


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--niah", type=pathlib.Path, default=ROOT / "build/release/niah")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "runs/adapter-memory")
    parser.add_argument("--gigabytes", type=float, default=2, help="of the base")
    options = parser.parse_args()
    out = options.out.resolve()
    of_layer = 4 * sum(int(numpy.prod(shape)) for shape in shapes_of_layer().values())
    layers = max(1, round(options.gigabytes * 1e9 / of_layer))
    write_base(out / "base", layers)
    for name, alpha in (("one", 16), ("two", 8)):
        write_adapter(out / name, out / "base", layers, alpha)
    adapters = [{"name": name, "checkpoint": {"base": str(out / "base"), "adapter": str(out / name)}, "role": "tuned"}
                for name in ("one", "two")]
    changed = 4 * layers * (D * D + KV_HEADS * HEAD * D) / 1e9
    size = (out / "base/model.safetensors").stat().st_size / 1e9
    print(f"base {size:.2f} GB, an adapter changes {changed:.2f} GB of it; peak resident memory of a run:")
    for count, what in enumerate(("the base", "the base and one adapter", "the base and two adapters")):
        peak = run(options.niah.resolve(), out, f"of-{count}", ["base", *adapters[:count]])
        print(f"  {what:26}  {peak:.2f} GB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

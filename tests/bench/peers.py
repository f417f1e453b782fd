#!/usr/bin/env python3
"""The same weights and samples through lm-evaluation-harness (--model hf, transformers) and through niah.

tests/bench/peers.sh installs what this needs and runs it. Samples are S2 of protocol `niah` over
the KJV. Both must give every sample the same score. Prints the table in README.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ZOO_TOKENIZER = ROOT / "models/zoo/tokenizer"
NEW_TOKENS = 128

TASK_YAML = """\
task: peer_{length}
include: {ruler}/niah_single_2.yaml
custom_dataset: !function peer_data.load
tag: []
metadata:
  version: 1.0
"""

TASK_DATA = """\
import json
import datasets


def load(**kwargs):
    rows = [json.loads(line) for line in open({samples!r})]
    fields = ("index", "input", "outputs", "length", "max_length", "gen_prefix")
    rows = [{{field: row[field] for field in fields}} for row in rows]
    return {{"test": datasets.Dataset.from_list(rows, split=datasets.Split.TEST)}}
"""


def fast_tokenizer(folder):
    """Writes the zoo's SentencePiece model as a tokenizer.json for transformers."""
    from sentencepiece import sentencepiece_model_pb2
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
    from transformers import PreTrainedTokenizerFast

    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString((ZOO_TOKENIZER / "tokenizer.model").read_bytes())
    pieces = proto.pieces
    tokenizer = Tokenizer(
        models.Unigram([(p.piece, p.score) for p in pieces], unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([p.piece for p in pieces if p.type == p.CONTROL])
    tokenizer.add_tokens(
        [AddedToken(p.piece, normalized=False) for p in pieces if p.type == p.USER_DEFINED])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        clean_up_tokenization_spaces=False).save_pretrained(folder)


def random_checkpoint(folder):
    """Writes a Qwen3 with d = 512 and random weights, so that no answer is found early."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(1)
    config = Qwen3Config(
        vocab_size=1056, hidden_size=512, intermediate_size=1536, num_hidden_layers=8,
        num_attention_heads=8, num_key_value_heads=2, head_dim=64, max_position_embeddings=262144,
        rope_theta=1e6, tie_word_embeddings=False, bos_token_id=1, eos_token_id=None)
    Qwen3ForCausalLM(config).float().save_pretrained(folder)
    for file in ZOO_TOKENIZER.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())


def run(command, log, **kwargs):
    begin = time.perf_counter()
    with open(log, "w") as file:
        done = subprocess.run([str(word) for word in command], stdout=file, stderr=subprocess.STDOUT, **kwargs)
    if done.returncode:
        sys.exit(f"{command[0]} failed ({done.returncode}); its words are in {log}:\n"
                 + "".join(open(log).readlines()[-20:]))
    return time.perf_counter() - begin


def make_samples(niah, length, count, path):
    run([niah, "generate", "--protocol", "niah", "--task", "s2", "--length", length, "--samples", count,
         "--seed", 1, "--tokenizer", ZOO_TOKENIZER, "--haystack", "kjv", "--out", path],
        path.with_suffix(".log"))


class Harness:
    """Runs lm-evaluation-harness on one checkpoint."""

    def __init__(self, out, checkpoint, tokenizer, dtype):
        self.out, self.checkpoint, self.tokenizer, self.dtype = out, checkpoint, tokenizer, dtype

    def evaluate(self, length, samples):
        import lm_eval

        folder = self.out / f"lm_eval-{length}"
        folder.mkdir(parents=True, exist_ok=True)
        ruler = pathlib.Path(lm_eval.__file__).parent / "tasks/ruler"
        (folder / "peer.yaml").write_text(TASK_YAML.format(length=length, ruler=ruler))
        (folder / "peer_data.py").write_text(TASK_DATA.format(samples=str(samples)))
        wall = run(
            [sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args",
             f"pretrained={self.checkpoint},tokenizer={self.tokenizer},dtype={self.dtype},"
             f"max_length=262144,add_bos_token=True",
             "--tasks", f"peer_{length}", "--include_path", folder, "--device", "cpu",
             "--batch_size", "1", "--log_samples", "--output_path", folder / "out",
             "--metadata", json.dumps({"max_seq_lengths": [length]})],
            folder / "log", env={**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"})
        logged = max((folder / "out").rglob("samples_*.jsonl"), key=os.path.getmtime)
        rows = [json.loads(line) for line in open(logged)]
        return wall, {row["doc"]["index"]: float(row[str(length)]) for row in rows}


def generate_alone(checkpoint, tokenizer, dtype, samples, count):
    """Seconds per sample of transformers' generate() for the first `count` samples, without the
    harness and its start-up: as the harness calls it, and with prompt lookup, its fastest exact
    mode here."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    encode = AutoTokenizer.from_pretrained(tokenizer)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=getattr(torch, dtype)).eval()
    rows = [json.loads(line) for line in open(samples)][:count]
    seconds = []
    for settings in ({}, {"prompt_lookup_num_tokens": 10}):
        total = 0
        for row in rows:
            ids = encode(row["input"] + " " + row["gen_prefix"], return_tensors="pt").input_ids
            begin = time.perf_counter()
            with torch.no_grad():
                model.generate(ids, max_new_tokens=NEW_TOKENS, do_sample=False, **settings)
            total += time.perf_counter() - begin
        seconds.append(total / len(rows))
    return seconds


def run_niah(niah, out, checkpoint, dtype, length, samples, settings=()):
    name = "-".join(["niah", dtype, str(length), *[s.replace("=", "_") for s in settings]])
    folder = out / name
    config = out / f"{name}.yaml"
    config.write_text(json.dumps({
        "name": "peer", "samples_from": [str(samples)],
        "models": [{"name": "peer", "base": str(checkpoint), "variants": ["base"]}],
        "runtime": {"dtype": {"float32": "fp32", "bfloat16": "bf16"}[dtype]},
    }))
    options = [word for setting in settings for word in ("--set", setting)]
    shutil.rmtree(folder, ignore_errors=True)
    wall = run([niah, "run", config, "--out", folder, *options], out / f"{name}.log")
    records = [json.loads(line) for line in open(folder / "journal.jsonl")]
    return wall, {r["index"]: float(r["score"]) for r in records}, records


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--niah", type=pathlib.Path, default=ROOT / "build/release/niah")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "runs/peers")
    parser.add_argument("--checkpoint", default="random", help="'random' or a Qwen3 folder of the zoo's recipe")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--lengths", default="4096,8192,16384")
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--alone", type=int, default=4, help="samples for transformers without the harness")
    parser.add_argument("--breakdown", type=int, help="a length to run without sharing, and without stopping early")
    args = parser.parse_args()

    out = args.out / f"{pathlib.Path(args.checkpoint).name}-{args.dtype}"
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = out / "tokenizer"
    fast_tokenizer(tokenizer)
    checkpoint = pathlib.Path(args.checkpoint)
    if args.checkpoint == "random":
        checkpoint = out / "checkpoint"
        checkpoint.mkdir(exist_ok=True)
        random_checkpoint(checkpoint)

    print(f"{processor()}, {os.cpu_count()} cores; {args.checkpoint} weights, {args.dtype}, "
          f"{args.samples} samples of S2 a length\n")
    print("| length | lm-eval + transformers | generate alone | the same with prompt lookup | niah | faster than "
          "lm-eval | than the best | scores that differ | mean score |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    harness = Harness(out, checkpoint.resolve(), tokenizer, args.dtype)
    n = args.samples
    for length in map(int, args.lengths.split(",")):
        samples = out / f"samples-{length}.jsonl"
        make_samples(args.niah, length, n, samples)
        ours, our_scores, _ = run_niah(args.niah, out, checkpoint.resolve(), args.dtype, length, samples)
        theirs, their_scores = harness.evaluate(length, samples)
        assert len(our_scores) == len(their_scores) == n
        alone = generate_alone(checkpoint, tokenizer, args.dtype, samples, args.alone)
        ours, theirs = ours / n, theirs / n
        differ = sum(our_scores[i] != their_scores[i] for i in their_scores)
        print(f"| {length:,} | {theirs:.2f} s | {alone[0]:.2f} s | {alone[1]:.2f} s | {ours:.2f} s | {theirs / ours:.1f} "
              f"| {min(theirs, *alone) / ours:.1f} | {differ} | {sum(our_scores.values()) / n:.2f} |", flush=True)
        if args.breakdown != length:
            continue
        for setting in ("runtime.share_prefixes=false", "generation.stop_when_decided=false", "runtime.threads=1"):
            wall, scores, _ = run_niah(args.niah, out, checkpoint.resolve(), args.dtype, length, samples, [setting])
            assert scores == our_scores, setting
            print(f"| {length:,}, {setting} | | | | {wall / n:.2f} s | | | | |", flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes the generated seeds of tests/fuzz/corpus: small valid files of every format, and files
that each parser must refuse. Other seeds are written by hand or were found by a fuzzer.

    python3 tests/oracle/make_fuzz_corpus.py
"""

import json
import pathlib
import struct

ROOT = pathlib.Path(__file__).resolve().parents[1]
CORPUS = ROOT / "fuzz" / "corpus"


def write(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else content.encode()
    (folder / name).write_bytes(data)


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def safetensors(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def make_safetensors():
    two = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]},
        "b": {"dtype": "BF16", "shape": [2], "data_offsets": [8, 12]},
    }
    write("safetensors", "sound", safetensors(two, bytes(12)))
    write("safetensors", "none", safetensors({}, b""))
    write("safetensors", "cut", safetensors(two, bytes(11)))
    write("safetensors", "huge_header", struct.pack("<Q", 1 << 60) + b"{}")
    overflow = {"a": {"dtype": "F32", "shape": [1 << 32, 1 << 32], "data_offsets": [0, 4]}}
    write("safetensors", "overflow", safetensors(overflow, bytes(4)))
    empty = {"a": {"dtype": "F32", "shape": [0, 7], "data_offsets": [0, 0]}}
    write("safetensors", "no_elements", safetensors(empty, b""))


def make_checkpoint():
    config = {
        "model_type": "qwen3",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "rope_theta": 1e6,
        "tie_word_embeddings": True,
        "hidden_act": "silu",
        "mixer_types": ["attn", "lightning-attn"],
        "attention_bias": False,
        "rope_scaling": None,
    }
    shard = "model-00001-of-00001.safetensors"
    index = {"metadata": {"total_size": 4}, "weight_map": {"weight": shard}}
    both = json.dumps(config) + "\0" + json.dumps(index)
    write("checkpoint", "sound", both)
    write("checkpoint", "outside", both.replace(shard, "../x.safetensors"))
    write("checkpoint", "stale", both.replace('"weight":', '"bias":'))
    write("checkpoint", "no_map", json.dumps(config) + "\0{}")
    write("checkpoint", "config_alone", json.dumps(config))
    write("checkpoint", "nested", '{"a":' * 200 + "1" + "}" * 200)


RECORD = {
    "kind": "recall",
    "variant": "f",
    "protocol": "niah",
    "task": "s1",
    "length": 4096,
    "index": 0,
    "depth": 2.5,
    "real_depth": 2.4,
    "prompt_tokens": 3900,
    "real_length": 4028,
    "prompt_sha256": "a" * 64,
    "outcome": "scored",
    "score": 1,
    "miss": "hit",
    "expected": ["7654321"],
    "text": "It is 7654321.",
    "ids": [1, 2],
    "value_log_prob": -0.25,
    "value_rank": 1,
    "computed_tokens": 4000,
    "seconds": 0.5,
}


def make_journal():
    oom = dict(RECORD, index=1, outcome="oom", detail="needed 4 GiB", score=0)
    write("journal", "two", lines(RECORD, oom))
    write("journal", "torn", lines(RECORD) + lines(oom)[:90])
    write("journal", "empty", "")
    write("journal", "contradiction", lines(dict(RECORD, score=0)))
    write("journal", "not_utf8", lines(RECORD).encode().replace(b"It is", b"It \xff\xc3"))


PLAN = {
    "name": "n",
    "title": "t",
    "program_version": "0.1.0",
    "protocol": "niah",
    "seed": 1,
    "tasks": ["s1"],
    "lengths": [4096],
    "variants": [{"fingerprint": "f", "model": "m", "name": "base", "description": ""}],
    "haystack": "prose",
    "tokenizer": "t",
    "reasoning": [],
    "machine": "2 cores",
    "caveats": [],
    "published": [],
    "gradients": [
        {"variant": "CoT", "pairs": [3, 2], "query": [1, 0.5], "key": [1, 0.5],
         "decay_query": 3.5, "decay_key": None}
    ],
    "started": "2026-01-01T00:00:00Z",
    "finished": "2026-01-01T01:00:00Z",
    "config_json": "{}",
}


def make_plan():
    write("plan", "sound", json.dumps(PLAN))
    twice = dict(PLAN, variants=PLAN["variants"] * 2)
    write("plan", "one_fingerprint_twice", json.dumps(twice))
    write("plan", "lengths", json.dumps(dict(PLAN, lengths=[4096, -1, 1 << 63])))


def make_results():
    cell = {
        "kind": "recall", "variant": "f", "task": "s1", "length": 4096, "n": 2, "hits": 1,
        "samples": [[0, 0.0, "0123456789abcdef", 1, -0.5], [1, 50.0, "fedcba9876543210", 0, None],
                    [2, 99.5, "00000000000000ff", None, None]],
        "misses": {"wrong_value": 1}, "unmeasured": {"oom": 1},
    }
    results = {"schema": "niah-results/1", "run": PLAN, "cells": [cell]}
    write("results", "one_cell", json.dumps(results))
    write("results", "no_cells", json.dumps(dict(results, cells=[])))
    write("results", "contradiction", json.dumps(dict(results, cells=[dict(cell, hits=2)])))


def make_history():
    night = {
        "time": "2026-01-02T03:00:00Z",
        "exit_code": 1,
        "regressions": ["base S2 at 64K: recall fell"],
        "cells": [{"kind": "recall", "model": "m", "variant": "<b>", "task": "s2",
                   "length": 65536, "fingerprint": "f", "n": 200, "hits": 133,
                   "outcome": "regression"}],
    }
    quiet = dict(night, time="2026-01-01T03:00:00Z", exit_code=0, regressions=[])
    write("history", "two", lines(quiet, night))
    write("history", "torn", lines(quiet) + '{"time": "2026-0')
    write("history", "no_cells", lines(dict(quiet, cells=[])))


def make_sample_file():
    doc = {
        "index": 0,
        "input": "Some text. One of the special magic numbers for odd-key is: 7654321. "
                 "What is the special magic number for odd-key mentioned in the provided text?",
        "outputs": ["7654321"],
        "length": 900,
        "max_length": 1024,
        "gen_prefix": "The special magic number for odd-key mentioned in the provided text is",
    }
    write("sample_file", "lm_eval_doc", lines(doc, dict(doc, index=1)))
    logged = {"doc_id": 0, "doc": doc, "target": ["7654321"], "resps": [["x"]], "filter": "none"}
    write("sample_file", "lm_eval_logged", lines(logged))
    ruler = {key: doc[key] for key in ("index", "input", "outputs", "length")}
    write("sample_file", "ruler", lines(dict(ruler, answer_prefix=" " + doc["gen_prefix"])))
    ours = dict(doc, protocol="niah", task="s2", seed=1, key="odd-key", needle=[11, 67],
                depth=10, real_depth=9.5, haystack_units=1, prompt_sha256="0" * 64)
    write("sample_file", "ours", lines(ours))
    write("sample_file", "no_needle", lines(dict(doc, outputs=["1"])))


def make_reasoning_set():
    write("reasoning_set", "gsm8k", lines({"question": "2 + 3?", "answer": "2+3=5\n#### 1,005"}))
    write("reasoning_set", "math500",
          lines({"problem": "Half?", "solution": "$\\boxed{\\frac{1}{2}}$",
                 "answer": "\\frac{1}{2}", "level": 1}))
    write("reasoning_set", "no_marks", lines({"question": "a", "answer": "5"}))
    write("reasoning_set", "open_brace", lines({"problem": "a", "answer": "\\frac{1}{"}))


def make_tokenizer_config():
    config = {
        "tokenizer_class": "LlamaTokenizer",
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": {"content": "<s>"},
        "eos_token": "</s>",
        "added_tokens_decoder": {
            "1": {"content": "<s>", "special": True},
            "10": {"content": "<x>", "lstrip": True, "rstrip": False, "single_word": False,
                   "normalized": False, "special": False},
        },
    }
    write("tokenizer_config", "sound", json.dumps(config))
    write("tokenizer_config", "empty", "{}")
    write("tokenizer_config", "bad_id", '{"added_tokens_decoder":{"x":{"content":"<f>"}}}')
    write("tokenizer_config", "huge_id",
          '{"added_tokens_decoder":{"99999999999999999999":{"content":"<f>"}}}')


def make_text():
    for name, text in {
        "length": b"256k", "length_m": b"1M", "too_long": b"9999999999999K", "word": b"sampels",
        "html": b"<b a='\"'>&\x01\x1b[2J", "surrogate": b"\xed\xa0\x80a\xc3",
        "plane": "\U0001f600\u00e9\u202e".encode(), "cut": b"\xf0\x9f\x98",
    }.items():
        write("text", name, text)


def make_yaml():
    write("yaml", "sweep", "name: demo\ntasks: [s1, s2]\nlengths: [8K, 4K]\nsamples: 10\n"
          "models:\n  - name: pair\n    base: checkpoints/base\nruntime: {dtype: fp32}\n")
    write("yaml", "twice", "a: 1\nb: 2\na: 3\n")
    write("yaml", "anchor", "a: &x [1, 2]\ntasks: *x\n<<: {b: 1}\n")
    write("yaml", "billion_laughs",
          "a: &a [x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\n"
          "tasks: [*c,*c,*c,*c,*c,*c]\n")
    write("yaml", "nested", "[" * 300 + "]" * 300)
    write("yaml", "alias_of_itself", "a: &a [*a]\n")
    write("yaml", "tags", "samples: !!str 3\nquiet: !<x> true\n? [a]\n: 1\n")


def make_sentencepiece():
    for name in ("sp_bpe", "sp_unigram", "sp_squeeze"):
        model = (ROOT / "data" / "tokenizer" / name / "tokenizer.model").read_bytes()
        # The file begins with the pieces and ends with the settings.
        write("sentencepiece", name, model)
        write("sentencepiece", name + "_cut", model[: len(model) // 3])
    piece = b"\x0a\x01a\x15\x00\x00\x00\x00\x18\x01"
    write("sentencepiece", "one_piece", b"\x0a" + bytes([len(piece)]) + piece)
    write("sentencepiece", "not_a_model", b"not a model")


if __name__ == "__main__":
    make_checkpoint()
    make_history()
    make_journal()
    make_plan()
    make_reasoning_set()
    make_results()
    make_safetensors()
    make_sample_file()
    make_sentencepiece()
    make_text()
    make_tokenizer_config()
    make_yaml()

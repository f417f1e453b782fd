"""Converts a GGUF file of a Llama back to a Hugging Face folder: config.json, model.safetensors,
tokenizer.json, tokenizer_config.json, generation_config.json.

Quantised blocks are dequantised to fp32, since no narrower type holds all their values. GGUF stores
the rows of q_proj and k_proj in the order of interleaved rotary embedding (0, D/2, 1, D/2 + 1,
...); they are put back in order. Anything unknown in the file is an error rather than left out.
"""

import json
import pathlib
import re

import gguf
import numpy as np
from safetensors.numpy import save_file

WHOLE = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
OF_A_LAYER = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}
NORMAL, CONTROL = 1, 3  # token types


class Metadata:
    def __init__(self, reader: gguf.GGUFReader):
        self.fields = reader.fields

    def __getitem__(self, key: str):
        return self.fields[key].contents()

    def must_be(self, key: str, expected) -> None:
        if self[key] != expected:
            raise SystemExit(f"{key} is {self[key]!r}; only {expected!r} can be rebuilt here")


def short(number: float) -> float:
    """An fp32 number in its shortest decimal form: 1e-05, not 9.999999747378752e-06."""
    return float(str(np.float32(number)))


def config_of(meta: Metadata) -> dict:
    meta.must_be("general.architecture", "llama")
    heads, width = meta["llama.attention.head_count"], meta["llama.embedding_length"]
    meta.must_be("llama.rope.dimension_count", width // heads)
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": meta["llama.vocab_size"],
        "hidden_size": width,
        "intermediate_size": meta["llama.feed_forward_length"],
        "num_hidden_layers": meta["llama.block_count"],
        "num_attention_heads": heads,
        "num_key_value_heads": meta["llama.attention.head_count_kv"],
        "max_position_embeddings": meta["llama.context_length"],
        "rms_norm_eps": short(meta["llama.attention.layer_norm_rms_epsilon"]),
        "rope_theta": short(meta["llama.rope.freq_base"]),
        "rope_scaling": None,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,  # an output.weight in the file would be refused below
        "torch_dtype": "float32",
        **special_ids(meta),
    }


def special_ids(meta: Metadata) -> dict:
    return {"bos_token_id": meta["tokenizer.ggml.bos_token_id"],
            "eos_token_id": meta["tokenizer.ggml.eos_token_id"],
            "pad_token_id": meta["tokenizer.ggml.padding_token_id"]}


def as_halves(rows: np.ndarray, heads: int) -> np.ndarray:
    """Reorders rows of q_proj or k_proj from interleaved pairs to first halves, then second
    halves."""
    out, width = rows.shape
    return rows.reshape(heads, out // heads // 2, 2, width).swapaxes(1, 2).reshape(out, width)


def tensors_of(reader: gguf.GGUFReader, config: dict) -> dict[str, np.ndarray]:
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    tensors = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if tensor.name in WHOLE:
            tensors[WHOLE[tensor.name]] = values
            continue
        match = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", tensor.name)
        if not match or match[2] not in OF_A_LAYER:
            raise SystemExit(f"the tensor {tensor.name} has no place in a Llama's folder")
        if match[2] in heads:
            values = as_halves(values, heads[match[2]])
        tensors[f"model.layers.{match[1]}.{OF_A_LAYER[match[2]]}.weight"] = np.ascontiguousarray(values)
    expected = len(WHOLE) + config["num_hidden_layers"] * len(OF_A_LAYER)
    if len(tensors) != expected:
        raise SystemExit(f"{len(tensors)} tensors, not {expected}")
    return tensors


def tokenizer_of(meta: Metadata) -> dict:
    """Byte-level BPE after SmolLM's pre-tokenizer: single digits, then GPT-2's regular
    expression."""
    meta.must_be("tokenizer.ggml.model", "gpt2")
    meta.must_be("tokenizer.ggml.pre", "smollm")
    meta.must_be("tokenizer.ggml.add_bos_token", False)
    tokens, types = meta["tokenizer.ggml.tokens"], meta["tokenizer.ggml.token_type"]
    if set(types) - {NORMAL, CONTROL}:
        raise SystemExit(f"tokens of types {set(types)}; only {NORMAL} and {CONTROL} can be rebuilt here")
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": tokens[i], **plain} for i, kind in enumerate(types) if kind == CONTROL],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True}, {**byte_level, "add_prefix_space": False}]},
        "post_processor": None,
        "decoder": {**byte_level, "add_prefix_space": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {token: i for i, token in enumerate(tokens)}, "merges": meta["tokenizer.ggml.merges"]},
    }


def tokenizer_config_of(meta: Metadata) -> dict:
    tokens = meta["tokenizer.ggml.tokens"]
    roles = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
    return {
        # Not GPT2Tokenizer, which transformers 5 rebuilds with its own pre-tokenizer.
        "tokenizer_class": "PreTrainedTokenizerFast",
        **{f"{role}_token": tokens[meta[f"tokenizer.ggml.{name}_token_id"]] for role, name in roles.items()},
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": meta["llama.context_length"],
        "chat_template": meta["tokenizer.chat_template"],
    }


def write_checkpoint(file: pathlib.Path, folder: pathlib.Path) -> None:
    """Writes the folder. The weights come last, so a folder that has them is complete."""
    reader = gguf.GGUFReader(file)
    meta = Metadata(reader)
    config = config_of(meta)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"config.json": config, "generation_config.json": special_ids(meta),
             "tokenizer.json": tokenizer_of(meta), "tokenizer_config.json": tokenizer_config_of(meta)}
    for name, content in texts.items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    part = folder / "model.safetensors.part"
    save_file(tensors_of(reader, config), part, metadata={"format": "pt"})
    part.rename(folder / "model.safetensors")

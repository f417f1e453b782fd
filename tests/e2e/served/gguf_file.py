"""Converts a Hugging Face folder of a Qwen3 or Llama to a GGUF file in fp32 or bf16, for llama.cpp.

Two tokenizers are supported: SentencePiece unigram (tokenizer.model, as in the zoo) and SmolLM's
byte-level BPE (tokenizer.json, as written by tests/oracle/real_model.py). Anything else in the
folder is an error rather than left out.
"""

import json
import pathlib
import re

import gguf
import numpy as np
from safetensors.numpy import load_file

WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
OF_A_LAYER = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
ADDED_ONES = ("rope_scaling", "sliding_window", "attention_bias", "mlp_bias")  # not converted
NORMAL, CONTROL = 1, 3  # token types, which have the same numbers in SentencePiece and GGUF


def as_pairs(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows of q_proj or k_proj in llama.cpp's order for a Llama: 0, D/2, 1, D/2 + 1, ... in every
    head."""
    out, width = rows.shape
    return rows.reshape(heads, 2, out // heads // 2, width).swapaxes(1, 2).reshape(out, width)


def name_of(tensor: str) -> str:
    stem, dot, kind = tensor.rpartition(".")
    layer = re.fullmatch(r"model\.layers\.(\d+)\.(.+)", stem)
    if stem in WHOLE and kind == "weight":
        return f"{WHOLE[stem]}.weight"
    if layer and layer[2] in OF_A_LAYER and kind == "weight":
        return f"blk.{layer[1]}.{OF_A_LAYER[layer[2]]}.weight"
    raise SystemExit(f"the tensor {tensor} has no place in a GGUF of a Qwen3 or a Llama")


def add_tensor(writer: gguf.GGUFWriter, name: str, values: np.ndarray, in_bf16: bool) -> None:
    values = np.ascontiguousarray(values, dtype=np.float32)
    if in_bf16 and values.ndim > 1:  # llama.cpp wants the weights of norms in fp32
        kind = gguf.GGMLQuantizationType.BF16
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    else:
        writer.add_tensor(name, values)


def add_tensors(writer: gguf.GGUFWriter, folder: pathlib.Path, config: dict, in_bf16: bool) -> None:
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for tensor, values in load_file(folder / "model.safetensors").items():
        part = tensor.split(".")[-2]
        if config["model_type"] == "llama" and part in heads:
            values = as_pairs(values, heads[part])
        add_tensor(writer, name_of(tensor), values, in_bf16)


def add_shape(writer: gguf.GGUFWriter, config: dict, in_bf16: bool) -> None:
    set_ones = [key for key in ADDED_ONES if config.get(key)]
    if config["model_type"] not in ("qwen3", "llama") or set_ones:
        raise SystemExit(f"a {config['model_type']} with {set_ones or 'its shape'} is not converted here")
    width, heads = config["hidden_size"], config["num_attention_heads"]
    head_dim = config.get("head_dim") or width // heads
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(width)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base({**config, **config.get("rope_parameters", {})}["rope_theta"])  # where transformers 5 has it
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16 if in_bf16 else gguf.LlamaFileType.ALL_F32)


def add_unigram(writer: gguf.GGUFWriter, file: pathlib.Path) -> None:
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto.FromString(file.read_bytes())
    if model.trainer_spec.model_type != model.trainer_spec.UNIGRAM:
        raise SystemExit(f"{file} is no unigram model")
    writer.add_tokenizer_model("t5")  # llama.cpp's name for it
    writer.add_tokenizer_pre("default")
    writer.add_token_list([piece.piece.encode() for piece in model.pieces])
    writer.add_token_scores([piece.score for piece in model.pieces])
    writer.add_token_types([piece.type for piece in model.pieces])
    spec = model.normalizer_spec
    writer.add_add_space_prefix(spec.add_dummy_prefix)
    writer.add_remove_extra_whitespaces(spec.remove_extra_whitespaces)
    if spec.precompiled_charsmap:
        writer.add_precompiled_charsmap(spec.precompiled_charsmap)
    writer.add_unk_token_id(model.trainer_spec.unk_id)


def add_byte_level_bpe(writer: gguf.GGUFWriter, file: pathlib.Path) -> None:
    tokenizer = json.loads(file.read_text(encoding="utf-8"))
    kinds = [step["type"] for step in tokenizer["pre_tokenizer"].get("pretokenizers", [])]
    if tokenizer["model"]["type"] != "BPE" or kinds != ["Digits", "ByteLevel"]:
        raise SystemExit(f"{file} is not SmolLM's byte-level BPE")
    vocabulary = tokenizer["model"]["vocab"]
    special = {token["id"] for token in tokenizer["added_tokens"]}
    merges = tokenizer["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(sorted(vocabulary, key=vocabulary.get))
    writer.add_token_types([CONTROL if i in special else NORMAL for i in range(len(vocabulary))])
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])


def add_tokenizer(writer: gguf.GGUFWriter, folder: pathlib.Path, config: dict) -> None:
    if (folder / "tokenizer.model").exists():
        add_unigram(writer, folder / "tokenizer.model")
    else:
        add_byte_level_bpe(writer, folder / "tokenizer.json")
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    writer.add_bos_token_id(config["bos_token_id"])
    if config.get("eos_token_id") is not None:  # random weights have no end of text
        writer.add_eos_token_id(config["eos_token_id"])
    writer.add_add_bos_token(settings.get("add_bos_token", False))
    writer.add_add_eos_token(settings.get("add_eos_token", False))
    if "chat_template" in settings:
        writer.add_chat_template(settings["chat_template"])


def write_gguf(folder: pathlib.Path, file: pathlib.Path, in_bf16: bool = False) -> None:
    """Writes the GGUF file under a temporary name first, so that `file` is always complete."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    part = file.with_name(file.name + ".part")
    writer = gguf.GGUFWriter(part, config["model_type"])
    writer.add_name(folder.name)
    add_shape(writer, config, in_bf16)
    add_tokenizer(writer, folder, config)
    add_tensors(writer, folder, config, in_bf16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.rename(file)

"""A plain forward pass in float64, to see how close the two likeliest tokens are.

It is slow and independent of the local engine and of all servers. Used only where texts diverge.
"""

import json
import pathlib

import numpy as np
from safetensors.numpy import load_file


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * weight


def rotate(x: np.ndarray, theta: float) -> np.ndarray:
    """Rotary embedding of x [tokens, heads, D], pairing each head's first half with its second."""
    half = x.shape[-1] // 2
    angles = np.arange(x.shape[0])[:, None] * theta ** (-np.arange(half) / half)
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    first, second = x[..., :half], x[..., half:]
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


class Reference:
    """A Qwen3 or a Llama."""

    def __init__(self, folder: pathlib.Path):
        self.config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "model.safetensors")
        self.weights = {name: values.astype(np.float64) for name, values in tensors.items()}
        self.eps = self.config["rms_norm_eps"]

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        return rms_norm(x, self.weights[name + ".weight"], self.eps)

    def linear(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.weights[name + ".weight"].T

    def heads(self, x: np.ndarray, layer: str, part: str) -> np.ndarray:
        """Queries or keys [tokens, heads, D], normalised if the model does that, and rotated."""
        count = self.config["num_attention_heads" if part == "q" else "num_key_value_heads"]
        rows = self.linear(x, f"{layer}.{part}_proj").reshape(len(x), count, -1)
        if f"{layer}.{part}_norm.weight" in self.weights:
            rows = self.norm(rows, f"{layer}.{part}_norm")
        return rotate(rows, self.config["rope_theta"])

    def attention(self, x: np.ndarray, layer: str) -> np.ndarray:
        queries, keys = self.heads(x, layer, "q"), self.heads(x, layer, "k")
        values = self.linear(x, f"{layer}.v_proj").reshape(len(x), keys.shape[1], -1)
        group = queries.shape[1] // keys.shape[1]
        future = np.triu(np.full((len(x), len(x)), -np.inf), 1)
        out = np.empty_like(queries)
        for head in range(queries.shape[1]):  # one head at a time: scores of 4K tokens take 128 MiB
            scores = queries[:, head] @ keys[:, head // group].T / np.sqrt(queries.shape[-1]) + future
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            out[:, head] = scores / scores.sum(axis=-1, keepdims=True) @ values[:, head // group]
        return self.linear(out.reshape(len(x), -1), f"{layer}.o_proj")

    def mlp(self, x: np.ndarray, layer: str) -> np.ndarray:
        gate = self.linear(x, f"{layer}.gate_proj")
        return self.linear(gate / (1 + np.exp(-gate)) * self.linear(x, f"{layer}.up_proj"), f"{layer}.down_proj")

    def log_probs(self, ids: list[int]) -> np.ndarray:
        """Natural log-probabilities of the token after `ids`."""
        x = self.weights["model.embed_tokens.weight"][ids]
        for number in range(self.config["num_hidden_layers"]):
            layer = f"model.layers.{number}"
            x = x + self.attention(self.norm(x, f"{layer}.input_layernorm"), f"{layer}.self_attn")
            x = x + self.mlp(self.norm(x, f"{layer}.post_attention_layernorm"), f"{layer}.mlp")
        head = "model.embed_tokens" if self.config.get("tie_word_embeddings") else "lm_head"
        logits = self.linear(self.norm(x[-1:], "model.norm"), head)[0]
        return logits - logits.max() - np.log(np.sum(np.exp(logits - logits.max())))

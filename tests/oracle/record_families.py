#!/usr/bin/env python3
"""Makes the small random checkpoints of the softmax families in tests/data/models and their goldens.

    pip install torch==2.13.0 transformers==5.24.0 safetensors numpy
    python3 tests/oracle/record_families.py [NAME...]

Each case covers what is specific to its family. Weights are drawn as in record_qwen.py.
"""

import subprocess
import sys

from record_qwen import OUTPUT, ROOT, check_generation, make, says_something
from transformers import GraniteConfig, Olmo3Config, SmolLM3Config

LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32, "rope_theta": 10000.0}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "rope_theta": 50000.0}
SLIDING, FULL = "sliding_attention", "full_attention"

CASES = {
    "granite-tiny": (GraniteConfig, dict(num_hidden_layers=2, attention_bias=True, mlp_bias=True,
                                         embedding_multiplier=3.0, residual_multiplier=0.7,
                                         attention_multiplier=0.2, logits_scaling=0.6, rope_parameters=LLAMA3)),
    "olmo3-tiny": (Olmo3Config, dict(num_hidden_layers=3, layer_types=[SLIDING, FULL, SLIDING], sliding_window=9,
                                     rope_parameters={SLIDING: {"rope_type": "default", "rope_theta": 10000.0},
                                                      FULL: YARN})),
    "smollm3-tiny": (SmolLM3Config, dict(num_hidden_layers=4, no_rope_layers=[1, 0, 1, 0],
                                         layer_types=[FULL, FULL, SLIDING, SLIDING], sliding_window=11,
                                         use_sliding_window=True, attention_bias=True,
                                         tie_word_embeddings=False)),
}
FIRST_SEED = {"granite-tiny": 0, "olmo3-tiny": 1, "smollm3-tiny": 1002}
COMMON = dict(vocab_size=64, hidden_size=32, intermediate_size=48, num_attention_heads=4, num_key_value_heads=2,
              max_position_embeddings=64, eos_token_id=1, bos_token_id=0, pad_token_id=None)
TOKENS, PREFILL = 60, 33


def main(names):
    for name in names or CASES:
        kind, own = CASES[name]
        seed = FIRST_SEED[name]
        folder = OUTPUT / name
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            make(folder, kind(**{**COMMON, **own}), seed, "bfloat16")
            subprocess.run([sys.executable, ROOT / "tests/oracle/record_golden.py", folder, "--out",
                            folder / "golden.safetensors", "--tokens", str(TOKENS), "--prefill", str(PREFILL),
                            "--also-bf16"], check=True)
            if says_something(folder):
                break
            seed += 100
        check_generation(folder)


if __name__ == "__main__":
    main(sys.argv[1:])

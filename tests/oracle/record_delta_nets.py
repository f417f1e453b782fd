#!/usr/bin/env python3
"""Makes the small random checkpoints of families with gated delta nets, short convolutions and
experts in tests/data/models, and their goldens.

    pip install torch==2.13.0 transformers==5.24.0 safetensors numpy
    python3 tests/oracle/record_delta_nets.py [NAME ...]

Sizes are multiples of a processor's vector size, so that results of sequences decoded together can
be compared bit by bit with those of each alone.
"""

import sys

import record_hybrids
from transformers import (KimiLinearConfig, Lfm2MoeConfig, OlmoHybridConfig, Qwen3_5TextConfig,
                          Qwen3NextConfig)

LINEAR, FULL = "linear_attention", "full_attention"
DELTA = dict(intermediate_size=48, linear_num_key_heads=1, linear_num_value_heads=2, linear_key_head_dim=16,
             linear_value_head_dim=16, linear_conv_kernel_dim=4)
EXPERTS = dict(num_experts=5, num_experts_per_tok=2, moe_intermediate_size=16)
ROPE = dict(head_dim=16, rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5))
CASES = {
    "qwen35-tiny": (Qwen3_5TextConfig, dict(DELTA, **ROPE, layer_types=[LINEAR, FULL])),
    "qwen3next-tiny": (Qwen3NextConfig, dict(DELTA, **ROPE, **EXPERTS, layer_types=[LINEAR, FULL],
                                             shared_expert_intermediate_size=16, mlp_only_layers=[1])),
    "olmohybrid-tiny": (OlmoHybridConfig, dict(DELTA, pad_token_id=None, linear_num_key_heads=2,
                                               linear_value_head_dim=32, intermediate_size=32, hidden_size=64,
                                               num_attention_heads=2, layer_types=[LINEAR, FULL],
                                               rope_parameters=dict(rope_type="default", rope_theta=None))),
    "lfm2moe-tiny": (Lfm2MoeConfig, dict(EXPERTS, pad_token_id=None, intermediate_size=48, num_attention_heads=2,
                                         num_key_value_heads=1, layer_types=["conv", FULL], num_dense_layers=1,
                                         routed_scaling_factor=1.4)),
    # The latent is wide enough for both ways of computing attention to be used.
    "kimi-tiny": (KimiLinearConfig, dict(
        EXPERTS, pad_token_id=None, num_key_value_heads=4, intermediate_size=48, layer_types=[LINEAR, FULL],
        mlp_layer_types=["dense", "sparse"], linear_head_dim=16, linear_num_heads=2, linear_conv_kernel_dim=4,
        kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=8, v_head_dim=8, num_experts=6, n_group=3,
        topk_group=2, rms_norm_eps=1e-3)),
}
FIRST_SEED = 30
draw_hybrid = record_hybrids.draw


def draw(name, shape, generator):
    values = draw_hybrid(name, shape, generator)
    if "conv.conv" in name:
        return values / 2
    # Qwen's norms multiply by 1 + w, except that of the delta rule.
    is_offset = name.endswith("norm.weight") and draw.family.startswith("qwen") and "linear_attn" not in name
    return values - 1 if is_offset else values


def main():
    record_hybrids.draw = draw
    wanted = sys.argv[1:] or list(CASES)
    for seed, (name, (kind, own)) in enumerate(CASES.items(), FIRST_SEED):
        draw.family = name
        if name in wanted:
            record_hybrids.make(name, kind, own, seed)


if __name__ == "__main__":
    main()

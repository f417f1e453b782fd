#!/usr/bin/env python3
"""Makes the small random checkpoints of families with Mamba-2 or lightning layers in tests/data/models,
and their goldens.

    pip install torch==2.13.0 transformers==5.24.0 safetensors numpy
    python3 tests/oracle/record_hybrids.py [NAME ...]

Everything is recorded from single passes over the whole text, since in decoding transformers bounds
Nemotron-H's dt differently from prefill and loses the positions of Bamba and MiniMax. For the first
reason Nemotron-H also gets a bound that is never reached.
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import (AutoModelForCausalLM, BambaConfig, FalconH1Config, GraniteMoeHybridConfig,
                          MiniMaxConfig, NemotronHConfig)

OUTPUT = pathlib.Path(__file__).resolve().parents[2] / "tests/data/models"
TOKENS, PREFILL, GREEDY = 90, 66, 16
COMMON = dict(vocab_size=61, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=128, bos_token_id=1, eos_token_id=2)
MAMBA = dict(mamba_n_heads=4, mamba_d_head=8, mamba_n_groups=2, mamba_d_state=8, mamba_d_conv=4, mamba_expand=1)
CASES = {
    "falconh1-tiny": (FalconH1Config, dict(
        MAMBA, mamba_d_ssm=32, head_dim=16, mamba_rms_norm=True, mamba_norm_before_gate=False,
        key_multiplier=0.7, lm_head_multiplier=0.6, embedding_multiplier=1.7, attention_in_multiplier=1.2,
        attention_out_multiplier=0.8, ssm_in_multiplier=0.9, ssm_out_multiplier=1.3, mlp_multipliers=[1.4, 0.75],
        ssm_multipliers=[0.8, 1.3, 0.7, 1.2, 0.9], attention_bias=True, mamba_proj_bias=True)),
    "nemotron-tiny": (NemotronHConfig, dict(
        layers_block_type=["linear_attention", "moe", "full_attention", "mlp"], num_hidden_layers=4, head_dim=8,
        mamba_num_heads=4, mamba_head_dim=8, n_groups=2, ssm_state_size=8, conv_kernel=4, n_routed_experts=6,
        num_experts_per_tok=2, n_group=3, topk_group=2, moe_intermediate_size=12,
        moe_shared_expert_intermediate_size=16, moe_latent_size=24, routed_scaling_factor=1.5,
        time_step_min=1e-9)),
    "granite4-tiny": (GraniteMoeHybridConfig, dict(
        MAMBA, layer_types=["linear_attention", "full_attention"], num_local_experts=4, num_experts_per_tok=2,
        intermediate_size=12, shared_intermediate_size=24, embedding_multiplier=1.6, residual_multiplier=0.7,
        attention_multiplier=0.3, logits_scaling=2.0, position_embedding_type="nope")),
    "bamba-tiny": (BambaConfig, dict(MAMBA, attn_layer_indices=[1], mlp_bias=True)),
    "minimax-tiny": (MiniMaxConfig, dict(
        layer_types=["linear_attention", "full_attention"], head_dim=8, intermediate_size=16, num_local_experts=3,
        num_experts_per_tok=2, block_size=8, full_attn_alpha_factor=1.1, full_attn_beta_factor=0.7,
        linear_attn_alpha_factor=0.9, linear_attn_beta_factor=0.6, mlp_alpha_factor=1.2, mlp_beta_factor=0.8)),
}


def draw(name, shape, generator):
    noise = torch.randn(shape, generator=generator)
    if name.endswith("A_log"):
        return torch.log(0.3 + 4 * torch.rand(shape, generator=generator))
    if name.endswith("dt_bias"):
        return noise - 1.5
    if name.endswith(".D") or "norm" in name:
        return 1 + 0.2 * noise
    if name.endswith("bias"):
        return 0.4 * noise
    if "conv1d" in name:
        return 0.6 * noise
    if "embed" in name or "lm_head" in name:
        return 0.5 * noise
    return 1.2 * noise / shape[-1] ** 0.5


def randomize(model, seed):
    generator = torch.Generator().manual_seed(seed)
    tensors = dict(model.named_parameters())
    tensors.update((name, buffer) for name, buffer in model.named_buffers() if "correction_bias" in name)
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(draw(name, tensor.shape, generator).bfloat16())


@torch.no_grad()
def record(model, seed):
    def logits(ids):
        return model(input_ids=ids, use_cache=False).logits.float()

    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(model.config.vocab_size, (1, TOKENS), generator=generator)
    whole = logits(ids)
    text, chosen, margins = ids[:, :PREFILL], [], []
    for _ in range(GREEDY):
        best = logits(text)[0, -1].topk(2)
        chosen.append(best.indices[0].item())
        margins.append((best.values[0] - best.values[1]).item())
        text = torch.cat([text, best.indices[:1].unsqueeze(0)], 1)
    return {
        "input_ids": ids,
        "prefill_length": torch.tensor([PREFILL]),
        "logits": whole.contiguous(),
        "decode_logits": whole[:, PREFILL - 1:].clone(),
        "greedy_ids": torch.tensor([chosen]),
        "greedy_margin": torch.tensor([margins]),
    }


def is_telling(golden):
    """Whether the golden is a useful test: random models tend to repeat themselves, and near ties
    prove nothing."""
    best = golden["logits"].topk(2, -1).values
    return len(set(golden["greedy_ids"][0].tolist())) > 5 and (best[..., 0] - best[..., 1]).min() > 1e-3


def make(name, kind, own, seed):
    folder = OUTPUT / name
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        model = AutoModelForCausalLM.from_config(kind(**{**COMMON, **own})).float().eval()
        randomize(model, seed)
        # Record the model in memory: loaded from the file, MiniMax's slopes (not weights) would be
        # rounded.
        golden = record(model, seed)
        if is_telling(golden):
            break
        seed += 100
    model.to(torch.bfloat16).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    save_file(golden, folder / "golden.safetensors")
    print(f"{name}: seed {seed}, largest logit {golden['logits'].abs().max():.2f}")


def main():
    wanted = sys.argv[1:] or list(CASES)
    for seed, (name, (kind, own)) in enumerate(CASES.items()):
        if name in wanted:
            make(name, kind, own, seed)


if __name__ == "__main__":
    main()

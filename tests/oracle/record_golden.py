#!/usr/bin/env python3
"""Records what transformers computes from a checkpoint, for `niah verify DIR --golden FILE`.

    pip install torch transformers safetensors numpy
    python3 record_golden.py CHECKPOINT --out golden.safetensors [--trust-remote-code]

Works for any causal language model that transformers loads: Qwen2, Qwen3, and HypeNet and
Jet-Nemotron with their own code (--trust-remote-code; their kernels may need a GPU: --device cuda).
Written with torch 2.13.0 and transformers 5.24.0 for the Qwen goldens of tests/data/models.

Keys: input_ids, logits, hidden.final, hidden.{i} (with --hidden), prefill_length, decode_logits,
greedy_ids, greedy_margin. With --dtype bfloat16 the arithmetic is bf16 and verify's bf16 rule
applies; without, weights are widened to fp32. --also-bf16 adds bf16.logits, bf16.decode_logits and
bf16.greedy_ids to the fp32 ones.
"""

import argparse
import pathlib

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer


def load(folder, dtype, arguments):
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, trust_remote_code=arguments.trust_remote_code,
        attn_implementation=arguments.attention)
    # HypeNet's config forces flash attention, overriding the argument above.
    model.config._attn_implementation = arguments.attention
    return model.eval().to(arguments.device)


def forward(model, ids, cache=None):
    # Jet-Nemotron's sdpa path is wrong without an explicit mask.
    seen = cache.get_seq_length() if cache is not None else 0
    mask = torch.ones(1, seen + ids.shape[1], dtype=torch.long, device=ids.device)
    return model(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True)


@torch.no_grad()
def record(model, ids, prefill, greedy, hidden):
    """Computes the golden's tensors, on the CPU in fp32."""
    found = {}
    hooks = []

    def keep(name):
        def hook(module, inputs, output):
            value = output[0] if isinstance(output, tuple) else output
            found[name] = value.detach().float().cpu().contiguous()
        return hook

    layers = model.model.layers
    if hidden:
        hooks += [layer.register_forward_hook(keep(f"hidden.{i}")) for i, layer in enumerate(layers)]
    hooks.append(model.model.norm.register_forward_hook(keep("hidden.final")))
    logits = forward(model, ids).logits
    for hook in hooks:
        hook.remove()

    output = forward(model, ids[:, :prefill])
    steps = [output.logits[:, -1]]
    for at in range(prefill, ids.shape[1]):
        output = forward(model, ids[:, at:at + 1], output.past_key_values)
        steps.append(output.logits[:, -1])

    output = forward(model, ids[:, :prefill])
    chosen, margins = [], []
    for _ in range(greedy):
        best = output.logits[0, -1].float().topk(2)
        chosen.append(best.indices[0].item())
        margins.append((best.values[0] - best.values[1]).item())
        output = forward(model, best.indices[:1].unsqueeze(0), output.past_key_values)

    return {
        "input_ids": ids.cpu(),
        "prefill_length": torch.tensor([prefill]),
        "logits": logits.float().cpu().contiguous(),
        "decode_logits": torch.stack(steps, 1).float().cpu().contiguous(),
        "greedy_ids": torch.tensor([chosen]),
        "greedy_margin": torch.tensor([margins]),
        **found,
    }


def choose_ids(arguments, vocab):
    if arguments.ids_from:
        tokenizer = AutoTokenizer.from_pretrained(arguments.checkpoint,
                                                  trust_remote_code=arguments.trust_remote_code)
        ids = tokenizer(arguments.ids_from.read_text(encoding="utf-8")).input_ids[:arguments.tokens]
        if len(ids) < arguments.tokens:
            raise SystemExit(f"{arguments.ids_from} has {len(ids)} tokens, --tokens asks for {arguments.tokens}")
        return torch.tensor([ids])
    generator = torch.Generator().manual_seed(arguments.seed)
    return torch.randint(vocab, (1, arguments.tokens), generator=generator)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--tokens", type=int, default=160, help="length of the text")
    parser.add_argument("--prefill", type=int, default=100, help="tokens before decoding starts")
    parser.add_argument("--greedy", type=int, default=24, help="tokens to generate")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--also-bf16", action="store_true")
    parser.add_argument("--hidden", action="store_true", help="residual streams after every layer")
    parser.add_argument("--ids-from", type=pathlib.Path, help="a text file; default: random ids")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--attention", default="sdpa")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--trust-remote-code", action="store_true")
    arguments = parser.parse_args()
    if not 0 < arguments.prefill <= arguments.tokens:
        parser.error("--prefill must lie between 1 and --tokens")

    model = load(arguments.checkpoint, getattr(torch, arguments.dtype), arguments)
    ids = choose_ids(arguments, model.config.vocab_size).to(arguments.device)
    tensors = record(model, ids, arguments.prefill, arguments.greedy, arguments.hidden)
    if arguments.also_bf16:
        rough = record(load(arguments.checkpoint, torch.bfloat16, arguments), ids, arguments.prefill,
                       arguments.greedy, False)
        for name in ("logits", "decode_logits", "greedy_ids"):
            tensors["bf16." + name] = rough[name]
    save_file(tensors, arguments.out)
    print(f"{arguments.out}: {ids.shape[1]} tokens, largest logit {tensors['logits'].abs().max():.2f}")


if __name__ == "__main__":
    main()

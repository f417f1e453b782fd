"""Runs llama.cpp's own HTTP server, as packaged in xllamacpp, on one GGUF file until it is stopped.

As far as possible it computes like the local engine: KV caches in fp32, no flash attention (which
multiplies in fp16); with --fast it computes as it does by default. Each of the --parallel slots has its own context of --context tokens. The key
that clients need is in the environment variable SERVER_KEY.
"""

import argparse
import os
import signal

import xllamacpp


def parameters(options: argparse.Namespace) -> xllamacpp.CommonParams:
    params = xllamacpp.CommonParams()
    params.model.path = options.gguf
    params.model_alias = {options.name}
    params.hostnames = ["127.0.0.1"]
    params.port = options.port
    params.n_parallel = options.parallel
    params.n_ctx = options.context * options.parallel
    if not options.fast:
        keep_fp32(params)
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.threads
    params.fit_params = False
    params.n_gpu_layers = 0
    params.cache_prompt = options.prefix_caching
    if key := os.environ.get("SERVER_KEY"):
        params.api_keys = [key]
    return params


def keep_fp32(params: xllamacpp.CommonParams) -> None:
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gguf")
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--context", type=int, default=8192)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--no-prefix-caching", dest="prefix_caching", action="store_false")
    server = xllamacpp.Server(parameters(parser.parse_args()))
    print(f"llama.cpp ({xllamacpp.BUILD_INFO}) at {server.listening_address}", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()

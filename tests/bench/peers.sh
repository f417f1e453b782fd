#!/usr/bin/env bash
# Compares niah with lm-evaluation-harness and transformers: same weights, samples, run and machine.
# Prints the tables of README's performance section. Takes about half an hour on 2 cores.
#   bash docker/bootstrap.sh build && bash tests/bench/peers.sh [FOLDER]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
out=${1:-$root/runs/peers}
mkdir -p "$out"

if [ ! -e "$out/venv/.complete" ]; then
  python3 -m venv "$out/venv"
  "$out/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 "lm_eval[hf]==0.4.13" \
    wonderwords==3.0.1 nltk sentencepiece protobuf
  touch "$out/venv/.complete"
fi

peers() { "$out/venv/bin/python" "$root/tests/bench/peers.py" --out "$out" "$@" 2> "$out/peers.log"; }
peers --checkpoint "$root/models/zoo/qwen3" --lengths 4096,8192 --breakdown 8192
peers --checkpoint random --dtype bfloat16 --breakdown 8192
peers --checkpoint random --dtype float32
"$out/venv/bin/python" "$root/tests/bench/sharing.py" --out "$out/sharing" 2> "$out/sharing.log"

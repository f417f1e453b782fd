#!/usr/bin/env bash
# Compares niah with lm-evaluation-harness and transformers (harness), and with vLLM's CPU build and llama.cpp
# (servers): same weights, samples, run and machine. Prints the tables of README's performance section. Takes about
# half an hour each on 2 cores.
#   bash docker/bootstrap.sh build && bash tests/bench/peers.sh harness|servers [FOLDER]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
what=${1:-}
out=${2:-$root/runs/peers}
case $what in
  harness | servers) ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
mkdir -p "$out"

if [ ! -e "$out/venv/.complete" ]; then
  python3 -m venv "$out/venv"
  "$out/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 "lm_eval[hf]==0.4.13" \
    wonderwords==3.0.1 nltk sentencepiece protobuf
  touch "$out/venv/.complete"
fi

if [ "$what" = servers ]; then
  random=$out/random
  [ -e "$random/checkpoint/model.safetensors" ] || "$out/venv/bin/python" - "$root" "$random/checkpoint" <<'END'
import pathlib
import sys

sys.path.insert(0, f"{sys.argv[1]}/tests/bench")
import peers

folder = pathlib.Path(sys.argv[2])
folder.mkdir(parents=True)
peers.random_checkpoint(folder)
END
  for server in vllm llama.cpp; do
    for checkpoint in "$random/checkpoint" "$root/models/zoo/qwen3"; do
      python3 "$root/tests/bench/server_peers.py" "$server" --checkpoint "$checkpoint" --out "$out" --lengths 4096,8192
    done
  done
  exit
fi

peers() { "$out/venv/bin/python" "$root/tests/bench/peers.py" --out "$out" "$@" 2> "$out/peers.log"; }
peers --checkpoint "$root/models/zoo/qwen3" --lengths 4096,8192 --breakdown 8192
peers --checkpoint random --dtype bfloat16 --breakdown 8192
peers --checkpoint random --dtype float32
"$out/venv/bin/python" "$root/tests/bench/sharing.py" --out "$out/sharing" 2> "$out/sharing.log"

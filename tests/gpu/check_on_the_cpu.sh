#!/usr/bin/env bash
# Packs a build folder and runs stages c to f of check.sh on the CPU at reduced size, to test
# without a GPU what will run on one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bash "$(dirname "${BASH_SOURCE[0]}")/pack.sh" --build "$1" --out "$work/pack"
bash "$work/pack/check.sh" --device cpu --stages cdef --reduced --out "$work/results"
python3 - "$work/results/check.json" <<'PY'
import json, sys
found = json.load(open(sys.argv[1]))
assert found["stages"] == dict.fromkeys("cdef", "ok"), found["stages"]
assert found["ops"]["tests"] > 10 and found["ops"]["failures"] == 0, found["ops"]
assert found["reproduce"]["records"] > 0
assert {one["label"] for one in found["speed"]} == {"hybrid-512", "qwen3.5-1024"}
assert all(model[kind]["launches"] > 100 for model in found["profile"] for kind in ("prefill", "decode"))
PY

#!/usr/bin/env bash
# Checks niah on a GPU, offline, in the folder that pack.sh made. Every stage can run alone:
#
#     bash check.sh [--device cuda] [--stages abcdefg] [--reduced] [--out results]
#
#   a  logits of every architecture compared with those of its reference, fp32 and bf16
#   b  selftest of each: the result does not depend on the chunking of a text, past 32K
#   c  every op compared with its slow reference
#   d  `niah reproduce --quick` on the GPU and on the CPU gives the same scores
#   e  speed of released sizes with random weights in bf16, and peak memory
#   f  kernels of a prefill chunk and of a decode pass
#   g  runs out of memory on purpose: the record says so and the run continues
#
# --reduced: small models and short texts, to test this script. A command that takes longer than
# two and a half minutes fails. Results: OUT/check.json, OUT/check.log.
# Exit code 0: every stage passed; 1: a stage failed; 3: the check could not run.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
device=cuda stages=abcdefg reduced='' out=$PWD/results

usage() { sed -n '2,18s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
say() { printf 'check: %s\n' "$*" | tee -a "$out/check.log" >&2; }
die() { printf 'check: %s\n' "$*" >&2; exit 3; }

while [ $# -gt 0 ]; do
  case $1 in
    --reduced) reduced=1; shift; continue ;;
    --device) device=${2:-} ;;
    --stages) stages=${2:-} ;;
    --out) out=${2:-} ;;
    *) usage ;;
  esac
  [ -n "${2:-}" ] || usage
  shift 2
done

# Makes PyTorch's libraries findable; they find NVIDIA's in the same folder.
find_torch() {
  local wanted folder version
  wanted=$(cat "$here/torch-version")
  [ -n "$wanted" ] || return 0  # built on this machine
  read -r version folder < <(python3 -c 'import torch, os; print(torch.__version__, os.path.dirname(torch.__file__))') \
    || die "python3 has no PyTorch; its CUDA build $wanted is needed"
  [ "${version%%+*}" = "$wanted" ] || die "PyTorch $version is here; this was packed for $wanted"
  export LD_LIBRARY_PATH=$folder/lib:$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
}

[[ $stages =~ ^[a-g]+$ ]] || usage
readonly niah=$here/bin/niah
mkdir -p "$out/parts" || die "cannot write to $out"
out=$(cd "$out" && pwd)
: > "$out/check.log"
rm -f "$out"/parts/*
find_torch
"$niah" --version >> "$out/check.log" 2>&1 || die "niah does not start here: $("$niah" --version 2>&1 | tail -n 1)"

# row FILE KEY VALUE...: appends a JSON object of strings.
row() {
  local file=$1 text='' 
  shift
  while [ $# -gt 0 ]; do
    text+="${text:+, }\"$1\": \"$2\""
    shift 2
  done
  printf '{%s}\n' "$text" >> "$out/parts/$file"
}

# verdict FILE NAME COMMAND...: runs a command; records its outcome and its last line of output.
verdict() {
  local file=$1 name=$2 answer code=ok begin=$EPOCHREALTIME
  shift 2
  answer=$(timeout 150 "$@" 2>> "$out/check.log") || code=failed
  printf '%s\n' "$answer" >> "$out/check.log"
  row "$file" case "$name" verdict "$code" seconds "$(echo "$EPOCHREALTIME $begin" | awk '{print $1 - $2}')" \
    said "$(printf '%s' "$answer" | tail -n 1 | tr -d '\000-\037' | sed 's/\\/\\\\/g; s/"/\\"/g')"
  [ $code = ok ] || say "$file $name failed"
}

cases() { ls "$here/goldens"; }

# Runs `verdict` in the background, `parallel` at once, since most of the time is start-up.
beside() {
  verdict "$@" &
  jobs=$((jobs + 1))
  [ $((jobs % parallel)) -ne 0 ] || wait
}

stage_a() {
  local jobs=0 case dtype
  for case in $(cases); do
    for dtype in fp32 bf16; do
      beside "a-$case-$dtype" "$case, $dtype" "$niah" verify "$here/goldens/$case" \
        --golden "$here/goldens/$case/golden.safetensors" --dtype $dtype --device "$device" --tolerance 5e-4
    done
  done
  wait
}

stage_b() {
  local jobs=0 case
  for case in $(cases); do
    beside "b-$case" "$case" "$niah" selftest "$here/goldens/$case" --device "$device"
  done
  wait
}

stage_c() {
  NIAH_GPU_DEVICE=$device verdict c ops "$here/bin/gpu_ops_test" --gtest_brief=1 --gtest_output="json:$out/parts/ops.json"
}

stage_d() {
  local where size=(--quick)
  [ -n "$reduced" ] && size=(--set 'lengths=[1K]' --set samples=2 --set reasoning.samples=2)
  for where in cpu "$device"; do
    rm -rf "$out/runs/$where"
    verdict "d-$where" "reproduce on $where" "$niah" reproduce "${size[@]}" --alone --quiet --set "runtime.device=$where" --out "$out/runs/$where"
    [ "$device" = cpu ] && break
  done
}

stage_e() {
  NIAH_BENCH_DEVICE=$device ${reduced:+env NIAH_GPU_REDUCED=1} timeout 150 \
    "$here/bin/gpu_speed_bench" ${reduced:+--benchmark_min_time=0.01} \
    --benchmark_out="$out/parts/speed.json" --benchmark_out_format=json >> "$out/check.log" 2>&1 \
    || say "e ended early"
}

stage_f() {
  local model models=(HypeNet-2B Qwen3.5-4B)
  [ -n "$reduced" ] && models=(hybrid-512 qwen3.5-1024)
  for model in "${models[@]}"; do
    NIAH_BENCH_DEVICE=$device timeout 150 "$here/bin/gpu_profile" "$model" \
      ${reduced:+--tokens 128 --context 600 --sequences 2} >> "$out/parts/profile.jsonl" 2>> "$out/check.log" \
      || row f case "$model" verdict failed
  done
}

# Asks 4K and 256K tokens with room for 4K only. parts/g gets the numbers of scored and oom records.
stage_g() {
  [ "$device" = cpu ] && { say "stage g needs a GPU"; return; }
  local run=$out/runs/oom memory
  rm -rf "$run"
  cat > "$out/oom.yaml" <<YAML
name: oom
protocol: niah
haystack: {kind: prose}
tasks: [s1]
lengths: [4K, 256K]
samples: 2
models: [{name: zoo, base: $here/share/niah/models/zoo/base, variants: [base]}]
tokenizer: $here/share/niah/models/zoo/tokenizer
runtime: {dtype: fp32, device: $device, prefill_chunk: 512, memory_mib: 100000}
YAML
  memory=$(python3 -c 'import torch; print(torch.cuda.get_device_properties(0).total_memory)') \
    || { row g case "memory of the card" exit failed scored 0 oom 0; return; }
  PYTORCH_ALLOC_CONF=per_process_memory_fraction:$(awk -v m="$memory" 'BEGIN {print 200 * 1048576 / m}') \
    timeout 150 "$niah" run "$out/oom.yaml" --out "$run" --quiet >> "$out/check.log" 2>&1
  row g case "4K and 256K in 200 MiB" exit $? scored "$(grep -c '"outcome":"scored"' "$run/journal.jsonl")" \
    oom "$(grep -c '"outcome":"oom"' "$run/journal.jsonl")"
}

parallel=8
[ "$device" = cpu ] && parallel=1
[ -n "$reduced" ] && cases() { ls "$here/goldens" | head -n 2; }
for stage in $(printf '%s' "$stages" | sed 's/./& /g'); do  # in the given order
  begin=$SECONDS
  "stage_$stage"
  say "stage $stage took $((SECONDS - begin)) s"
  row times stage $stage seconds $((SECONDS - begin))
done
python3 "$here/summarize.py" "$out" "$device" "$stages"

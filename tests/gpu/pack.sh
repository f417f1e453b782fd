#!/usr/bin/env bash
# Makes a folder for checking niah on a machine with a GPU and no network: x86-64 Linux with
# NVIDIA's driver and a Python with PyTorch's CUDA build, of the version packed for.
#
#     bash tests/gpu/pack.sh [--torch 2.11.0] [--out build/gpu/pack] [--goldens DIR] [--build DIR]
#
# Fetches that version's wheel from PyPI, builds and links niah against it, and adds the small
# libraries that such a machine lacks. --goldens DIR adds the recorded logits of DIR/families to
# those of tests/data; --build DIR packs an existing build folder instead of building.
# On the other machine: bash check.sh
set -euo pipefail
shopt -s inherit_errexit

readonly root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
torch_version=2.11.0 out=$root/build/gpu/pack goldens='' build=''

say() { printf 'pack: %s\n' "$*" >&2; }
die() { say "$*"; exit 3; }
usage() { sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

while [ $# -gt 0 ]; do
  [ $# -gt 1 ] || usage
  case $1 in
    --torch) torch_version=$2 ;;
    --out) out=$2 ;;
    --goldens) goldens=$2 ;;
    --build) build=$2 ;;
    *) usage ;;
  esac
  shift 2
done

out=${out%/}
[ ! -e "$out" ] || [ -e "$out/torch-version" ] || die "$out is there and is no pack"

readonly programs=(niah gpu_ops_test gpu_speed_bench gpu_profile)

# Extracts the wheel's headers and the libraries to link against, without the Python parts.
fetch_wheel() {
  local wheel=$root/.deps/torch-$torch_version-cuda work
  [ -e "$wheel/.complete" ] || {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    say "fetching PyTorch $torch_version, CUDA build (about 530 MB)"
    python3 -m pip --disable-pip-version-check download --quiet --no-deps --dest "$work" "torch==$torch_version" \
      > "$work/pip.log" 2>&1 || die "pip could not download torch $torch_version ($(grep -m 1 ERROR "$work/pip.log"))"
    rm -rf "$wheel"
    mkdir -p "$wheel"
    unzip -q "$work"/torch-*.whl 'torch/include/*' 'torch/version.py' 'torch/lib/libtorch.so' 'torch/lib/libtorch_cpu.so' \
      'torch/lib/libtorch_cuda.so' 'torch/lib/libc10.so' 'torch/lib/libc10_cuda.so' 'torch/lib/libgomp*' -d "$wheel"
    grep -qE "^cuda.*= *'" "$wheel/torch/version.py" || die "pip's index gave a build of torch $torch_version without CUDA"
    touch "$wheel/.complete"
    rm -rf "$work"
    trap - EXIT
  }
  printf '%s\n' "$wheel"
}

build_for() {
  local wheel=$1 log=$root/build/gpu/build.log
  build=$root/build/gpu/cuda
  mkdir -p "$root/build/gpu"
  cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_SKIP_RPATH=ON -DNIAH_WITH_PNG=OFF \
    -DNIAH_TORCH_WHEEL="$wheel" > "$log" 2>&1 || { tail -n 20 "$log" >&2; die "cmake failed; log: $log"; }
  say "building"
  cmake --build "$build" --target "${programs[@]}" >> "$log" 2>&1 \
    || { grep -E 'error|FAILED' "$log" | head -n 20 >&2; die "the build failed; log: $log"; }
}

# Copies libraries that the programs need and a plain machine may lack, except PyTorch's own and the
# C and C++ runtime's, which the target machine has.
copy_libraries() {
  local name path
  while read -r name path; do
    case $name in
      libtorch*|libc10*|libgomp*|libc.so*|libm.so*|libgcc_s*|libstdc++*|ld-linux*|libpthread*|libdl.so*|librt.so*|libutil.so*|libresolv.so*|libanl.so*) ;;
      libcu[dbfspr]*|libnv*|libnccl*) ;;
      *) [ -e "$path" ] && cp -L "$path" "$out/lib/$name" ;;
    esac
  done < <(LD_LIBRARY_PATH=$1 ldd "$out"/bin/* 2> /dev/null | awk '/=> \// {print $1, $3}' | sort -u)
}

copy_goldens() {
  local case
  for case in "$root"/tests/data/models/*/golden.safetensors ${goldens:+"$goldens"/families/*/golden.safetensors}; do
    [ -e "$case" ] || continue
    mkdir -p "$out/goldens/$(basename "$(dirname "$case")")"
    cp -rL "$(dirname "$case")/." "$out/goldens/$(basename "$(dirname "$case")")"
  done
}

wheel=''
if [ -z "$build" ]; then
  wheel=$(fetch_wheel)
  build_for "$wheel"
fi
rm -rf "$out.new"
mkdir -p "$out.new"
final=$out
out=$out.new
mkdir -p "$out/bin" "$out/lib" "$out/goldens" "$out/share/niah/configs" "$out/share/niah/models"
for program in "${programs[@]}"; do
  found=$(find "$build" -maxdepth 3 -name "$program" -type f -perm -u+x | head -n 1)
  [ -n "$found" ] || die "there is no $program in $build"
  if [ -n "$wheel" ]; then strip -o "$out/bin/$program" "$found"; else cp "$found" "$out/bin/$program"; fi
done
[ -n "$wheel" ] && copy_libraries "$wheel/torch/lib"
copy_goldens
cp "$root/configs/reproduce.yaml" "$out/share/niah/configs/"
mkdir "$out/share/niah/models/zoo"
for model in base cot-sft direct-sft qwen3 tokenizer; do cp -r "$root/models/zoo/$model" "$out/share/niah/models/zoo/"; done
cp "$(find "$build" -path '*/share/niah/kjv.txt' | head -n 1)" "$out/share/niah/"
cp "$root/tests/gpu/check.sh" "$root/tests/gpu/summarize.py" "$out/"
printf '%s\n' "${wheel:+$torch_version}" > "$out/torch-version"
git -C "$root" describe --always --dirty > "$out/niah-version" 2> /dev/null || true
rm -rf "$final"
mv "$out" "$final"
say "$final: $(du -sm "$final" | cut -f1) MiB"

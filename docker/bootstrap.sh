#!/usr/bin/env bash
# Installs everything that a fresh Debian 12 machine needs, then does one job. It can be run again at any
# time: finished steps are skipped.
#   bash docker/bootstrap.sh reproduce [options]   install, build, run the paper's story (niah reproduce)
#   bash docker/bootstrap.sh test                  install, build, run all tests
#   bash docker/bootstrap.sh check [STAGE...]      what CI does, or some stages of it: fuzz (NIAH_FUZZ_SECONDS, default
#                                                  10, a target), tsan, asan, clang (warnings as errors), tests (of a
#                                                  build with warnings as errors). Only where named: tidy (clang-tidy of
#                                                  what changed since NIAH_SINCE, default origin/main or the commit
#                                                  before; of NIAH_TIDY_FILES files at most).
#                                                  With NIAH_REQUIRE_ALL=1 a skipped test is a failure
#   bash docker/bootstrap.sh bench                 install, build, run the benchmarks
#   bash docker/bootstrap.sh package               install, build, make a Debian package of it: build/package
#   bash docker/bootstrap.sh build                 install and build only
#   bash docker/bootstrap.sh deps                  install only
# Torch_DIR=<libtorch>/share/cmake/Torch uses that libtorch instead of fetching one.
set -euo pipefail

readonly root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly torch_version=2.13.0
readonly deps=$root/.deps
readonly libtorch=$deps/libtorch-$torch_version

say() { printf 'bootstrap: %s\n' "$*" >&2; }
die() { say "$*"; exit 3; }

job=${1:-}

# The packages that the job needs; those of apt-check.txt are for `check` alone.
packages() {
  local lists=("$root/docker/apt.txt")
  [ "$job" = check ] && lists+=("$root/docker/apt-check.txt")
  grep -hvE '^(#|$)' "${lists[@]}"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; return; fi
  command -v sudo > /dev/null || die "system packages are missing, and this user is not root and has no sudo; install: $(packages | tr '\n' ' ')"
  sudo "$@"
}

install_packages() {
  local missing log
  missing=$(for p in $(packages); do
    [ "$(dpkg-query -W -f='${Status}' "$p" 2> /dev/null)" = "install ok installed" ] || echo "$p"
  done)
  [ -z "$missing" ] && return
  say "installing $(echo "$missing" | wc -l) system packages"
  log=$(mktemp)
  if ! { as_root apt-get update && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y \
      --no-install-recommends $missing; } > "$log" 2>&1; then
    die "apt-get could not install $(echo $missing) ($(grep -m 1 -E '^E:' "$log")). Is there a network? Log: $log"
  fi
  rm -f "$log"
}

# Downloads torch's CPU wheel, from PyTorch's own CPU index if that answers, else from pip's configured one.
download_wheel() {
  local to=$1 pip="python3 -m pip --disable-pip-version-check"
  $pip download --quiet --no-deps --dest "$to" --retries 0 --timeout 10 \
    --index-url https://download.pytorch.org/whl/cpu "torch==$torch_version" > /dev/null 2>&1 && return
  say "PyTorch's CPU index does not answer, asking pip's configured index"
  $pip download --quiet --no-deps --dest "$to" "torch==$torch_version" > "$to/pip.log" 2>&1 && return
  die "pip could not download torch $torch_version ($(grep -m 1 ERROR "$to/pip.log")). Is there a network? Or give Torch_DIR=<libtorch>/share/cmake/Torch"
}

install_libtorch() {
  [ -n "${Torch_DIR:-}" ] && { [ -e "$Torch_DIR/TorchConfig.cmake" ] || die "Torch_DIR=$Torch_DIR holds no TorchConfig.cmake"; return; }
  [ -e "$libtorch/.complete" ] && return
  say "fetching libtorch $torch_version (CPU, about 200 MB)"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  download_wheel "$work"
  rm -rf "$libtorch"
  mkdir -p "$libtorch"
  unzip -q "$work"/torch-*.whl 'torch/lib/*' 'torch/include/*' 'torch/share/*' 'torch/version.py' -d "$libtorch" \
    || die "the torch wheel could not be unpacked into $libtorch: is the disk full?"
  if grep -qE "^cuda.*= *'" "$libtorch/torch/version.py"; then
    rm -rf "$libtorch"
    die "pip's index gave a CUDA build of torch $torch_version; a CPU build is needed. Point pip at PyTorch's CPU index, or give Torch_DIR"
  fi
  rm -f "$libtorch"/torch/lib/libtorch_python.so
  # Licences, which are passed on with the libraries: where they are depends on the version of the wheel.
  unzip -q "$work"/torch-*.whl 'torch-*.dist-info/*LICENSE*' 'torch-*.dist-info/*NOTICE*' -d "$libtorch" 2> /dev/null || true
  rm -rf "$work"
  touch "$libtorch/.complete"
}

# build PRESET [TARGET...]: configures a preset and builds the targets, by default all.
build() {
  local preset=$1 log=$root/build.log jobs by_memory
  shift
  cmake --preset "$preset" -S "$root" > "$log" 2>&1 || { tail -n 20 "$log" >&2; die "cmake --preset $preset failed; log: $log"; }
  # Two jobs per core would swap on small machines: a torch translation unit takes about 1.5 GB.
  jobs=$(nproc)
  by_memory=$(($(awk '/MemAvailable/ {print $2}' /proc/meminfo) / 2000000))
  [ "$by_memory" -lt "$jobs" ] && jobs=$((by_memory > 0 ? by_memory : 1))
  cmake --build --preset "$preset" --parallel "$jobs" ${1:+--target "$@"} -- --quiet >> "$log" 2>&1 \
    || { grep -E 'error|FAILED' "$log" | head -n 20 >&2; die "the build of preset $preset failed; log: $log"; }
  rm -f "$log"
}

# Runs a command without address randomisation: newer kernels may otherwise map something where the
# sanitizers need their shadow memory. Where switching it off is forbidden (some containers), leaves it on.
at_fixed_addresses() {
  if setarch -R true 2> /dev/null; then setarch -R "$@"; else "$@"; fi
}

# Lets one fuzz target look for new inputs for a while; prints something only when it finds one.
fuzz_one() {
  local target=$1 name seeds work
  name=$(basename "$target" _fuzz)
  seeds=$root/tests/fuzz/corpus/$name
  [ -d "$seeds" ] || die "fuzz target ${name}_fuzz has no seeds in $seeds"
  work=$(mktemp -d)
  if ! at_fixed_addresses "$target" -max_total_time="${NIAH_FUZZ_SECONDS:-10}" -timeout=20 -rss_limit_mb=2500 \
      -artifact_prefix="$root/build/fuzz/$name-" "$work" "$seeds" > "$work.log" 2>&1; then
    tail -n 40 "$work.log" >&2
    rm -rf "$work" "$work.log"
    die "fuzz target ${name}_fuzz found an input; it is in $root/build/fuzz"
  fi
  rm -rf "$work" "$work.log"
}

# The names of tests that may be skipped: there are no recordings, or no IPv6.
excused() {
  [ -n "${NIAH_GOLDEN_DIR:-}" ] || ctest --preset "$1" -L golden -N | sed -n 's/^ *Test *#[0-9]*: //p'
  [ -s /proc/net/if_inet6 ] || echo HttpClient.ReachesServersByIpv6
}

# refuse_skipped PRESET LOG: with NIAH_REQUIRE_ALL=1 fails if ctest's output LOG has a test that was skipped.
refuse_skipped() {
  local skipped
  [ "${NIAH_REQUIRE_ALL:-}" = 1 ] || return 0
  skipped=$(sed -nE 's/.*Test +#[0-9]+: ([^ ]+) [.]*[*]{3}(Skipped|Not Run).*/\1/p' "$2" | sort -u | grep -vxFf <(excused "$1") || true)
  [ -z "$skipped" ] || die "NIAH_REQUIRE_ALL=1, but tests of preset $1 were skipped: $(echo $skipped)"
}

# Builds a preset and runs its tests under its sanitizer; prints their output only when one fails.
sanitized_tests() {
  local preset=$1 log=$root/build/$1/ctest.log
  build "$preset"
  say "running tests of preset $preset"
  at_fixed_addresses ctest --preset "$preset" > "$log" 2>&1 || { grep -vE ' Passed | Start ' "$log" | tail -n 200 >&2; die "tests of preset $preset failed; log: $log"; }
  refuse_skipped "$preset" "$log"
}

tests() {
  local log=$root/build/check/ctest.log
  build check
  ctest --preset check | tee "$log"
  refuse_skipped check "$log"
}

package() {
  local log=$root/build/package.log
  build release niah
  (cd "$root" && cpack --preset deb) > "$log" 2>&1 || { tail -n 20 "$log" >&2; die "cpack --preset deb failed; log: $log"; }
  say "$(grep -oE '/[^ ]*[.]deb' "$log" | tail -n 1)"
}

fuzz_all() {
  build fuzz
  export -f fuzz_one at_fixed_addresses say die
  export root
  say "fuzzing $(ls "$root"/build/fuzz/tests/fuzz/*_fuzz | wc -l) targets for ${NIAH_FUZZ_SECONDS:-10} s each"
  ls "$root"/build/fuzz/tests/fuzz/*_fuzz | xargs -P "$(nproc)" -I '{}' bash -c 'fuzz_one "$1"' _ '{}'
}

# Sources that changed since a commit and are compiled by the preset tidy.
changed_sources() {
  local file
  git -C "$root" diff --name-only --diff-filter=d "$1" -- '*.cpp' | while read -r file; do
    if grep -qF "\"$root/$file\"" "$root/build/tidy/compile_commands.json"; then echo "$root/$file"; fi
  done
}

# The commit since which changes are looked at: where the branch left origin/main, else the one before.
tidy_since() {
  local base
  if [ -n "${NIAH_SINCE:-}" ]; then
    git -C "$root" merge-base "$NIAH_SINCE" HEAD 2> /dev/null || die "clang-tidy is to see what changed since '$NIAH_SINCE', which is no commit here"
    return
  fi
  base=$(git -C "$root" merge-base origin/main HEAD 2> /dev/null) || base=HEAD
  [ "$(git -C "$root" rev-parse "$base")" != "$(git -C "$root" rev-parse HEAD)" ] || base=HEAD~1
  git -C "$root" rev-parse --verify --quiet "$base" || die "clang-tidy is to see what changed since the commit before, and there is none here; set NIAH_SINCE"
}

# clang-tidy needs a minute or two for a file, so it sees only what changed.
tidy() {
  local base files all
  base=$(tidy_since)
  cmake --preset tidy -S "$root" > "$root/build.log" 2>&1 || { tail -n 20 "$root/build.log" >&2; die "cmake --preset tidy failed; log: $root/build.log"; }
  rm -f "$root/build.log"
  files=$(changed_sources "$base")
  [ -n "$files" ] || { say "clang-tidy: no source changed since ${base:0:10}"; return; }
  all=$(echo "$files" | wc -l)
  files=$(echo "$files" | head -n "${NIAH_TIDY_FILES:-$all}")
  say "clang-tidy of $(echo "$files" | wc -l) of the $all files that changed since ${base:0:10}"
  echo "$files" | xargs -P "$(nproc)" -n 1 clang-tidy-16 -p "$root/build/tidy" --quiet --warnings-as-errors='*' \
    || die "clang-tidy found what is listed above"
}

check() {
  # The tests come last, so that what is read last is their verdict.
  [ $# -gt 0 ] || set -- fuzz tsan asan clang tests
  local stage
  for stage in "$@"; do
    case $stage in
      fuzz) fuzz_all ;;
      tsan | asan) sanitized_tests "$stage" ;;
      clang) build clang ;;
      tests) tests ;;
      tidy) tidy ;;
      *) die "the stages of check are fuzz, tsan, asan, clang, tests and tidy; '$stage' is none of them" ;;
    esac
  done
}

main() {
  [ $# -gt 0 ] && shift
  case $job in
    deps | build | test | check | bench | package | reproduce) ;;
    *) sed -n '2,16s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
  cd "$root"
  [ "$(uname -s)" = Linux ] && command -v dpkg-query > /dev/null || die "this script is for Debian 12; elsewhere install the packages of docker/apt.txt by hand and build with cmake --preset release"
  install_packages
  install_libtorch
  [ "$job" = deps ] && return
  case $job in
    build) build release ;;
    test) build release && ctest --preset release "$@" ;;
    check) check "$@" ;;
    package) package ;;
    bench) build release && for b in "$root"/build/release/tests/bench/*_bench; do "$b" "$@"; done ;;
    # Only what reproduce needs: nobody should have to wait for the tests to compile.
    reproduce) build release niah && "$root/build/release/niah" reproduce "$@" ;;
  esac
}

main "$@"

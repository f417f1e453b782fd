#!/usr/bin/env bash
# Checks what is installed of a build, as somebody has it who has no source tree: builds nothing, writes into
# folders of its own.
#
#     bash tests/e2e/install.sh BUILD            cmake --install into an empty prefix, used from an empty folder
#     bash tests/e2e/install.sh BUILD deb        the .deb, installed in a bare Debian 12 (root, debootstrap, network)
#     bash tests/e2e/install.sh BUILD tarball    the .tar.gz, unpacked in the same; BUILD is of the preset portable
#
# NIAH_BARE_SYSTEM names the folder of a bare system to copy, in place of what debootstrap makes: also one that is not
# Debian 12, where BUILD is of the preset portable.
# Exit code 0: all is well; 1: something is not; 77: this machine cannot say.
set -euo pipefail
shopt -s inherit_errexit

readonly root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
say() { printf 'install: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
source "$root/tests/e2e/cannot.sh"

[ -e "${1:-}/CMakeCache.txt" ] || { sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
readonly build=$(cd "$1" && pwd) how=${2:-prefix}
readonly work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT

has_torch() { grep -q '^NIAH_WITH_TORCH:BOOL=ON$' "$build/CMakeCache.txt"; }

# expect CODE WORDS...: runs them in silence; what they print is shown when they end otherwise.
expect() {
  local code=$1 ended=0
  shift
  "$@" > "$here/output.txt" 2>&1 || ended=$?
  [ "$ended" = "$code" ] && return
  cat "$here/output.txt" >&2
  die "\`$*\` ended with $ended, $code was expected"
}

# What a user does; in the folder $here, with the installation $prefix.
use() {
  local niah=$prefix/bin/niah share=$prefix/share
  cd "$here"
  expect 0 "$niah" --version
  expect 0 "$niah" generate --task s2 --length 1K --samples 1 --haystack kjv \
    --tokenizer "$share/niah/models/zoo/tokenizer" --out samples.jsonl
  expect 0 "$niah" info "$share/niah/models/zoo/base"
  expect 0 "$niah" report night
  [ -s night/report.html ] || die "report wrote no report.html"
  expect 0 "$niah" regress --baseline night --current night --detectable 60
  expect 0 "$niah" restore --pre "$share/niah/models/zoo/base" --post "$share/niah/models/zoo/cot-sft" --method qk --out restored
  [ -s restored/model.safetensors ] || die "restore wrote no checkpoint"
  if [ "$with_torch" = yes ]; then
    expect 0 "$niah" reproduce --quick --set samples=2 --set lengths=[4K] --set reasoning.samples=2 --out run --quiet
    [ -s run/report.html ] || die "reproduce wrote no report.html"
  fi
  # It has no other copy of its data to fall back on.
  expect 3 env NIAH_DATA_DIR=/nowhere "$niah" generate --task s2 --length 1K --haystack kjv \
    --tokenizer "$share/niah/models/zoo/tokenizer"
}

# What shells and man find beside it; in a package pages are compressed and zsh's completions elsewhere.
read_the_manual() {
  local share=$prefix/share page file zsh
  for page in niah $("$prefix/bin/niah" man --list | sed 's/^/niah-/'); do
    file=$share/man/man1/$page.1
    [ -s "$file" ] || file=$file.gz
    [ -s "$file" ] || die "there is no manual page of $page"
    if command -v man > /dev/null; then expect 0 env MANPAGER=cat man -l "$file"; fi
  done
  for zsh in "$share"/zsh/{site-functions,vendor-completions}/_niah; do [ ! -s "$zsh" ] || break; done
  [ -s "$zsh" ] && [ -s "$share/fish/vendor_completions.d/niah.fish" ] || die "completions of zsh or fish are missing"
  expect 0 bash -c 'source "$1" && COMP_WORDS=(niah rep) COMP_CWORD=1 && _niah && [[ ${COMPREPLY[*]} == *report* ]]' \
    bash "$share/bash-completion/completions/niah"
  [ -s "$share/doc/niah/LICENSE" ] && [ -s "$share/doc/niah/data/punkt/LICENSE" ] || die "licences are missing"
}

# The source tree, the build and libtorch are not there any more, as far as this process sees.
hide_sources() {
  local folder
  for folder in "$build" $(realpath -qe "$root"/.deps/libtorch-* || true) "$root"; do
    mount -t tmpfs -o ro none "$folder"
  done
}

# Runs a function with the sources hidden.
out_of_sight() {
  if [ "$(id -u)" = 0 ] && unshare -m true 2> /dev/null; then
    unshare -m bash -euo pipefail -c "hide_sources; $1"
  else
    say "not root: the source tree stays in sight"
    "$1"
  fi
}

of_a_prefix() {
  cmake --install "$build" --prefix "$prefix" > "$work/install.log" 2>&1 \
    || { tail -n 20 "$work/install.log" >&2; die "cmake --install failed"; }
  local paths
  paths=$(readelf -d "$prefix/bin/niah" | sed -nE 's/.*\((RPATH|RUNPATH|NEEDED)\).*\[(.*)\]/\2/p')
  ! grep -F "$root" <<< "$paths" || die "the installed program looks for libraries in the source tree"
  out_of_sight use
  out_of_sight read_the_manual
  # As a whole it can be moved.
  mv "$prefix" "$work/moved"
  prefix=$work/moved here=$work/again
  mkdir "$here"
  cp -r "$root/tests/data/cli/night" "$here"
  out_of_sight use
}

# A bare Debian 12 in $bare, with the package sources of this machine.
make_bare_system() {
  [ "$(id -u)" = 0 ] || cannot "a bare system needs root"
  local mirror
  if [ -n "${NIAH_BARE_SYSTEM:-}" ]; then
    cp -a "$NIAH_BARE_SYSTEM" "$bare"
  else
    command -v debootstrap > /dev/null || cannot "debootstrap is not installed"
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)
    debootstrap --variant=minbase bookworm "$bare" ${mirror:+"$mirror"} > "$work/debootstrap.log" 2>&1 \
      || cannot "debootstrap failed (no network?): $(tail -n 1 "$work/debootstrap.log")"
  fi
  cp /etc/resolv.conf "$bare/etc/"
  mkdir -p "$bare/home/use"
  cp -r "$root/tests/data/cli/night" "$bare/home/use"
  chown -R 65534:65534 "$bare/home/use"
}

# Runs `use` and `read_the_manual` in the bare system, as nobody in particular, with the installation $1.
use_there() {
  unshare -m bash -euo pipefail -c 'mount -t proc proc "$0/proc"; exec chroot --userspec=65534:65534 "$0" "$@"' "$bare" \
    /usr/bin/env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 prefix="$1" here=/home/use with_torch="$with_torch" \
    bash -euo pipefail -c "$(declare -f say die expect use read_the_manual); use; read_the_manual"
}

pack() {
  cpack -G "$1" --config "$build/CPackConfig.cmake" -B "$work/package" > "$work/cpack.log" 2>&1 \
    || { tail -n 20 "$work/cpack.log" >&2; die "cpack -G $1 failed"; }
}

of_the_deb() {
  make_bare_system
  pack DEB
  cp "$work"/package/*.deb "$bare/tmp/"
  chroot "$bare" /usr/bin/env DEBIAN_FRONTEND=noninteractive bash -c 'apt-get update && apt-get install -y --no-install-recommends man-db /tmp/*.deb' \
    > "$work/apt.log" 2>&1 || { tail -n 20 "$work/apt.log" >&2; die "apt-get could not install the package"; }
  use_there /usr
  chroot "$bare" dpkg -r niah > "$work/apt.log" 2>&1 || die "the package could not be removed"
  [ ! -e "$bare/usr/share/niah" ] && [ ! -e "$bare/usr/lib/niah" ] || die "the package left something behind"
}

of_the_tarball() {
  make_bare_system
  pack TGZ
  tar -xzf "$work"/package/*.tar.gz -C "$bare/opt"
  use_there "/opt/$(basename "$work"/package/*.tar.gz .tar.gz)"
}

with_torch=no
if has_torch; then with_torch=yes; fi
prefix=$work/prefix here=$work/empty bare=$work/bare
export root build work prefix here with_torch
export -f say die expect use read_the_manual hide_sources
mkdir "$here" && cp -r "$root/tests/data/cli/night" "$here"
case $how in
  prefix) of_a_prefix ;;
  deb) of_the_deb ;;
  tarball) of_the_tarball ;;
  *) die "'$how': prefix, deb or tarball was expected" ;;
esac
say "what $how installs is whole"

#!/usr/bin/env bash
# Builds the image of docker/Dockerfile without a daemon and uses it, as far as a machine can that runs no containers:
# its commands run in a chroot, by buildah.
#   bash tests/e2e/image.sh
# Needs root, the packages buildah and debootstrap, and a network. Debian's image is made by debootstrap, or of the
# bare system in the folder NIAH_BARE_SYSTEM; a folder of wheels in PIP_FIND_LINKS is used by pip there, too. Nothing is
# left behind but what ccache keeps.
# Exit code 0: all is well; 1: something is not; 77: this machine cannot say.
set -euo pipefail

readonly root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly debian=docker.io/library/debian:12
say() { printf 'image: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
source "$root/tests/e2e/cannot.sh"
[ $# = 0 ] || { sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
[ "$(id -u)" = 0 ] || cannot "images are built by root"
command -v buildah > /dev/null || cannot "buildah is not installed"

readonly wheels=${PIP_FIND_LINKS:-}
readonly work=$(mktemp -d)
trap 'in_store rm --all > /dev/null 2>&1 || true; rm -rf --one-file-system "$work"' EXIT
in_store() { buildah --root "$work/images" --runroot "$work/run" --storage-driver vfs "$@"; }

make_debian() {
  local bare=${NIAH_BARE_SYSTEM:-$work/bare} container
  if [ -z "${NIAH_BARE_SYSTEM:-}" ]; then
    command -v debootstrap > /dev/null || cannot "debootstrap is not installed"
    debootstrap --variant=minbase bookworm "$bare" > "$work/log" 2>&1 \
      || cannot "debootstrap failed (no network?): $(tail -n 1 "$work/log")"
  fi
  container=$(in_store from scratch)
  tar -C "$bare" --exclude='./proc/*' --exclude='./sys/*' --exclude='./dev/*' -cf "$work/bare.tar" .
  in_store add --quiet "$container" "$work/bare.tar" / > /dev/null
  rm "$work/bare.tar"
  in_store config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  [ ! -d "$wheels" ] || in_store config --env PIP_FIND_LINKS="$wheels" "$container"
  in_store commit --quiet "$container" "$debian" > /dev/null
}

build() {
  local cache=${CCACHE_DIR:-$HOME/.cache/ccache} volumes
  mkdir -p "$cache"
  volumes=(--volume "$cache:/root/.cache/ccache")
  [ ! -d "$wheels" ] || volumes+=(--volume "$wheels:$wheels:ro")
  in_store build --isolation chroot --pull-never "${volumes[@]}" \
    --file "$root/docker/Dockerfile" --tag niah "$root" > "$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; die "the image could not be built"; }
}

# inside COMMAND...: as the image's own user, in its own folder.
inside() { in_store run --isolation chroot "$niah" -- "$@"; }
expect() {
  inside "$@" > "$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; die "\`$*\` failed in the image"; }
}
refuse() {
  ! inside "$@" > "$work/log" 2>&1 || die "\`$*\` should not be possible in the image"
}

use() {
  [ "$(inside id -u)" = 1000 ] || die "the image's user is $(inside id -un), who has rights"
  [ "$(inside pwd)" = /data ] || die "the image works in $(inside pwd), not in /data"
  local compiler
  for compiler in cc c++ g++ clang cmake ninja; do refuse which "$compiler"; done
  refuse sh -c 'ls /niah'
  refuse touch /usr/share/niah/x
  refuse touch /usr/lib/niah/x
  expect niah --version
  expect niah reproduce --quick --set samples=2 --set lengths=[4K] --set reasoning.samples=2 --out run --quiet
  expect test -s run/report.html
  expect niah regress --baseline run --current run --inconclusive pass
}

say "making Debian 12"
make_debian
say "building the image"
build
niah=$(in_store from --pull-never localhost/niah)
use
say "the image is whole; $(in_store images --format '{{.Size}}' localhost/niah)"

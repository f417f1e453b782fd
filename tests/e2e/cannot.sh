# Sourced by tests that have say and die.
# cannot WHY: ends a test that this machine cannot run, as skipped; with NIAH_REQUIRE_ALL=1 as failed.
cannot() {
  say "SKIPPED: $*"
  [ "${NIAH_REQUIRE_ALL:-}" != 1 ] || die "NIAH_REQUIRE_ALL=1 says that it is here"
  exit 77
}

#!/usr/bin/env python3
"""Tests the built program's robustness: kills it, interrupts it, makes its writes fail.

CTest runs every case with a few kills. NIAH_KILLS=100 asks for more; NIAH_SEED=n repeats the random
moments of an earlier run.

    python3 tests/e2e/robustness.py --program build/release/niah CASE...
    python3 tests/e2e/robustness.py --list
"""

import argparse
import os
import pathlib
import random
import sys
import tempfile
import time
import traceback

from harm import full_disk, full_streams, kills
from harm.program import Program, check, failures

CASES = {case.__name__: case for case in (
    kills.kills_of_a_run,
    kills.kills_of_merge,
    kills.kills_of_restore,
    kills.kills_of_report,
    kills.kills_of_train,
    kills.kills_of_generate,
    kills.signals_while_samples_are_made,
    full_disk.full_disk_of_a_run,
    full_disk.full_disk_of_merge,
    full_disk.full_disk_of_restore,
    full_disk.full_disk_of_train,
    full_disk.full_disk_of_generate,
    full_disk.full_disk_of_reports,
    full_disk.full_disk_of_regress,
    full_streams.stdout_that_is_full,
    full_streams.stderr_that_is_full,
)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", help="the built niah")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("cases", nargs="*", metavar="CASE")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(CASES))
        return
    count = int(os.environ.get("NIAH_KILLS", "6"))
    for name in arguments.cases or CASES:
        seed = int(os.environ.get("NIAH_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"{name}: NIAH_KILLS={count} NIAH_SEED={seed}", flush=True)
        before = len(failures)
        with tempfile.TemporaryDirectory(prefix="niah-harm-") as folder:
            program = Program(pathlib.Path(arguments.program).resolve(), folder)
            begin = time.monotonic()
            try:
                CASES[name](program, count, random.Random(seed))
            except Exception:  # the other cases can still run
                check(False, traceback.format_exc())
            took = time.monotonic() - begin
        print(f"{name}: {'FAILED' if len(failures) > before else 'passed'} in {took:.0f} s",
              flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

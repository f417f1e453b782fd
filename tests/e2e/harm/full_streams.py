"""Tests of stdout and stderr that cannot be written."""

import shutil
import subprocess

from harm.program import ROOT, WAIT, ZOO, check, expect_same, files_of, small_sweep, without_times


def commands_that_print(program):
    run = program.folder / "run"
    sweep = small_sweep(program.folder, samples=2, lengths="[1K]")
    program.expect(["run", sweep, "--quiet", "--out", run])
    flags = ROOT / "tests" / "data" / "models" / "hypenet-flags"
    pair = ["--pre", ZOO / "base", "--post", ZOO / "cot-sft"]
    return {
        "--help": ["--help"],
        "--version": ["--version"],
        "run --help": ["run", "--help"],
        "run": ["run", sweep, "--out", run],
        "run --dry-run": ["run", sweep, "--dry-run"],
        "report": ["report", run],
        "regress": ["regress", "--baseline", run, "--current", run],
        "show": ["show", run, "s1@1K#0"],
        "show --prompt": ["show", run, "s1@1K#0", "--prompt"],
        "replay": ["replay", run, "s1@1K#0"],
        "info": ["info", ZOO / "base"],
        "verify": ["verify", flags, "--golden", flags / "golden.safetensors"],
        "selftest": ["selftest", flags],
        "generate": ["generate", "--task", "s2", "--length", "1K", "--samples", "2", "--haystack",
                     "prose", "--tokenizer", ZOO / "tokenizer"],
        "restore": ["restore", *pair, "--method", "qk", "--out", program.folder / "restored"],
        "a new run": ["run", sweep, "--out", program.folder / "new"],
        "an unknown command": ["reprodce"],
        "a missing file": ["run", program.folder / "none.yaml", "--out", run],
    }


def written_by(program):
    """The files written by the commands above. Removes them."""
    files = {}
    for name in ("restored", "new"):
        folder = program.folder / name
        if folder.exists():
            files[name] = without_times(files_of(folder))
            shutil.rmtree(folder)
    return files


def stdout_that_is_full(program, kills, draw):
    """If the output could not be printed, the exit code is 3, not 0 and not 1."""
    for name, arguments in commands_that_print(program).items():
        code, out, _ = program.run(arguments)
        written_by(program)
        with open("/dev/full", "wb") as full:
            child = program.start(arguments, stdout=full, stderr=subprocess.PIPE)
            err = child.communicate(timeout=WAIT)[1].decode(errors="replace")
        written_by(program)
        expected = 3 if out else code
        check(child.returncode == expected,
              f"{name} > /dev/full: exit {child.returncode}, not {expected}\n{err}")
        if out:
            check("No space left" in err, f"{name} > /dev/full: stderr does not say why:\n{err}")


def stderr_that_is_full(program, kills, draw):
    """If stderr cannot be written, the command still succeeds, and no file gets what it would
    print."""
    for name, arguments in commands_that_print(program).items():
        code, out, _ = program.run(arguments)
        written = written_by(program)
        for closed in ((), (2,)):
            where = "closed" if closed else "/dev/full"
            with open("/dev/full", "wb") as full:
                child = program.start(arguments, closed=closed, stdout=subprocess.PIPE, stderr=full)
                printed = child.communicate(timeout=WAIT)[0]
            check(child.returncode == code,
                  f"{name} with stderr {where}: exit {child.returncode}, not {code}")
            expect_same(written_by(program), written, f"{name} with stderr {where}")
            if name != "run --dry-run":  # which measures this machine's speed
                check(printed == out, f"{name} with stderr {where}: stdout is another")

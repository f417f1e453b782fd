#!/usr/bin/env python3
"""Runs tests written as the commands that a user types and the output expected of them.

    python3 tests/cli/run.py --niah build/release/niah tests/cli/*.test
    python3 tests/cli/run.py --readme README.md tests/cli/*.test

The second form runs nothing: it lists the `niah` commands in a document that no test runs word for
word. A test may add options at the end; a word in capitals (RUN, DIR) matches any word.

Every line of a test is one of

    # a comment; the first one says what the test shows
    needs: torch                 skip the test if niah is built without libtorch
    $ niah info "$ZOO/base"      a command, for bash
    > and more of it             its next line, such as a line of a here-document
    exit: 3                      its exit code; by default 0
    stdout has: TEXT             its output contains TEXT, which extends to the end of the line
    stdout lacks: TEXT           its output does not contain TEXT
    stdout matches: REGEX        a Python regex in which ^ and $ match at line ends
    stdout lines: 2              the number of lines of its output; 0: no output

The last four also work for stderr and for files: `run/report.html has: TEXT`. A run of blanks
counts as one, so that a test does not depend on the width of a column.

The commands of a test run one after the other in one empty folder, with niah on the PATH and
    ZOO      models/zoo           CONFIGS  configs
    DATA     tests/data           README   README.md
"""

import argparse
import dataclasses
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXPECTATION = re.compile(r"(\S+) (has|lacks|matches|lines):(?: (.*))?$")
SHOWN = 4000  # the most characters of an output to show for a failure


class Wrong(Exception):
    """A malformed test."""


@dataclasses.dataclass
class Step:
    """A command and its expectations."""
    line: int
    command: str
    exit: int = 0
    expected: list = dataclasses.field(default_factory=list)  # (line, where, verb, argument)


def read_test(path):
    """The steps of a test. An unknown line is an error, so that typos do not go unnoticed."""
    steps = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        line = line.rstrip()
        expectation = EXPECTATION.match(line)
        if not line or line.startswith("#") or line == "needs: torch":
            continue
        if line.startswith("$ "):
            steps.append(Step(number, line[2:]))
        elif not steps:
            raise Wrong(f"{path}:{number}: a command was expected first: {line}")
        elif line == ">" or line.startswith("> "):
            steps[-1].command += "\n" + line[2:]
        elif re.fullmatch(r"exit: \d+", line):
            steps[-1].exit = int(line[6:])
        elif expectation:
            where, verb, argument = expectation.groups(default="")
            if not argument or (verb == "lines" and not argument.isdecimal()):
                raise Wrong(f"{path}:{number}: what is expected is missing: {line}")
            steps[-1].expected.append((number, where, verb, argument))
        else:
            raise Wrong(f"{path}:{number}: neither a command nor an expectation: {line}")
    if not steps:
        raise Wrong(f"{path}: no command in it")
    return steps


def holds(text, verb, argument):
    if verb in ("has", "lacks"):
        squeezed = [re.sub(r"[^\S\n]+", " ", one) for one in (argument, text)]
        return (squeezed[0] in squeezed[1]) == (verb == "has")
    if verb == "matches":
        return re.search(argument, text, re.MULTILINE) is not None
    return len(text.splitlines()) == int(argument)


def run_step(step, folder, variables):
    """Runs a command. Returns a list of what is wrong, empty if all is as expected, and the
    output."""
    done = subprocess.run(["bash", "-o", "pipefail", "-c", step.command], cwd=folder, env=variables,
                          stdin=subprocess.DEVNULL, capture_output=True, check=False)
    printed = {"stdout": done.stdout.decode(errors="replace"),
               "stderr": done.stderr.decode(errors="replace")}
    wrong = []
    if done.returncode != step.exit:
        wrong.append(f"line {step.line}: exit {done.returncode}, not {step.exit}")
    for line, where, verb, argument in step.expected:
        file = folder / where
        if where not in printed and not file.is_file():
            wrong.append(f"line {line}: there is no file {where}")
            continue
        text = printed[where] if where in printed else file.read_text("utf-8", "replace")
        if not holds(text, verb, argument):
            count = f" (it has {len(text.splitlines())})" if verb == "lines" else ""
            wrong.append(f"line {line}: {where} {verb}: {argument}{count}")
    return wrong, printed


def run_test(path, niah):
    """Runs a test, stopping at the first command that fails. Prints failures; returns whether it
    passed."""
    begin = time.monotonic()
    steps = read_test(path)
    with tempfile.TemporaryDirectory(prefix="niah-cli-") as name:
        folder, tools = pathlib.Path(name) / "here", pathlib.Path(name) / "bin"
        folder.mkdir()
        tools.mkdir()
        (tools / "niah").symlink_to(niah)
        variables = dict(
            os.environ, PATH=f"{tools}{os.pathsep}{os.environ['PATH']}", LC_ALL="C.UTF-8",
            COLUMNS="",  # outputs are laid out as for no terminal
            ZOO=str(ROOT / "models" / "zoo"), CONFIGS=str(ROOT / "configs"),
            DATA=str(ROOT / "tests" / "data"), README=str(ROOT / "README.md"))
        for step in steps:
            wrong, printed = run_step(step, folder, variables)
            if wrong:
                print(f"FAILED {path}\n$ {step.command}\n  " + "\n  ".join(wrong))
                for where, text in printed.items():
                    print(f"--- {where}\n{text[:SHOWN]}{' ...' * (len(text) > SHOWN)}".rstrip())
                return False
    print(f"passed {path.stem} in {time.monotonic() - begin:.1f} s", flush=True)
    return True


def commands_in(text):
    """The words of every niah command in a text that has one command per line."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        for start in re.finditer(r"(?<![\w./-])niah (?=[a-z-])", line):
            command = re.split(r"\s#|[|>;&]", line[start.start():])[0]
            try:
                yield shlex.split(command)
            except ValueError:  # the line ends within quotes
                yield command.split()


def commands_of_document(text):
    """The commands in a document's code blocks and in inline code."""
    block = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
    for code in block.findall(text):
        yield from commands_in(code)
    for span in re.findall(r"`([^`]+)`", block.sub("", text)):
        if span.startswith("niah "):
            yield from commands_in(" ".join(span.split()))


def is_run_by(words, tested):
    """Whether the words of `tested` begin with `words`, where words in capitals match any word."""
    patterns = []
    for word in words:
        is_any = re.fullmatch("[A-Z]+(…?)", word)
        one = "[^\n]+" if is_any else re.escape(word)
        patterns.append(f"{one}(\n{one})*" if is_any and is_any[1] else one)
    return re.match("\n".join(patterns) + "(\n|$)", "\n".join(tested)) is not None


def check_document(document, tests):
    tested = [words for path in tests for step in read_test(path)
              for words in commands_in(step.command)]
    documented = list(commands_of_document(document.read_text("utf-8")))
    missing = [words for words in documented if not any(is_run_by(words, t) for t in tested)]
    print(*(f"{document}: no test runs: {shlex.join(words)}\n" for words in missing), sep="", end="")
    print(f"{len(documented) - len(missing)} of {len(documented)} commands are run by a test")
    return bool(documented) and not missing


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--niah", type=pathlib.Path, help="the built program")
    what.add_argument("--readme", type=pathlib.Path, help="a document with commands")
    parser.add_argument("tests", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    try:
        if arguments.readme:
            sys.exit(not check_document(arguments.readme, arguments.tests))
        niah = arguments.niah.resolve(strict=True)
        sys.exit(not all([run_test(path, niah) for path in arguments.tests]))
    except (Wrong, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

"""Tests of writes that fail, as on a full disk."""

from harm.program import (ZOO, check, expect_same, files_of, remove, small_recipe, small_sweep,
                          timeless, without_times)


def expect_one_clear_line(err, what):
    lines = err.splitlines()
    if check(len(lines) == 1, f"{what}: {len(lines)} lines on stderr, one was expected:\n{err}"):
        check(lines[0].startswith("niah: ") and "File too large" in lines[0],
              f"{what}: the line does not say why: {lines[0]}")


def limits_of(sizes, draw):
    """File size limits below the largest file, among them 0, a few bytes, and one just below each
    file's size. Leaves a margin, since a report with times may be some bytes shorter the next
    time."""
    most = max(sizes) - max(sizes) // 50
    drawn = {0, 1, 4096, most - 1, most // 2, *(draw.randrange(most) for _ in range(4))}
    for size in sorted(sizes):
        drawn.add(max(0, size - 1))
    drawn = sorted(limit for limit in drawn if 0 <= limit < most)
    return sorted({*draw.sample(drawn, min(8, len(drawn))), 0, most - 1})


def full_disk(program, draw, arguments, out, is_stable=lambda name: True, normal=lambda f: f,
              may_grow=(), may_stay=()):
    """For any limit: one line of error, exit 3, nothing half written, and the next try succeeds.
    `may_grow`: line-based files that may have their first lines. `may_stay`: files next to `out`
    that may remain for the next try."""
    program.expect(arguments)
    whole = files_of(out)
    remove(out)
    names = sorted(p.name for p in out.parent.iterdir())
    for limit in limits_of([len(content) for content in whole.values()], draw):
        what = f"{arguments[0]} with files of at most {limit} bytes"
        code, _, err = program.run(arguments, limit)
        check(code == 3, f"{what}: exit {code}, not 3\n{err}")
        expect_one_clear_line(err, what)
        for name, content in (files_of(out) if out.exists() else {}).items():
            if name in may_grow:
                check(content == b"" or content.endswith(b"\n"), f"{what}: half a line in {name}")
            elif not check(timeless(name) in map(timeless, whole), f"{what}: {name} was left"):
                continue
            elif is_stable(name):
                check(content == whole[name], f"{what}: half of {name} stands under its name")
        left = sorted(set(p.name for p in out.parent.iterdir()) - {*names, out.name, *may_stay})
        check(left == [], f"{what}: {left} left")
        program.expect(arguments)
        left = sorted(set(p.name for p in out.parent.iterdir()) - {*names, out.name})
        check(left == [], f"{what}, then without a limit: {left} left")
        expect_same(normal(files_of(out)), normal(whole), f"{what}, then without a limit")
        remove(out)


def full_disk_of_a_run(program, kills, draw):
    out = program.folder / "run"
    sweep = small_sweep(program.folder, samples=3, lengths="[1K]")

    def is_stable(name):  # the others contain times
        return name.startswith("heatmaps")

    full_disk(program, draw, ["run", sweep, "--quiet", "--out", out], out, is_stable,
              without_times, may_grow=("journal.jsonl",))


def full_disk_of_merge(program, kills, draw):
    sweep = small_sweep(program.folder, samples=3, lengths="[1K]")
    shards = [program.folder / f"shard{i}" for i in (1, 2)]
    for i, shard in enumerate(shards, 1):
        program.expect(["run", sweep, "--quiet", "--shard", f"{i}/2", "--out", shard])
    out = program.folder / "merged"
    full_disk(program, draw, ["merge", *shards, "--out", out], out)


def full_disk_of_restore(program, kills, draw):
    out = program.folder / "restored"
    full_disk(program, draw,
              ["restore", "--pre", ZOO / "base", "--post", ZOO / "cot-sft", "--method", "qk",
               "--out", out], out)


def full_disk_of_train(program, kills, draw):
    out = program.folder / "tuned"
    full_disk(program, draw, ["train", small_recipe(program.folder), "--quiet", "--out", out], out,
              may_stay=("tuned.work",))


def full_disk_of_generate(program, kills, draw):
    out = program.folder / "samples.jsonl"
    full_disk(program, draw,
              ["generate", "--task", "s2", "--length", "1K", "--samples", "20", "--haystack",
               "prose", "--tokenizer", ZOO / "tokenizer", "--out", out], out)


def full_disk_of_reports(program, kills, draw):
    """`report` on a finished run: every file is the old one or the new one, never half of one."""
    out = program.folder / "run"
    program.expect(["run", small_sweep(program.folder, samples=3), "--quiet", "--out", out])
    program.expect(["report", out])
    whole = files_of(out)
    for limit in limits_of([len(content) for content in whole.values()], draw):
        what = f"report with files of at most {limit} bytes"
        code, _, err = program.run(["report", out], limit)
        sizes = [len(c) for n, c in whole.items() if n not in ("journal.jsonl", "plan.json")]
        if limit >= max(sizes):
            continue
        check(code == 3, f"{what}: exit {code}, not 3\n{err}")
        check("File too large" in err, f"{what}: stderr does not say why:\n{err}")
        expect_same(files_of(out), whole, what)


def full_disk_of_regress(program, kills, draw):
    run = program.folder / "run"
    program.expect(["run", small_sweep(program.folder, samples=3), "--quiet", "--out", run])
    written = {"--junit": "j.xml", "--summary": "s.md", "--history": "h.jsonl",
               "--trend": "t.html"}
    options = [word for option, name in written.items() for word in (option, name)]
    command = ["regress", "--baseline", run, "--current", run, *options]
    expected, _, _ = program.run(command)
    whole = {name: (program.folder / name).read_bytes() for name in written.values()}
    for limit in limits_of([len(content) for content in whole.values()], draw):
        what = f"regress with files of at most {limit} bytes"
        for name in written.values():
            (program.folder / name).unlink(missing_ok=True)
        code, _, err = program.run(command, limit)
        check(code == 3, f"{what}: exit {code}, not 3\n{err}")
        check("File too large" in err, f"{what}: stderr does not say why:\n{err}")
        for name in written.values():
            path = program.folder / name
            if path.exists() and path.stat().st_size > 0:
                check(path.read_bytes() == whole[name], f"{what}: half of {name}")
        left = [p.name for p in program.folder.iterdir() if ".tmp" in p.name]
        check(left == [], f"{what}: {left} left")
    check(program.run(command)[0] == expected, "regress after the disk was full")

#!/usr/bin/env python3
"""Collects the results of check.sh's stages from OUT/parts in OUT/check.json and prints a summary.

    python3 summarize.py OUT DEVICE STAGES

Exit code 1 if a stage failed.
"""
import collections
import json
import pathlib
import subprocess
import sys

# For a sample's value: kernels differ, but not the arithmetic.
LOG_PROB_TOLERANCE = 0.002


def rows(folder, prefix):
    """The JSON objects in all files of a stage."""
    found = []
    for path in sorted(folder.glob(prefix)):
        found += [json.loads(line) for line in path.read_text().splitlines()]
    return found


def named_verdicts(folder, stage):
    found = rows(folder, f"{stage}-*") + rows(folder, stage)
    for row in found:
        try:
            row["said"] = json.loads(row["said"])
        except (KeyError, ValueError):
            pass
    return found, bool(found) and all(row["verdict"] == "ok" for row in found)


def records(run):
    """A run's records by variant, prompt, task and index."""
    variants = json.loads((run / "plan.json").read_text())["variants"]
    names = {variant["fingerprint"]: variant["label"] for variant in variants}
    found = {}
    for line in (run / "journal.jsonl").read_text().splitlines():
        record = json.loads(line)
        if "prompt_sha256" in record:
            found[names[record["variant"]], record["prompt_sha256"], record["task"], record["index"]] = record
    return found


def compare_runs(runs, device):
    """Compares the records of a run on the device with those of a run on the CPU."""
    if device == "cpu":
        return {"records": len(records(runs / "cpu"))}, True
    there, here = records(runs / device), records(runs / "cpu")
    both = sorted(set(there) & set(here), key=str)
    scores = sum(there[key].get("score") != here[key].get("score") for key in both)
    texts = sum(there[key].get("text") != here[key].get("text") for key in both)
    apart = [abs(there[key]["value_log_prob"] - here[key]["value_log_prob"])
             for key in both if "value_log_prob" in there[key] and "value_log_prob" in here[key]]
    result = {"records": len(both), "only_on_one": len(there) + len(here) - 2 * len(both),
              "scores_that_differ": scores, "texts_that_differ": texts,
              "log_prob_differs_by_at_most": max(apart, default=0), "tolerance": LOG_PROB_TOLERANCE}
    good = bool(both) and result["only_on_one"] == 0 and scores == 0 \
        and result["log_prob_differs_by_at_most"] <= LOG_PROB_TOLERANCE
    return result, good


def load(path):
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def speed(folder):
    measured = load(folder / "speed.json")
    if not measured:
        return None, False
    keys = ("label", "real_time", "time_unit", "items_per_second", "share_of_GEMM", "TFLOPs", "GEMM_TFLOPs",
            "share_of_copy", "GBs", "copy_GBs", "peak_MiB", "price_MiB", "error_message")
    kept = [{"name": one["name"], **{key: one[key] for key in keys if key in one}} for one in measured["benchmarks"]]
    return kept, bool(kept) and not any("error_message" in one for one in kept)


def card():
    """The GPU's name and memory as reported by PyTorch."""
    code = ("import torch; p = torch.cuda.get_device_properties(0);"
            "print(p.name); print(p.total_memory >> 20); print(torch.__version__)")
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    lines = answer.stdout.split("\n")
    return {"name": lines[0], "memory_MiB": int(lines[1]), "torch": lines[2]} if answer.returncode == 0 else None


def main(out, device, stages):
    out = pathlib.Path(out)
    parts = out / "parts"
    result = {"device": device, "card": None if device == "cpu" else card(),
              "niah": (pathlib.Path(__file__).parent / "niah-version").read_text().strip()}
    good = {}
    if "a" in stages:
        result["goldens"], good["a"] = named_verdicts(parts, "a")
    if "b" in stages:
        result["selftest"], good["b"] = named_verdicts(parts, "b")
    if "c" in stages:
        found, good["c"] = named_verdicts(parts, "c")
        tests = load(parts / "ops.json") or {}
        result["ops"] = {key: tests.get(key) for key in ("tests", "failures", "disabled")}
        result["ops"]["failed"] = [case["name"] + ": " + case["failures"][0]["failure"].split("\n")[0]
                                   for suite in tests.get("testsuites", [])
                                   for case in suite["testsuite"] if case.get("failures")]
    if "d" in stages:
        runs, ran = named_verdicts(parts, "d")
        compared, same = compare_runs(out / "runs", device) if ran else ({}, False)
        result["reproduce"], good["d"] = {"runs": runs, **compared}, ran and same
    if "e" in stages:
        result["speed"], good["e"] = speed(parts)
    if "f" in stages:
        result["profile"] = rows(parts, "profile.jsonl")
        good["f"] = len(result["profile"]) > 0 and not rows(parts, "f")
    if "g" in stages and device != "cpu":
        result["out_of_memory"] = rows(parts, "g")
        good["g"] = bool(result["out_of_memory"]) and all(row["scored"] == "2" and row["oom"] == "2" for row in result["out_of_memory"])
    result["seconds"] = {row["stage"]: int(row["seconds"]) for row in rows(parts, "times")}
    result["stages"] = {stage: "ok" if fine else "failed" for stage, fine in good.items()}
    (out / "check.json").write_text(json.dumps(result, indent=1) + "\n")
    say(result)
    return 0 if all(good.values()) else 1


def say(result):
    for key in ("goldens", "selftest"):
        if key in result:
            counts = collections.Counter(row["verdict"] for row in result[key])
            failed = [row["case"] for row in result[key] if row["verdict"] != "ok"]
            print(f"{key}: {dict(counts)} {failed}")
    for key in ("ops", "out_of_memory"):
        if key in result:
            print(f"{key}: {result[key]}")
    if "reproduce" in result:
        print("reproduce:", {key: value for key, value in result["reproduce"].items() if key != "runs"})
    for one in result.get("speed") or []:
        print(" ".join(f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
                       for key, value in one.items()))
    for model in result.get("profile") or []:
        for kind in ("prefill", "decode"):
            one = model[kind]
            print(f"{model['model']} {kind}: {one['wall_ms']:.2f} ms, kernels {one['kernels_ms']:.2f} ms, "
                  f"{one['launches']} launches")
            for kernel in one["kernels"][:16]:
                print(f"  {kernel['ms']:8.3f} ms {kernel['launches']:6d}  {kernel['name'][:110]}")
    print("stages:", result["stages"], "seconds:", result["seconds"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))

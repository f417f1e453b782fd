#!/usr/bin/env python3
"""Reads a run's lm_eval/ folder with lm-evaluation-harness' own utilities and compares the figures.

    pip install "lm_eval==0.4.13"
    python3 check_lm_eval.py runs/my-run

The harness finds files by its naming rules, takes task and time from the names, and reads samples
line by line. The mean and standard error over the samples of a length must equal the reported
result.
"""

import json
import math
import pathlib
import sys

from lm_eval import utils


def main(run):
    checked = 0
    for folder in sorted(pathlib.Path(run, "lm_eval").iterdir()):
        files = [str(path) for path in folder.iterdir()]
        newest = utils.get_latest_filename(utils.get_results_filenames(files))
        results = json.loads(pathlib.Path(newest).read_text())
        print(utils.make_table(results))
        for file in utils.get_sample_results_filenames(files):
            task = utils.get_file_task_name(pathlib.Path(file).name)
            samples = [json.loads(line) for line in open(file)]
            assert [sample["doc_id"] for sample in samples] == list(range(len(samples)))
            for metric, value in results["results"][task].items():
                name = metric.removesuffix(",none")  # a length, or "exact_match" (reasoning)
                scores = [sample[name] for sample in samples if name in sample["metrics"]]
                if not scores:
                    continue  # a standard error
                assert math.isclose(sum(scores) / len(scores), value), (task, metric)
                checked += 1
    assert checked, "no figure was compared"
    print(f"{checked} figures agree with the samples behind them")


if __name__ == "__main__":
    main(*sys.argv[1:])

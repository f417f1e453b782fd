#!/usr/bin/env python3
"""Reads a run's lm_eval/ folder with lm-evaluation-harness' own utilities and compares the figures.

    pip install "lm_eval==0.4.13"
    python3 check_lm_eval.py runs/my-run

The harness finds files by its naming rules, takes task and time from the names, and reads samples
line by line. Mean and standard error over the samples of a length, as the harness computes them, must
equal the reported result; a log with prompts (`niah report RUN --prompts`) must have each sample's own.
"""

import hashlib
import json
import math
import pathlib
import sys

from lm_eval import utils
from lm_eval.api import metrics


def check_prompt(sample):
    for asked in sample["arguments"].values():  # none without --prompts
        assert hashlib.sha256(asked["arg_0"].encode()).hexdigest() == sample["prompt_hash"], sample["doc"]


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
            for sample in samples:
                check_prompt(sample)
            for metric, value in results["results"][task].items():
                if metric == "alias" or value is None:  # None: no standard error of one sample, or of shares
                    continue
                name = metric.removesuffix(",none")  # a length, or "exact_match" (reasoning)
                figure = metrics.mean_stderr if name.endswith("_stderr") else metrics.mean
                scores = [sample[name.removesuffix("_stderr")] for sample in samples
                          if name.removesuffix("_stderr") in sample["metrics"]]
                assert math.isclose(figure(scores), value), (task, metric)
                checked += 1
    assert checked, "no figure was compared"
    print(f"{checked} figures agree with the samples behind them")


if __name__ == "__main__":
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""Logs a run folder with reports/export/log_run.py and reads it back: with MLflow, and from what W&B keeps for its
server. Every figure of results.json must be there, at its length.

    pip install mlflow-skinny wandb
    python3 check_log_run.py runs/my-run
"""

import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

os.environ |= {"MLFLOW_ALLOW_FILE_STORE": "true", "WANDB_MODE": "offline", "WANDB_SILENT": "true"}
SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "reports/export/log_run.py"
NAMES = {"recall": "recall", "mean_score": "score", "n": "n", "value_log_prob_mean": "value_log_prob"}


def expected(run):
    """{(fingerprint, metric, length): value}"""
    results = json.loads((run / "results.json").read_text())
    return {(cell["variant"], f"{name}/{cell['task']}", cell["length"]): cell[key] for cell in results["cells"]
            for key, name in NAMES.items() if cell["n"] > 0 and cell.get(key) is not None}


def log(run, folder, *where):
    subprocess.run([sys.executable, SCRIPT, run, *where], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def from_mlflow(uri):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    found = {}
    for experiment in client.search_experiments():
        for one in client.search_runs([experiment.experiment_id]):
            assert [artifact.path for artifact in client.list_artifacts(one.info.run_id)] == ["report.html"]
            for name in one.data.metrics:
                for metric in client.get_metric_history(one.info.run_id, name):
                    found[one.data.params["fingerprint"], name, metric.step] = metric.value
    return found


def wandb_records(path):
    """The records of W&B's file: blocks of 32 KiB with records of 7 bytes of header, as LevelDB logs them."""
    from wandb.proto import wandb_internal_pb2

    content, at, data = path.read_bytes(), 7, b""
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, size, kind = struct.unpack_from("<IHB", content, at)
        data += content[at + 7:at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or a last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            data = b""
            yield record


def from_wandb(folder):
    found = {}
    for path in folder.glob("wandb/offline-run-*/*.wandb"):
        fingerprint = ""
        for record in wandb_records(path):
            for item in record.run.config.update:
                fingerprint = json.loads(item.value_json) if item.key == "fingerprint" else fingerprint
            row = {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            found |= {(fingerprint, key, row["_step"]): value for key, value in row.items() if "/" in key}
    return found


def main(run):
    run = pathlib.Path(run).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        log(run, folder, "--mlruns", "files")
        log(run, folder, "--mlflow", (folder / "mlflow").as_uri())
        log(run, folder, "--wandb", "niah")
        wanted = expected(run)
        for what, found in {"MLflow's files, written without it": from_mlflow((folder / "files").as_uri()),
                            "MLflow": from_mlflow((folder / "mlflow").as_uri()),
                            "Weights & Biases": from_wandb(folder)}.items():
            assert found == wanted, (what, found.items() ^ wanted.items())
            print(f"{what}: {len(found)} figures are there")


if __name__ == "__main__":
    main(*sys.argv[1:])

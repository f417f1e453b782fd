#!/usr/bin/env python3
"""Logs a run folder to MLflow or Weights & Biases: one run of theirs a variant.

    python3 reports/export/log_run.py runs/my-pair --mlruns mlruns        # MLflow's files, written without MLflow
    python3 reports/export/log_run.py runs/my-pair --mlflow http://...    # an MLflow server; needs the package mlflow
    python3 reports/export/log_run.py runs/my-pair --wandb my-project     # needs the package wandb

Read is results.json alone, which `niah run` and `niah report` write. Logged are, of each cell, recall, mean score, n,
and the mean log-probability of the value, with the length as the step; as parameters what was asked of what, with the
variant's fingerprint; and report.html as an artifact. WANDB_MODE=offline makes wandb write its files for `wandb sync`.
What a run folder says a second time is logged under the same name again: both keep it as another run.
MLflow 3 opens its own files only where it is told so: `MLFLOW_ALLOW_FILE_STORE=true mlflow ui`; `mlflow
migrate-filestore` takes them into a database. tests/oracle/check_log_run.py reads back what either has.
"""

import argparse
import datetime
import hashlib
import json
import pathlib
import shutil
import sys
import uuid

MEASURES = {"recall": "recall", "mean_score": "score", "n": "n", "value_log_prob_mean": "value_log_prob"}
FINISHED = 3  # MLflow's number of the status
LOCAL = 4     # ... of a source that is a program on this machine


def read_results(folder):
    path = folder / "results.json"
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        sys.exit(f"log_run: reading {path}: {error}; `niah report {folder}` writes it again")
    if not isinstance(results, dict) or results.get("schema") != "niah-results/1":
        sys.exit(f"log_run: {path}: these are not the results of a run (schema niah-results/1)")
    return results


def read_run(folder):
    """The run's variants: of each its name, parameters, and metrics as (name, length, value)."""
    results = read_results(folder)
    run = results["run"]
    arithmetic = run.get("arithmetic", {})
    for variant in run["variants"]:
        parameters = {key: run.get(key, "") for key in ("protocol", "haystack", "tokenizer", "seed")}
        parameters |= {key: variant[key] for key in ("model", "name", "fingerprint", "description", "role")}
        parameters |= {"weights_sha256": variant.get("weights_sha256", ""), "run": run.get("name", ""), "dtype": arithmetic.get("dtype", ""),
                       "device": arithmetic.get("device", ""), "niah": run.get("program_version", "")}
        cells = [cell for cell in results["cells"] if cell["variant"] == variant["fingerprint"] and cell["n"] > 0]
        metrics = [(f"{name}/{cell['task']}", cell["length"], cell[key])
                   for cell in cells for key, name in MEASURES.items() if cell.get(key) is not None]
        yield f"{run.get('name', folder.name)} {variant['model']} {variant['name']}", parameters, metrics


def moment(results_time):
    return int(datetime.datetime.fromisoformat(results_time.replace("Z", "+00:00")).timestamp() * 1000)


def times_of(folder):
    timing = read_results(folder)["timing"]
    return moment(timing["started"]), moment(timing["finished"])


def yaml_lines(fields):
    """YAML of flat fields: JSON's spelling of a string is YAML's as well."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in fields.items())


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def log_to_files(folder, store, experiment):
    """MLflow's file store, written without MLflow."""
    started, finished = times_of(folder)
    number = str(int(hashlib.sha256(experiment.encode()).hexdigest()[:15], 16))
    home = store / number
    if not (home / "meta.yaml").exists():
        write(home / "meta.yaml", yaml_lines({
            "artifact_location": home.resolve().as_uri(), "creation_time": started, "experiment_id": number,
            "last_update_time": started, "lifecycle_stage": "active", "name": experiment}))
    for name, parameters, metrics in read_run(folder):
        run = uuid.uuid4().hex
        place = home / run
        write(place / "meta.yaml", yaml_lines({
            "artifact_uri": (place / "artifacts").resolve().as_uri(), "end_time": finished, "entry_point_name": "",
            "experiment_id": number, "lifecycle_stage": "active", "run_id": run, "run_name": name, "run_uuid": run,
            "source_name": "niah", "source_type": LOCAL, "source_version": "", "start_time": started,
            "status": FINISHED, "tags": [], "user_id": ""}))
        write(place / "tags/mlflow.runName", name)
        for key, value in parameters.items():
            write(place / "params" / key, str(value))
        lines = {}
        for key, length, value in metrics:
            lines.setdefault(key, []).append(f"{finished} {value} {length}\n")
        for key, texts in lines.items():
            write(place / "metrics" / key, "".join(texts))
        (place / "artifacts").mkdir(exist_ok=True)
        if (folder / "report.html").exists():
            shutil.copy(folder / "report.html", place / "artifacts/report.html")
        print(f"{name}: {place}")


def log_to_mlflow(folder, uri, experiment):
    import mlflow

    mlflow.set_tracking_uri(uri)
    try:
        mlflow.set_experiment(experiment)
    except mlflow.exceptions.MlflowException as error:
        sys.exit(f"log_run: logging to {uri}: {error}")
    for name, parameters, metrics in read_run(folder):
        with mlflow.start_run(run_name=name):
            mlflow.log_params(parameters)
            for key, length, value in metrics:
                mlflow.log_metric(key, value, step=length)
            if (folder / "report.html").exists():
                mlflow.log_artifact(str(folder / "report.html"))
        print(f"{name}: logged to {uri}")


def log_to_wandb(folder, project):
    import wandb

    for name, parameters, metrics in read_run(folder):
        run = wandb.init(project=project, name=name, config=parameters, reinit=True)
        for length in sorted({length for _, length, _ in metrics}):
            run.log({key: value for key, at, value in metrics if at == length}, step=length)
        if (folder / "report.html").exists():
            run.save(str(folder / "report.html"), base_path=str(folder))
        run.finish()
        print(f"{name}: logged to {project}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path, help="run folder")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--mlruns", type=pathlib.Path, metavar="FOLDER", help="write MLflow's files there")
    where.add_argument("--mlflow", metavar="URI", help="log to this MLflow server or store")
    where.add_argument("--wandb", metavar="PROJECT", help="log to this project of Weights & Biases")
    parser.add_argument("--experiment", default="niah", help="MLflow's experiment (niah)")
    arguments = parser.parse_args()
    if arguments.mlruns:
        log_to_files(arguments.run, arguments.mlruns, arguments.experiment)
    elif arguments.mlflow:
        log_to_mlflow(arguments.run, arguments.mlflow, arguments.experiment)
    else:
        log_to_wandb(arguments.run, arguments.wandb)


if __name__ == "__main__":
    try:
        main()
    except ImportError as error:
        sys.exit(f"log_run: {error}; `pip install {error.name}` gives it")

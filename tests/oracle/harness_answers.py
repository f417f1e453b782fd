"""Answers of transformers through lm-evaluation-harness, with all token ids, for real_model.py."""

import hashlib
import json
import os
import pathlib

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import lm_eval
import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from transformers import AutoModelForCausalLM, AutoTokenizer

# The harness's own task, except for the source of its samples and lengths below 4096.
TASK_YAML = """\
task: {name}
include: {ruler}/niah_single_1.yaml
custom_dataset: !function samples.load
tag: []
metric_list:
  - metric: "{length}"
    aggregation: !function samples.aggregate_metrics
    higher_is_better: true
  - metric: "4096"
    aggregation: !function samples.aggregate_metrics
    higher_is_better: true
"""
TASK_DATA = """\
import json
import datasets
from lm_eval.tasks.ruler.common_utils import aggregate_metrics


def load(**kwargs):
    rows = [json.loads(line) for line in open({samples!r}, encoding="utf-8")]
    return {{"test": datasets.Dataset.from_list(rows, split=datasets.Split.TEST)}}
"""
FIELDS = ("index", "input", "outputs", "length", "max_length", "gen_prefix")


class Recorder(HFLM):
    """The harness's model with its answers kept on disk: a prompt is asked once per version of the
    weights."""

    def __init__(self, file: pathlib.Path, weights: str, **kwargs):
        super().__init__(batch_size=1, **kwargs)
        self.file, self.weights = file, weights
        rows = [json.loads(line) for line in file.open(encoding="utf-8")] if file.exists() else []
        self.answers = {tuple(row["prompt_ids"]): row for row in rows if row["weights"] == weights}

    def _model_generate(self, context, max_length, stop, **generation_kwargs):
        prompt = tuple(context[0].tolist())
        if prompt not in self.answers:
            output = super()._model_generate(
                context, max_length, stop, output_logits=True, return_dict_in_generate=True, **generation_kwargs)
            best = torch.stack(output.logits, 1)[0].topk(2).values  # [steps, 2]
            self.keep({"weights": self.weights, "prompt_ids": prompt,
                       "ids": output.sequences[0, len(prompt):].tolist(),
                       "margins": (best[:, 0] - best[:, 1]).tolist()})
        return torch.tensor([[*prompt, *self.answers[prompt]["ids"]]])

    def keep(self, row: dict) -> None:
        self.answers[row["prompt_ids"]] = row
        with self.file.open("a", encoding="utf-8") as file:
            print(json.dumps(row), file=file)


class Harness:
    def __init__(self, checkpoint: pathlib.Path, out: pathlib.Path, threads: int):
        if threads:
            torch.set_num_threads(threads)
        self.out = out / "lm_eval"
        self.checkpoint = checkpoint
        self.weights = sha256_of(checkpoint / "model.safetensors")
        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        self.model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()

    def check_sanity(self) -> None:
        question = [{"role": "user", "content": "What is the capital of France?"}]
        prompt = self.tokenizer.apply_chat_template(
            question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        output = self.model.generate(**prompt, max_new_tokens=24, do_sample=False)
        answer = self.tokenizer.decode(output[0, prompt["input_ids"].shape[1]:], skip_special_tokens=True)
        print(question[0]["content"], answer)
        if "Paris" not in answer:
            raise SystemExit("that is not what this model says: its weights were not put in order")

    def answers(self, name: str, samples: list[dict], recorded: dict[str, dict]) -> list[dict]:
        """Of every sample, in order: ids without the end's, margins of every step, score. What is recorded, by the
        prompt's hash, is not asked again."""
        folder = self.out / name
        write_task(folder, name, samples)
        model = Recorder(self.out / "answers.jsonl", self.weights, pretrained=self.model, tokenizer=self.tokenizer,
                         device="cpu", dtype="float32")
        for sample in samples:
            if (row := recorded.get(sample["prompt_sha256"])) is not None:
                model.answers.setdefault(tuple(sample["input_ids"]), row)
        done = lm_eval.simple_evaluate(
            model=model, tasks=[name], task_manager=TaskManager(include_path=str(folder)), log_samples=True,
            bootstrap_iters=0)
        scores = {row["doc"]["index"]: row[str(row["doc"]["max_length"])] for row in done["samples"][name]}
        return [self.finished(model.answers, scores[sample["index"]], sample) for sample in samples]

    def finished(self, answers: dict, score: float, sample: dict) -> dict:
        answer = answers.get(tuple(sample["input_ids"]))
        if answer is None:
            raise SystemExit(f"{sample['task']}#{sample['index']}: the harness asked other token ids than niah's")
        ids = answer["ids"]
        if ids and ids[-1] == self.tokenizer.eos_token_id:
            ids = ids[:-1]
        return {"ids": ids, "margins": answer["margins"], "score": float(score)}


def write_task(folder: pathlib.Path, name: str, samples: list[dict]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ruler = pathlib.Path(lm_eval.__file__).parent / "tasks/ruler"
    rows = [{field: sample[field] for field in FIELDS} for sample in samples]
    file = folder / "samples.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "task.yaml").write_text(TASK_YAML.format(name=name, ruler=ruler, length=samples[0]["max_length"]))
    (folder / "samples.py").write_text(TASK_DATA.format(samples=str(file.resolve())))


def sha256_of(file: pathlib.Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

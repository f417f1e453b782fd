"""What two variants of one run said to the same samples, base (run here) and served, token by token.

Texts may part only where the two likeliest tokens are closer than --tolerance, by a forward pass in float64; after
such a tie the rest of the two texts, and with it the score, may differ. Everything else is a difference.
"""

import dataclasses
import json
import os.path
import pathlib
import subprocess

from pieces import pieces_of
from reference import Reference

SAMPLE = ("kind", "task", "length", "index", "prompt_sha256", "prompt_tokens", "expected")
MOST_LOG_PROB = 0.01  # by which log-probabilities of the value, summed over its tokens, may differ


@dataclasses.dataclass
class Pair:
    """One sample, by both."""

    local: dict
    served: dict

    def name(self) -> str:
        return f"{self.local['task']}@{self.local['length']}#{self.local['index']}"

    def said(self) -> str:
        return (f"local {self.local['text']!r}, served {self.served['text']!r}, "
                f"scores {self.local['score']:g} and {self.served['score']:g}")


@dataclasses.dataclass
class Count:
    """Of one task at one length."""

    samples: int = 0
    local: float = 0
    served: float = 0
    texts: int = 0
    ties: int = 0


def pairs_of(run: pathlib.Path, expected: int) -> list[Pair]:
    """Every sample that was asked of both. The last record of a sample counts: it was asked again."""
    plan = json.loads((run / "plan.json").read_text(encoding="utf-8"))
    variants = {variant["fingerprint"]: variant["name"] for variant in plan["variants"]}
    records: dict[str, dict] = {"base": {}, "served": {}}
    for line in (run / "journal.jsonl").open(encoding="utf-8"):
        record = json.loads(line)
        records[variants[record["variant"]]][(record["task"], record["length"], record["index"])] = record
    counts = {name: len(found) for name, found in records.items()}
    if counts != {"base": expected, "served": expected} or set(records["base"]) != set(records["served"]):
        raise SystemExit(f"{run} has {counts} samples, not {expected} of each, the same of both")
    return [Pair(one, records["served"][key]) for key, one in sorted(records["base"].items())]


class Prompts:
    """Ids of prompts, made again by `niah generate`; that it is the same prompt is shown by its hash."""

    def __init__(self, command: list[str]):
        self.command = command
        self.known: dict[str, list[int]] = {}

    def ids(self, record: dict) -> list[int]:
        if record["prompt_sha256"] not in self.known:
            which = ["--task", record["task"], "--length", str(record["length"]),
                     "--samples", str(record["index"] + 1)]
            lines = subprocess.run([*self.command, *which], check=True, stdout=subprocess.PIPE).stdout.decode()
            for sample in map(json.loads, filter(None, lines.split("\n"))):
                self.known[sample["prompt_sha256"]] = sample["input_ids"]
        return self.known[record["prompt_sha256"]]


class Comparison:
    def __init__(self, checkpoint: pathlib.Path, prompts: Prompts, tolerance: float, max_new_tokens: int):
        self.checkpoint, self.prompts = checkpoint, prompts
        self.tolerance, self.max_new_tokens = tolerance, max_new_tokens
        self.pieces = pieces_of(checkpoint)
        self.end = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))["eos_token_id"]
        self.reference: Reference | None = None
        self.counts: dict[tuple[str, int], Count] = {}
        self.ties: list[str] = []
        self.differences: list[str] = []
        self.log_prob_gap = 0.0

    def parting(self, pair: Pair) -> int:
        """How many of the local tokens the served text has, too."""
        ours, theirs = pair.local["text"].encode(), pair.served["text"].encode()
        common, spelled = len(os.path.commonprefix([ours, theirs])), 0
        for at, token in enumerate(pair.local["ids"]):
            spelled += len(self.pieces[token])
            if spelled > common:
                return at
        return len(pair.local["ids"])

    def look_closer(self, pair: Pair) -> None:
        """Two texts that differ: by a tie, or not."""
        at, ids = self.parting(pair), pair.local["ids"]
        if at >= self.max_new_tokens:
            self.differences.append(f"{pair.name()}: more was served than was asked for: {pair.said()}")
            return
        local = ids[at] if at < len(ids) else self.end
        self.reference = self.reference or Reference(self.checkpoint)
        log_probs = self.reference.log_probs(self.prompts.ids(pair.local) + ids[:at])
        best, second = (int(i) for i in log_probs.argsort()[::-1][:2])
        margin = log_probs[best] - log_probs[second]
        served = second if local == best else best
        is_tie = bool(margin <= self.tolerance and local in (best, second) and self.goes_on(pair, at, served))
        what = (f"{pair.name()}, token {at}: {self.pieces[best]!r} is likelier than {self.pieces[second]!r} by "
                f"{margin:.2g} (natural logarithm, in float64): {pair.said()}")
        (self.ties if is_tie else self.differences).append(what)
        self.counts[(pair.local["task"], pair.local["length"])].ties += is_tie

    def goes_on(self, pair: Pair, at: int, token: int) -> bool:
        """Whether the served text goes on with the token after `at` of the local ones, or ends by it."""
        rest = pair.served["text"].encode()[sum(len(self.pieces[i]) for i in pair.local["ids"][:at]):]
        return not rest if token == self.end else rest.startswith(self.pieces[token])

    def compare_log_probs(self, pair: Pair) -> None:
        local, served = (record.get("value_log_prob") for record in (pair.local, pair.served))
        if local is None or served is None:
            return
        self.log_prob_gap = max(self.log_prob_gap, abs(local - served))
        if abs(local - served) > MOST_LOG_PROB:
            self.differences.append(f"{pair.name()}: log-probabilities of the value: {local:.4f} and {served:.4f}")

    def add(self, pair: Pair) -> None:
        local, served = pair.local, pair.served
        count = self.counts.setdefault((local["task"], local["length"]), Count())
        count.samples += 1
        for key in SAMPLE:
            if local[key] != served[key]:
                self.differences.append(f"{pair.name()}: {key} {local[key]!r} and {served[key]!r}")
        if {local["outcome"], served["outcome"]} != {"scored"}:
            self.differences.append(f"{pair.name()}: {local['outcome']} {local['detail']}, "
                                    f"{served['outcome']} {served['detail']}")
            return
        count.local += local["score"]
        count.served += served["score"]
        self.compare_log_probs(pair)
        if served.get("same_again") is False:
            self.differences.append(f"{pair.name()}: asked again, the server said something else: {pair.said()}")
        if local["text"] != served["text"]:
            self.look_closer(pair)
            return
        count.texts += 1
        if local["score"] != served["score"]:
            self.differences.append(f"{pair.name()}: one text, two scores: {pair.said()}")

    def print_all(self) -> None:
        print("| task | tokens | found by base | by served | same text | ties |\n| --- | --- | --- | --- | --- | --- |")
        for (task, length), count in sorted(self.counts.items()):
            print(f"| {task} | {length} | {count.local:g} of {count.samples} | {count.served:g} of {count.samples} "
                  f"| {count.texts} | {count.ties} |")
        for line in [*(f"tie: {tie}" for tie in self.ties), *(f"DIFFERENCE: {what}" for what in self.differences)]:
            print(line)
        print(f"{sum(count.samples for count in self.counts.values())} samples, {len(self.ties)} ties, "
              f"{len(self.differences)} differences; log-probabilities of values lie at most {self.log_prob_gap:.2g} "
              "apart, where both are told", flush=True)

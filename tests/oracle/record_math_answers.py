#!/usr/bin/env python3
"""Records how lm-evaluation-harness reads answers of MATH and GSM8K, for tests/tasks.

    pip install --no-deps "lm_eval==0.4.13"
    python3 record_math_answers.py > ../data/tasks/math_answers.jsonl

One line per case: {"kind": "boxed" | "normal" | "same" | "number", ...}. If the harness raises an
exception, the value is null (its comparison then falls back to the plain strings).
"""

import importlib.util
import json
import pathlib
import re
import sys
import types


def load_utils():
    """Loads the harness's own functions without the rest of the package and its requirements."""
    stub = types.ModuleType("datasets")
    stub.Dataset = object
    sys.modules.setdefault("datasets", stub)
    package = pathlib.Path(importlib.util.find_spec("lm_eval").submodule_search_locations[0])
    spec = importlib.util.spec_from_file_location("utils", package / "tasks/hendrycks_math/utils.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


utils = load_utils()

BOXED = [
    r"so \boxed{42}.", r"\boxed{\frac{1}{2}} and then \boxed{\sqrt{3}}", r"\boxed{a{b}c} tail",
    r"no box at all", r"\boxed{unclosed", r"$\boxed 7$ done", r"\boxed{1} but \boxed 9$x$",
    r"\boxed{x \in \{1, 2\}}", r"\boxed{}", r"a \boxed{-\frac{3}{4}} $b$", r"text \boxed{\text{(A)}}",
]
NORMAL = [
    r"\frac12", r"\frac1{72}", r"\frac{1}{2}", r"\dfrac{3}{4}", r"\tfrac34", "1/2", "-1/2", "01/2", "x/2",
    "1/2/3", "0.5", ".5", "k = 5", "x=7", "abc=7", r"\sqrt3", r"\sqrt{3}", r"2\sqrt 5", r"\sqrt", r"90^\circ",
    r"90^{\circ}", r"\$5", r"50\%", r"5\text{ cm}", r"5\text{ cm}\text{ x}", r"\left(1, 2\right)", "a b  c",
    "", " ", "{.5}", "1 .5", r"\frac", r"\frac1", r"\frac12\frac34", r"a\!b", r"10\\", "+1/2", "3.0", "1,000",
    r"\text{east}", r"x^2+2x+1", r"\frac{\frac12}{3}", "½",
    r"\sqrtπ", r"\frac½3", r"\frac1π", r"\frac1½2", r"\fracé", "θ = 5", "θθ=5", "θθ =5",
]
SAME = [
    (r"\frac12", "0.5"), ("1/2", r"\frac{1}{2}"), ("x/2", "x/2"), ("x/2", "x / 2"), (r"\sqrt3", r"\sqrt{3}"),
    ("5", "x=5"), ("5", "6"), (r"\left(1,2\right)", "(1, 2)"), (r"90^\circ", "90"), ("1,000", "1000"),
    (r"\sqrt", r"\sqrt"), ("a", ""), (r"5\text{ cm}", "5"), ("0.5", ".5"), ("3/6", "1/2"), (r"50\%", "50"),
    (r"\sqrtπ", r"\sqrt{π}"), (r"\frac1π", r"\frac{1}{π}"), ("θ = 5", "5"),
]
NUMBERS = [
    "48/2 = 24 clips.\n#### 72", "#### -5", "#### 1,234", "#### $5", "The answer is 18.", "It costs $1,250.50.",
    "no digits here", "first 3 then 4 apples", "-7 degrees", "= 12. So 12 it is", "#### x then #### 9",
    "1.5 litres", "10%", "3-4", "a5b", "99 bottles, 98 left.", "#### 3.\n", "$ 5", "5,", "x = -12",
]


def attempt(function, *arguments):
    try:
        return function(*arguments)
    except Exception:
        return None


def number(text):
    """GSM8K: strict-match, or else flexible-extract, without what exact_match ignores."""
    strict = re.findall(r"#### (\-?[0-9\.\,]+)", text)
    if strict:
        value = strict[0]
    else:
        found = re.findall(r"(-?[$0-9.,]{2,})|(-?[0-9]+)", text)
        if not found:
            return None
        value = [part for part in found[-1] if part][0]
    for pattern in (",", r"\$", r"(?s).*#### ", r"\.$"):
        value = re.sub(pattern, "", value)
    return value


def main():
    for text in BOXED:
        boxed = attempt(lambda: utils.remove_boxed(utils.last_boxed_only_string(text)))
        print(json.dumps({"kind": "boxed", "text": text, "value": boxed}))
    for text in NORMAL:
        print(json.dumps({"kind": "normal", "text": text, "value": attempt(utils.strip_string, text)}))
    for a, b in SAME:
        print(json.dumps({"kind": "same", "text": a, "other": b, "value": utils.is_equiv(a, b)}))
    for text in NUMBERS:
        print(json.dumps({"kind": "number", "text": text, "value": number(text)}))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""A made-up fine-tune, of which it is known what it broke.

    python3 tests/cli/noisy_part.py BASE OUT WORD...

OUT becomes a copy of the checkpoint BASE, in one file of fp32, in which every value moved by a
thousandth at random, and the tensors with one of the WORDs in their names are noise of their own size.
"""

import array
import json
import pathlib
import random
import shutil
import sys

SMALL = 1e-3  # how far a value moves that is not noise, relative to itself


def changed(values, is_noise):
    draw = random.gauss
    if not is_noise:
        return array.array("f", (value * (1 + SMALL * draw(0, 1)) for value in values))
    size = (sum(value * value for value in values) / len(values)) ** 0.5
    return array.array("f", (draw(0, size) for _ in values))


def main(base, out, *words):
    random.seed(1)
    out.mkdir()
    for name in ("config.json", "tokenizer.model", "tokenizer_config.json"):
        shutil.copyfile(base / name, out / name)
    content = bytearray((base / "model.safetensors").read_bytes())
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    header.pop("__metadata__", None)
    for word in words:
        if not any(word in name for name in header):
            sys.exit(f"{base}: no tensor has {word} in its name; there are: {', '.join(header)}")
    for name in sorted(header):
        if header[name]["dtype"] != "F32":
            sys.exit(f"{base}: {name} is {header[name]['dtype']}; F32 was expected")
        first, end = (begin + offset for offset in header[name]["data_offsets"])
        values = array.array("f", bytes(content[first:end]))
        content[first:end] = changed(values, any(word in name for word in words)).tobytes()
    (out / "model.safetensors").write_bytes(content)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), *sys.argv[3:])

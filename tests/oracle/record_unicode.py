#!/usr/bin/env python3
"""Writes models/tokenizer/unicode_tables.cpp: where the Unicode version of Hugging Face tokenizers
differs from the versions of the libraries that the program uses.

    python3.11 -m venv VENV && VENV/bin/pip install tokenizers unicodedata2
    VENV/bin/python tests/oracle/record_unicode.py > models/tokenizer/unicode_tables.cpp

Recorded with tokenizers 0.23.3 and unicodedata2 18.0.0. CPython 3.11 is needed for its Unicode 14,
the version of PCRE2 10.42.
"""

import unicodedata

import unicodedata2
from tokenizers import Regex, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CATEGORIES = ("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co"
              .split())


def reference_categories():
    """The general category of every code point in the reference's regular expressions."""
    found = {}
    for category in CATEGORIES:
        split = pre_tokenizers.Split(Regex(r"\p{%s}" % category), "isolated")
        separator = "!" if category == "Ll" else "a"
        for i in range(0, len(CODE_POINTS), 4096):
            text = separator.join(map(chr, CODE_POINTS[i:i + 4096]))
            for piece, (begin, _) in split.pre_tokenize_str(text):
                if len(piece) == 1 and begin % 2 == 0:
                    found[ord(piece)] = category
    return found


def newer_letters():
    """(first, last, category) of the ranges that the reference assigns and Unicode 14 does not."""
    assert unicodedata.unidata_version == "14.0.0"
    reference = reference_categories()
    runs = []
    for c in CODE_POINTS:
        category = reference.get(c, "Cn")
        if category == "Cn" or unicodedata.category(chr(c)) != "Cn":
            continue
        if runs and runs[-1][1] == c - 1 and runs[-1][2] == category:
            runs[-1][1] = c
        else:
            runs.append([c, c, category])
    return runs


def inert_in_reference():
    """(first, last) of the ranges that the Unicode standard normalises but the reference does
    not."""
    reference = normalizers.NFC().normalize_str

    def reorders(c):
        text = "a" + chr(c) + "\u0334"
        return reference(text) != text

    composed = set()
    for c in CODE_POINTS:
        decomposed = unicodedata2.decomposition(chr(c))
        if not decomposed or "<" in decomposed:
            continue
        pair = "".join(chr(int(part, 16)) for part in decomposed.split())
        if unicodedata2.normalize("NFC", pair) == chr(c) and reference(pair) != chr(c):
            composed.update([c] + [ord(part) for part in pair if not reorders(ord(part))])
    marks = {c for c in CODE_POINTS if unicodedata2.combining(chr(c)) and c != 0x334
             and unicodedata2.combining(chr(c)) > 1 and not reorders(c)}
    runs = []
    for c in sorted(marks | composed):
        if runs and runs[-1][1] == c - 1:
            runs[-1][1] = c
        else:
            runs.append([c, c])
    return runs


def main():
    print("// Made by tests/oracle/record_unicode.py; not to be edited by hand.")
    print('#include "models/tokenizer/unicode_tables.h"\n')
    print("namespace niah::models {\nnamespace {\n")
    print("constexpr CategoryRange kNewerCategories[] = {")
    for first, last, category in newer_letters():
        print('    {0x%X, 0x%X, "%s"},' % (first, last, category))
    print("};\n")
    print("constexpr CodePointRange kInert[] = {")
    for first, last in inert_in_reference():
        print("    {0x%X, 0x%X}," % (first, last))
    print("};\n")
    print("}  // namespace\n")
    print("std::span<const CategoryRange> newer_categories() { return kNewerCategories; }\n")
    print("std::span<const CodePointRange> inert_in_reference() { return kInert; }\n")
    print("}  // namespace niah::models")


if __name__ == "__main__":
    main()

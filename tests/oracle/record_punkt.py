"""Records how NLTK splits sentences: tests/data/protocol/punkt_cases.jsonl.

    pip install nltk==3.10.4
    python record_punkt.py [KJV]

KJV is the exported King James text (share/niah/kjv.txt in a build folder); without it the existing
line about it is kept. The other texts are written by hand or random, not from a corpus.
"""

import hashlib
import json
import pathlib
import random
import re
import sys

import nltk
from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "tests/data/protocol/punkt_cases.jsonl"
PUNKT = ROOT / "tasks/data/punkt"

WRITTEN = [
    "", " ", ".", "...", "Hello", "Hello. World.", "Hello.World.", "ends with space. ",
    "It stopped!!! They ran on.", "Really?! Never. Yes?", "(He left.) She stayed.",
    'She cried "Wait." Then he turned.', "Halt!) Then (go.)) on", "A. B. C. D.",
    "Mrs. Jones went to Boston. She liked it.", "Dr. K. Brown arrived. The dr. left.",
    "The U.S. Navy came. The U.S. is large. In the U.S. They left.",
    "It cost $4.25. That was little.", "It was 1987. then 1988. Now 1990.",
    "etc. and on. etc. The rest.", "Wait ... The end. Wait.... The end. Wait . . . Now.",
    "One.\nTwo.\n\nThree.  Four.\tFive.", "   leading. blanks.", "a.m. on Friday. At 6 p.m. He slept.",
    "vol. 2, p. 9. See ch. 3.", "-2.5. Then. .5. Then. 1,000. Then. 3-4. Then. 11. nov. 11. Nov.",
    "St. Louis is old. the st. is wide.", "I. Start. II. Middle. We met J. Doe. I am J. the one.",
    "Prof. Hill. Gov. Dale. Gen. Ford. Sen. Reed.", "so-called. So-called. ex-co. X",
    "5. commodities rose. 5. International trade.", "\u201cYes.\u201d \u2018No.\u2019 \u00abOui.\u00bb Then.",
    "He said \u201cgo.\u201d--and went. \u201cStay?\u201d", "end.\u00a0Next.\u2003Third.\u3000Last.",
    "caf\u00e9. \u00c9cole. \u00e9cole. \u0416\u0443\u043a. \u0436\u0443\u043a.", "a.\u0085b. C.\u2028D.",
    "x.\x1cY. z.\x1f Q.", "\x1c. A", "Tab.\x1f", "\u0660\u0661. \u0662. Next.", "\u00b2. B. _. C.",
    "Wait.) (Go.] [On.} {Up.' 'Down.\" \"End.", "x.(y. z?[w! v:;.", "a--b. --C. d.-- E.--F",
]

PIECES = (
    "The the He he Of of If When New York Smith smith mr. Mr. Dr dr. co. Co. Inc. etc. e.g. i.e. U.S. "
    "u.s. p.m. a.m. J. X. x. 5. 12 3.5 -2. $4. 1998. no. No. No.' Jan. jan. Sept. ok?\" yes.) end. "
    "End. cat.dog well-co. a-b. so! Why? ... . .. ! ? -- - , ; : ( ) [ ] { } ' \" ` * @ & # _ "
    "\u201c \u201d \u2018 \u2019 \u00ab \u00bb \u00e9. \u00c9. . . .").split(" ")
JOINTS = [" "] * 12 + ["", "  ", "\n", "\n\n", "\t", "\u00a0", "\u2009", "\x0b", "\x1d"]


def load_tokenizer():
    def lines(name):
        return (PUNKT / name).read_text("utf-8").splitlines()

    parameters = PunktParameters()
    parameters.abbrev_types = set(lines("abbrev_types.txt"))
    parameters.sent_starters = set(lines("sent_starters.txt"))
    parameters.collocations = {tuple(line.split("\t")) for line in lines("collocations.tab")}
    for line in lines("ortho_context.tab"):
        word, flags = line.split("\t")
        parameters.ortho_context[word] = int(flags)
    return PunktSentenceTokenizer(parameters)


def random_texts(count):
    source = random.Random(20)
    for _ in range(count):
        length = source.randint(2, 30)
        yield "".join(source.choice(PIECES) + source.choice(JOINTS) for _ in range(length))


def kjv_line(tokenizer, path):
    text = re.sub(r"\s+", " ", pathlib.Path(path).read_text("utf-8")).strip()
    sentences = tokenizer.tokenize(text)
    joined = "\n".join(sentences).encode()
    return {"kjv": True, "sentences": len(sentences), "sha256": hashlib.sha256(joined).hexdigest()}


def main():
    assert nltk.__version__ == "3.10.4", nltk.__version__
    tokenizer = load_tokenizer()
    if len(sys.argv) > 1:
        kjv = kjv_line(tokenizer, sys.argv[1])
    else:
        kjv = json.loads(OUTPUT.read_text().splitlines()[0])
    with OUTPUT.open("w") as out:
        print(json.dumps(kjv), file=out)
        for text in [*WRITTEN, *random_texts(400)]:
            print(json.dumps({"text": text, "sentences": tokenizer.tokenize(text)}), file=out)


if __name__ == "__main__":
    main()

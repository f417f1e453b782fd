#!/usr/bin/env python3
"""Validates a JUnit file of `niah regress --junit` against the schema that Jenkins' xUnit plugin uses.

    pip install xmlschema
    pip download --no-deps --no-binary pytest pytest==8.3.4     # its sources carry junit-10.xsd
    tar xzf pytest-8.3.4.tar.gz pytest-8.3.4/testing/example_scripts/junit-10.xsd
    python3 check_junit.py pytest-8.3.4/testing/example_scripts/junit-10.xsd junit.xml

Also checks that the counts in the suite's attributes are those of its cases.
"""

import sys
import xml.etree.ElementTree as ElementTree

import xmlschema


def main(schema, *files):
    for file in files:
        xmlschema.XMLSchema(schema).validate(file)
        for suite in ElementTree.parse(file).getroot().iter("testsuite"):
            cases = suite.findall("testcase")
            assert int(suite.get("tests")) == len(cases), "tests"
            for count, element in [("failures", "failure"), ("errors", "error"), ("skipped", "skipped")]:
                found = sum(case.find(element) is not None for case in cases)
                assert int(suite.get(count)) == found, (count, suite.get(count), found)
        print(f"{file}: valid, {len(cases)} cases")


if __name__ == "__main__":
    main(*sys.argv[1:])

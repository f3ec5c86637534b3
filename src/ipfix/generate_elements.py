#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes elements_iana.inc from the IANA registry "IPFIX Information Elements".

Usage: generate_elements.py ipfix-information-elements.csv > elements_iana.inc

The CSV is what https://www.iana.org/assignments/ipfix/ offers for download. One line for each
element that has a data type; reserved and unassigned numbers have none.
"""

import csv
import sys


def enumerator(word):
    return "k" + word[0].upper() + word[1:]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print("// SPDX-License-Identifier: MIT")
    print("// Written by generate_elements.py; do not edit. Included by elements.h.")
    with open(sys.argv[1], newline="", encoding="utf-8") as registry:
        rows = [row for row in csv.DictReader(registry) if row["Abstract Data Type"]]
    for row in sorted(rows, key=lambda r: int(r["ElementID"])):
        semantics = row["Data Type Semantics"] or "default"
        if row["Status"] not in ("current", "deprecated"):
            sys.exit(f"element {row['ElementID']} has the unknown status '{row['Status']}'")
        deprecated = ", ElementStatus::kDeprecated" if row["Status"] == "deprecated" else ""
        print(
            f'{{kIana, {int(row["ElementID"])}, "{row["Name"]}",'
            f' Type::{enumerator(row["Abstract Data Type"])},'
            f' Semantics::{enumerator(semantics)}, "{row["Units"]}"{deprecated}}},'
        )


if __name__ == "__main__":
    main()

#!/bin/sh
# check_doc.sh RULES-DOC FILE - the published table is the one that the code has.
"$1" | diff -u "$2" - || { echo "docs/coherence.md is out of date: $1 > docs/coherence.md"; exit 1; }

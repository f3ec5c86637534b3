#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints the figures of cost and speed: run.sh BUILD_DIR (see run.py).
exec python3 "$(dirname "$0")/run.py" "$@"

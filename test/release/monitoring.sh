#!/bin/bash
# What manifests/monitoring asks for, against what the programs print.
source "$(dirname "$0")/../tap.sh"

checks=$(dirname "$0")/monitoring.py

plan 7
check "every metric and label of rules and boards is one that a program prints" /usr/bin/python3 -B "$checks" metrics
check "every pod that is asked for metrics is there, and has the port" /usr/bin/python3 -B "$checks" endpoints
check "every program that has metrics is asked for them, by its node's name, and with it all that rules and boards look at" /usr/bin/python3 -B "$checks" reach
check "what does not answer is found by a rule, and what an overlay does not have is no alarm there" /usr/bin/python3 -B "$checks" down
check "every board has numbers, places and a source of data of its own" /usr/bin/python3 -B "$checks" boards
check "every rule says how long, what and how to cure, and has its line in the docs" /usr/bin/python3 -B "$checks" rules
check "every metric of rules, boards and docs is looked for on the page of a program that runs" /usr/bin/python3 -B "$checks" pages

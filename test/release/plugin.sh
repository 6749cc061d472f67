#!/bin/bash
# The CNI plugin as it is shipped: it is copied to nodes whose libraries nobody knows.
source "$(dirname "$0")/../tap.sh"

plugin=$(cd "$(dirname "$0")/../.." && pwd)/build/bin/flannel

is_static() {
  local headers
  headers=$(readelf --program-headers --dynamic --wide "$plugin") || return 1
  echo "$headers"
  [[ $headers != *INTERP* && $headers != *NEEDED* ]]
}

is_small() { [[ $(stat --format %s "$plugin") -le 2500000 ]] || { ls -l "$plugin"; return 1; }; }

answers_version() {
  CNI_COMMAND=VERSION "$plugin" <<<'{"cniVersion":"1.1.0"}' |
    /usr/bin/python3 -c 'import json, sys; sys.exit("1.1.0" not in json.load(sys.stdin)["supportedVersions"])'
}

# A person gets a text, a runtime's protocol on standard output stays as it is.
helps_a_person() {
  local text
  text=$("$plugin" --help 2>&1 >/dev/null) || return 1
  echo "$text"
  [[ $text == "CNI flannel plugin v"[0-9]* && $text == *"versions supported: "*1.1.0* && $text == *CNI_COMMAND=STATUS* ]] &&
    [[ -z $("$plugin" 2>/dev/null) ]]
}

plan 4
check "needs no library and no loader of the node" is_static
check "is at most 2.5 MB" is_small
check "answers VERSION" answers_version
check "tells a person who starts it by hand what it is" helps_a_person

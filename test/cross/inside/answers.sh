# shellcheck shell=bash
# Sourced by tests of programs that qemu runs, or given to a shell in a root of arm64.

# answers COMMAND...: a program tells what it is, and its version, when it says that it has one.
answers() {
  local said status=0
  said=$("$@" --help 2>&1 </dev/null) || status=$?
  if ((status > 2)) || [[ -z $said ]]; then
    echo "$* --help: $said (status $status)"
    return 1
  fi
  [[ $said != *--version* ]] || [[ $("$@" --version 2>&1 </dev/null) =~ [0-9]+\.[0-9]+\.[0-9]+ ]] || {
    echo "$* --version: $("$@" --version 2>&1 </dev/null)"
    return 1
  }
}

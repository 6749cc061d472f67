# shellcheck shell=bash
# A containerd of a test's own, which lives as long as one command. Sourced, behind tap.sh.

# images ARGUMENT...: ctr images, of that containerd.
images() { ctr --address "$containerd_folder/socket" --namespace k8s.io images "$@"; }
containerd_is_up() { images ls >/dev/null 2>&1; }

# with_containerd FOLDER COMMAND...: runs it beside a containerd that keeps all in FOLDER; shows what that said when it fails.
with_containerd() {
  local status=0 containerd
  containerd_folder=$1
  mkdir -p "$containerd_folder"
  cat >"$containerd_folder/config.toml" <<END
version = 2
root = "$containerd_folder/root"
state = "$containerd_folder/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing",
                    "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "$containerd_folder/socket"
END
  setpriv --pdeathsig KILL containerd --config "$containerd_folder/config.toml" >"$containerd_folder/log" 2>&1 &
  containerd=$!
  { within 30 containerd_is_up && "${@:2}"; } || status=1
  kill "$containerd"
  wait "$containerd"
  ((status == 0)) || tail -n 5 "$containerd_folder/log"
  return "$status"
}

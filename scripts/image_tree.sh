#!/bin/bash
# Lays the programs out as they are in our image: image_tree.sh PROGRAMS FOLDER
#   FOLDER/usr/bin            the programs, in the PATH, where those find each other that belong together
#   FOLDER/opt/cni/bin        the CNI plugin, which an init container copies to nodes
#   FOLDER/usr/lib/holdfast   put-on-node, by which it puts `holdfast` there too
# Left out are simulations, which are for tests, and what checks other people's backends.
set -euo pipefail

programs=$1
folder=$2

mkdir -p "$folder/usr/bin" "$folder/opt/cni/bin" "$folder/usr/lib/holdfast"
cp "$(dirname "$0")/put_on_node.sh" "$folder/usr/lib/holdfast/put-on-node"
for program in "$programs"/*; do
  case ${program##*/} in
    *-sim | disk-backend-conformance) ;;
    flannel) cp "$program" "$folder/opt/cni/bin/" ;;
    *) cp -d "$program" "$folder/usr/bin/" ;;
  esac
done
chmod -R u=rwX,go=rX "$folder"

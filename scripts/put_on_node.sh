#!/bin/sh
# Puts `holdfast` on a node, by a container of our image: put_on_node.sh FOLDER
#   FOLDER/bin/holdfast   starts the program by what is beside it, whatever libraries the node has
#   FOLDER/lib            the program, its libraries, and their loader
# Each file by one rename, if it is another than what is there, and last that which is called.
set -eu

program=/usr/bin/holdfast
folder=$1

put() {
  cmp -s "$1" "$2" && return
  cp "$1" "$2.new"
  sync "$2.new"
  mv "$2.new" "$2"
}

mkdir -p "$folder/bin" "$folder/lib"
libraries=$(ldd "$program" | grep -o '/[^ ]*')
for file in $libraries "$program"; do
  put "$file" "$folder/lib/${file##*/}"
  case $file in */ld-*) loader=${file##*/} ;; esac
done
cat >"$folder/bin/holdfast.new" <<END
#!/bin/sh
lib=\$(readlink -f "\$0")
lib=\${lib%/bin/holdfast}/lib
exec "\$lib/$loader" --library-path "\$lib" "\$lib/holdfast" "\$@"
END
chmod 755 "$folder/bin/holdfast.new"
sync "$folder/bin/holdfast.new"
mv "$folder/bin/holdfast.new" "$folder/bin/holdfast"

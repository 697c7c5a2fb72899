#!/bin/sh
# rootfs.sh OUT RELEASE NOTICES: lays out what the image holds. RELEASE is what `cargo xtask build` made (target/release), NOTICES a file of what
# `cargo xtask notices` printed.
#
# The program, the libraries that it is linked with, the authorities that the system trusts, the connectors, and the name of the user.
set -eu
out=$1 release=$2 notices=$3 here=$(dirname "$0")
mkdir -p "$out/usr/bin" "$out/etc/ssl/certs" "$out/etc/sangam" "$out/data" "$out/tmp" "$out/usr/lib/sangam/plugins" "$out/usr/share/doc/sangam"
install -m 0755 "$release/sangam" "$out/usr/bin/sangam"
# Lines such as `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, and the loader by its path alone.
ldd "$release/sangam" | grep -oE '/[^ ]+' | sort -u | while read -r library; do
  mkdir -p "$out$(dirname "$library")"
  cp -L "$library" "$out$library"
done
cp -L /etc/ssl/certs/ca-certificates.crt "$out/etc/ssl/certs/ca-certificates.crt"
for component in "$release"/plugins/*.wasm; do
  install -m 0644 "$component" "$out/usr/lib/sangam/plugins/"
done
install -m 0644 "$here/../../LICENSE" "$out/usr/share/doc/sangam/LICENSE"
install -m 0644 "$notices" "$out/usr/share/doc/sangam/THIRD-PARTY-LICENSES.txt"
install -m 0644 "$here/sangam.toml" "$out/etc/sangam/sangam.toml"
echo 'sangam:x:65532:65532:Sangam:/data:/usr/sbin/nologin' > "$out/etc/passwd"
echo 'hosts: files dns' > "$out/etc/nsswitch.conf"
echo 'sangam:x:65532:' > "$out/etc/group"
chown 65532:65532 "$out/data" 2>/dev/null || echo 'rootfs.sh: not root, so /data is not handed to the user 65532' >&2
chmod 0700 "$out/data"
chmod 1777 "$out/tmp"

#!/bin/bash
# Looks into a Debian package and runs what is in it: deploy/check-deb.sh FILE
set -euo pipefail

deb=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() {
    echo "$deb: $*" >&2
    exit 1
}

dpkg-deb --info "$deb" | grep -q '^ Package: halley$' || fail "it is not the package halley"
list=$(dpkg-deb --contents "$deb")
for want in '-rwxr-xr-x root/root .* \./usr/bin/halley$' '-rw-r--r-- root/root .* \./usr/lib/systemd/system/halley.service$' \
    '-rw-r----- root/root .* \./etc/halley/halley.toml$' '\./usr/share/doc/halley/copyright$'; do
    grep -Eq -- "$want" <<<"$list" || fail "it has nothing like $want"
done
dpkg-deb --control "$deb" "$dir/control"
grep -qx /etc/halley/halley.toml "$dir/control/conffiles" || fail "the configuration is no conffile"
for script in postinst prerm postrm; do
    sh -n "$dir/control/$script"
    [ -x "$dir/control/$script" ] || fail "$script cannot be run"
done
dpkg-deb --extract "$deb" "$dir/root"
"$dir/root/usr/bin/halley" version
"$dir/root/usr/bin/halley" check-config "$dir/root/etc/halley/halley.toml"
if command -v systemd-analyze >/dev/null; then
    # It looks for the program where the package would have put it.
    sed "s|/usr/bin/halley|$dir/root/usr/bin/halley|" "$dir/root/usr/lib/systemd/system/halley.service" >"$dir/halley.service"
    systemd-analyze verify --man=no "$dir/halley.service" || fail "the unit has faults"
fi
echo "$deb is in order"

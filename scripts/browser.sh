#!/usr/bin/env bash
# Prints the path of a Chromium for the tests of the report's page: the one of this machine, or Debian's own out of its
# packages, unpacked into the cache with whatever it needs that is not installed. Needs no root.
set -euo pipefail
# shellcheck source=scripts/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"

for name in "${LUDUS_BROWSER:-}" chromium chromium-browser google-chrome; do
    [[ -n $name ]] && command -v "$name" && exit
done

browser=$cache/browser
started_by=$browser/chromium

# Debian's package manager checks what it fetches. The version is not pinned: a release of Debian has one at a time.
fetch() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
        fail "there is no browser for the report's tests: install Chromium, or name one with LUDUS_BROWSER"
    need_space 1 "the browser of the report's tests"
    say "fetching Chromium for the report's tests (about 110 MB, 390 MB unpacked)"
    rm -rf "$browser" && mkdir -p "$browser/packages/partial" "$browser/lists/partial"
    # Lists of its own, where those of the system may be old and only root may renew them.
    local apt=(apt-get -q -o "Dir::State::lists=$browser/lists" -o "Dir::Cache=$browser/packages" -o APT::Sandbox::User=)
    "${apt[@]}" update >/dev/null
    local missing
    missing=$("${apt[@]}" --simulate --no-install-recommends install chromium | awk '$1 == "Inst" { print $2 }')
    (
        cd "$browser/packages"
        # shellcheck disable=SC2086 # Names of packages, one a word.
        "${apt[@]}" download $missing >/dev/null
        for package in *.deb; do dpkg-deb -x "$package" "$browser/root"; done
    )
    rm -rf "$browser/packages" "$browser/lists"
    # Some libraries lie in folders that only the package's own programs look into.
    local libraries
    libraries=$(find "$browser/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd :)
    cat >"$started_by.partial" <<END
#!/bin/sh
export LD_LIBRARY_PATH="$libraries"
[ -e /etc/fonts/fonts.conf ] || export FONTCONFIG_FILE="$browser/fonts.conf"
exec "$browser/root/usr/lib/chromium/chromium" "\$@"
END
    printf '<fontconfig><dir>%s</dir><cachedir>%s</cachedir></fontconfig>\n' \
        "$browser/root/usr/share/fonts" "$browser/fonts" >"$browser/fonts.conf"
    chmod +x "$started_by.partial"
    mv "$started_by.partial" "$started_by"
}

mkdir -p "$cache"
(
    flock 9
    [[ -x $started_by ]] || fetch 9>&-
) 9>"$cache/browser.lock" >&2
printf '%s\n' "$started_by"

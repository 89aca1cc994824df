#!/bin/sh
# SPDX-License-Identifier: MIT
# Fetches the programs that `make bench` compares with, on Debian 12. It starts no service and changes no configuration:
# the packages that it installs contain none, and the servers whose packages do are only unpacked, into
# build/bench/debian. It does nothing if everything is installed. Run it as root, or as a user with sudo.
set -eu

cd "$(dirname "$0")/.."
unpacked=build/bench/debian

# Our programs do not use wrk; it is installed to cross-check bench/load.
wanted="apache2-bin gnuplot-nox golang-go httperf libboost-fiber-dev python3 slowhttptest wrk"
# The libraries of the unpacked binaries, and the media type tables of Caddy and h2o. Apt must not install the servers
# themselves.
wanted="$wanted libcrypt1 libnettle8 libpcre2-8-0 libssl3 libstdc++6 libxxhash0 libyaml-0-2 libzstd1 media-types zlib1g"

missing=
for package in $wanted; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $package" ;;
    esac
done
if [ -n "$missing" ]; then
    echo "installing:$missing"
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    $as_root apt-get update -q
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
fi

unpack() { # PACKAGE PROGRAM
    if command -v "$1" >/dev/null 2>&1 || [ -x "$unpacked/$2" ]; then return; fi
    echo "unpacking $1 into $unpacked"
    mkdir -p "$unpacked"
    (cd "$unpacked" && apt-get download -q "$1" && dpkg-deb -x "$1"_*.deb . && rm "$1"_*.deb)
}

unpack nginx usr/sbin/nginx
unpack h2o usr/bin/h2o
unpack lighttpd usr/sbin/lighttpd
unpack caddy usr/bin/caddy

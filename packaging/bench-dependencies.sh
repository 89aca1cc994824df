#!/bin/sh
# SPDX-License-Identifier: MIT
# Fetches what `make bench` compares us with, on Debian 12. Starts no service and changes no configuration: the
# packages it installs contain none, and nginx, whose package does, is only unpacked into build/bench/debian.
# Does nothing when all is there. Run it as root, or as a user with sudo.
set -eu

cd "$(dirname "$0")/.."
unpacked=build/bench/debian

# wrk is not used by our programs: it is there for a second opinion on bench/load.
wanted="apache2-bin golang-go libboost-fiber-dev python3 wrk"
# What the nginx binary is linked with; apt must not be asked for nginx itself.
wanted="$wanted libcrypt1 libpcre2-8-0 libssl3 zlib1g"

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

if ! command -v nginx >/dev/null 2>&1 && [ ! -x "$unpacked/usr/sbin/nginx" ]; then
    echo "unpacking nginx into $unpacked"
    mkdir -p "$unpacked"
    (cd "$unpacked" && apt-get download -q nginx && dpkg-deb -x nginx_*.deb . && rm nginx_*.deb)
fi

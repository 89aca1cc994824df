#!/bin/sh
# SPDX-License-Identifier: MIT
# Fetches the programs that `make bench` compares with, on Debian 12. It starts no service and changes no configuration:
# the packages that it installs contain none, and the servers whose packages do are only unpacked, into
# build/debian. It does nothing if everything is installed. Run it as root, or as a user with sudo.
set -eu

cd "$(dirname "$0")/.."

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

packaging/unpack nginx usr/sbin/nginx
packaging/unpack h2o usr/bin/h2o
packaging/unpack lighttpd usr/sbin/lighttpd
packaging/unpack caddy usr/bin/caddy

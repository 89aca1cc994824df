#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the Debian 12 packages that occwserv needs, for one purpose at a time:
#
#   dependencies.sh build        to compile the server
#   dependencies.sh test         to run the tests as well
#   dependencies.sh lint         to check formatting and style
#   dependencies.sh deb          to build the Debian package, and test it
#
# Prints what it installs, and does nothing if everything is installed. Run it as root, or as a user with sudo. The
# packages for `make bench` are in bench-dependencies.sh.
set -eu
cd "$(dirname "$0")/.."

build="clang-22 lld-22 llvm-22 cmake ninja-build pkg-config libfmt-dev libcli11-dev libtomlplusplus-dev liburing-dev"
build="$build libseccomp-dev zlib1g-dev libbrotli-dev libzstd-dev libxxhash-dev"
tests="libgtest-dev libgmock-dev libclang-rt-22-dev python3 python3-pytest python3-pytest-xdist python3-prometheus-client curl wget brotli zstd"
tests="$tests node-llhttp libbenchmark-dev chromium fonts-font-awesome spin"
# Programs that the server runs by CGI, and servers to compare with. None of these packages starts a server; php-cgi brings
# a timer that removes expired PHP sessions.
tests="$tests git cgit gitweb php-cgi apache2-bin"
# The libraries of lighttpd, which is only unpacked: its package starts a server on port 80.
tests="$tests libcrypt1 libnettle8 libpcre2-8-0 libxxhash0 media-types"
# The npm package of Debian conflicts with a Node.js from another source, which includes npm.
command -v npm >/dev/null 2>&1 || tests="$tests nodejs npm"
lint="clang-tidy-22 clang-format-22"
deb="debhelper go-md2man lintian logrotate man-db python3 python3-pytest systemd zsh fish"

case "${1:-build}" in
    build) wanted=$build ;;
    test) wanted="$build $tests" ;;
    lint) wanted="$build $tests $lint" ;;
    deb) wanted="$build $deb" ;;
    *)
        echo "usage: $0 build|test|lint|deb" >&2
        exit 2
        ;;
esac

missing=""
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
unpacks=false
[ "${1:-build}" != test ] || packaging/unpack --is-there lighttpd usr/sbin/lighttpd || unpacks=true
[ -n "$missing" ] || $unpacks || exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1; then
    as_root="sudo"
else
    echo "These packages are missing and installing them needs root or sudo:$missing" >&2
    exit 1
fi

[ -z "$missing" ] || echo "Installing with apt:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086 # word splitting is intended
[ -z "$missing" ] || $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
! $unpacks || packaging/unpack lighttpd usr/sbin/lighttpd

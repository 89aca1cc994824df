# SPDX-License-Identifier: MIT
"""The servers that are compared: for each, its configuration and its command line.

All serve the same files with one worker, long keep-alive, and an access log in the combined format, written in large
pieces to memory. A server that cannot do that uses the closest alternative, and its configuration says so. The floor has
neither files nor a log. Where a server offers alternatives, the one with the least CPU time here is used; comments beside
the configuration name the measured alternatives.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

PROJECT = Path(__file__).resolve().parent.parent


@dataclass
class Setting:
    """The parameters with which a contender is started."""

    port: int
    pages: Path  # the document root
    scratch: Path  # for its configuration and log; also its working directory
    size: int  # size of the requested page; only the floor needs it


@dataclass
class Contender:
    name: str
    executable: Path | None  # None: not installed
    prepare: Callable[[Path, Setting], list]  # writes the configuration, returns the command
    other: bool = False  # neither the floor nor occwserv


def occwserv_command(executable, s, io):
    """The only place that knows our command line."""
    return [executable, s.pages, "--listen", f"127.0.0.1:{s.port}", "--workers", "1", "--io", io,
            "--access-log", s.scratch / "access.log"]


def floor_command(executable, s, io):
    return [executable, "--port", s.port, "--size", s.size, "--io", io]


# The servers that can drop to this user if started as root; Apache refuses to run as root.
UNPRIVILEGED = "www-data"

# The fastest settings on loopback: small pages without sendfile (for 8 KiB 13 us of CPU time per answer instead of 16,
# for 100 bytes 10 instead of 14), the large one with sendfile, where tcp_nopush never helped.
NGINX = """
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {s.scratch}/pid;
error_log stderr warn;
events {{ worker_connections 16384; }}
http {{
    types {{ text/html html; video/mp4 mp4; }}
    access_log {s.scratch}/access.log combined buffer=64k flush=1s;
    sendfile off;
    tcp_nodelay on;
    keepalive_timeout 300s;
    keepalive_requests 1000000000;
    {cache}
    client_body_temp_path {s.scratch}/body;
    proxy_temp_path {s.scratch}/proxy;
    fastcgi_temp_path {s.scratch}/fastcgi;
    uwsgi_temp_path {s.scratch}/uwsgi;
    scgi_temp_path {s.scratch}/scgi;
    server {{
        listen 127.0.0.1:{s.port} backlog=4096;
        root {s.pages};
        location = /1m.html {{ sendfile on; }}
        location = /video.mp4 {{ sendfile on; }}
    }}
}}
"""


def nginx_command(executable, s, cache):
    config = s.scratch / "nginx.conf"
    user = f"user {UNPRIVILEGED};" if os.geteuid() == 0 else ""
    config.write_text(NGINX.format(s=s, user=user, cache=cache))
    return [executable, "-p", s.scratch, "-c", config, "-e", "stderr"]


OPEN_FILE_CACHE = "open_file_cache max=1000 inactive=60s; open_file_cache_valid 1s; open_file_cache_min_uses 1; " \
                  "open_file_cache_errors on; log_not_found off;"

APACHE = """
ServerRoot {s.scratch}
PidFile {s.scratch}/pid
DefaultRuntimeDir {s.scratch}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
{user}
ServerName 127.0.0.1
Listen 127.0.0.1:{s.port}
ListenBacklog 4096
StartServers 1
ServerLimit 1
ThreadsPerChild 64
ThreadLimit 64
MaxRequestWorkers 64
MinSpareThreads 1
MaxSpareThreads 64
MaxConnectionsPerChild 0
AsyncRequestWorkerFactor 400
KeepAlive On
KeepAliveTimeout 300
MaxKeepAliveRequests 0
EnableSendfile On
HostnameLookups Off
TypesConfig /dev/null
AddType text/html .html
AddType video/mp4 .mp4
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
BufferedLogs On
CustomLog {s.scratch}/access.log combined
ErrorLog /dev/stderr
DocumentRoot {s.pages}
<Directory />
    Options FollowSymLinks
    AllowOverride None
    Require all granted
</Directory>
"""


def apache_command(executable, s):
    config = s.scratch / "apache.conf"
    user = f"User {UNPRIVILEGED}\nGroup {UNPRIVILEGED}" if os.geteuid() == 0 else ""
    config.write_text(APACHE.format(s=s, user=user))
    return [executable, "-DFOREGROUND", "-f", config]


# No alternative served small pages faster: files of up to 32 KiB are read and written with every backend (12.8 and 12.1
# us of CPU time for 8 KiB). For 1 MiB, sendfile took 430 us and writev 570. The log is written in pieces of 8 KiB.
LIGHTTPD = """
server.bind = "127.0.0.1"
server.port = {s.port}
server.listen-backlog = 4096
server.document-root = "{s.pages}"
server.modules = ("mod_accesslog")
server.upload-dirs = ("{s.scratch}")
server.max-fds = 20000
server.max-connections = 16384
server.max-keep-alive-idle = 300
# a number of 16 bits
server.max-keep-alive-requests = 65535
server.network-backend = "sendfile"
mimetype.assign = (".html" => "text/html", ".mp4" => "video/mp4")
accesslog.filename = "{s.scratch}/access.log"
accesslog.format = "%h %l %u %t \\"%r\\" %>s %b \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\""
"""


def lighttpd_command(executable, s):
    config = s.scratch / "lighttpd.conf"
    config.write_text(LIGHTTPD.format(s=s))
    modules = executable.parent.parent / "lib/lighttpd"
    return [executable, "-D", "-f", config, "-m", modules]


# There are no alternatives: it keeps files open while requests use them, reads and writes (sendfile came in 2.3), and
# writes each log line at once. The default log format is the combined one.
H2O = """
{user}
num-threads: 1
max-connections: 16384
http1-request-timeout: 300
listen:
  host: 127.0.0.1
  port: {s.port}
error-log: /dev/stderr
access-log: {s.scratch}/access.log
file.mime.settypes:
  text/html: .html
  video/mp4: .mp4
hosts:
  default:
    paths:
      /:
        file.dir: {s.pages}
"""


def h2o_command(executable, s):
    config = s.scratch / "h2o.conf"
    config.write_text(H2O.format(s=s, user=f"user: {UNPRIVILEGED}" if os.geteuid() == 0 else ""))
    return [executable, "-c", config]


# The version in Debian has no module for the combined format: the log is JSON with the same and some more data, each
# line written at once (the console format cost the same within the noise). GOGC=400 took 96 us of CPU time for 8 KiB,
# the default 100 took 105, and no collection at all 140. It cannot drop privileges.
CADDY = """
{{
    admin off
    auto_https off
    servers {{
        timeouts {{
            idle 5m
        }}
    }}
    log {{
        output stderr
        level ERROR
    }}
}}
http://127.0.0.1:{s.port} {{
    root * {s.pages}
    file_server
    log {{
        output file {s.scratch}/access.log {{
            roll_disabled
        }}
    }}
}}
"""


def caddy_command(executable, s):
    config = s.scratch / "Caddyfile"
    config.write_text(CADDY.format(s=s))
    homes = [f"{home}={s.scratch}" for home in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")]
    return ["env", "GOMAXPROCS=1", "GOGC=400", *homes, executable, "run", "--adapter", "caddyfile", "--config", config]


def find(name, *places):
    found = shutil.which(name) or next((place for place in places if os.access(place, os.X_OK)), None)
    return Path(found) if found else None


def contenders(build):
    """All contenders, in the order of the tables. `build` is the directory of a release build."""
    floor = find("", build / "bench/floor")
    ours = find("", build / "occwserv")
    unpacked = PROJECT / "build/debian/usr"
    nginx = find("nginx", "/usr/sbin/nginx", unpacked / "sbin/nginx")
    apache = find("apache2", "/usr/sbin/apache2")
    lighttpd = find("lighttpd", "/usr/sbin/lighttpd", unpacked / "sbin/lighttpd")
    h2o = find("h2o", unpacked / "bin/h2o")
    caddy = find("caddy", unpacked / "bin/caddy")
    return [
        Contender("floor epoll", floor, lambda e, s: floor_command(e, s, "epoll")),
        Contender("floor uring", floor, lambda e, s: floor_command(e, s, "uring")),
        Contender("occwserv epoll", ours, lambda e, s: occwserv_command(e, s, "epoll")),
        Contender("occwserv uring", ours, lambda e, s: occwserv_command(e, s, "uring")),
        Contender("nginx", nginx, lambda e, s: nginx_command(e, s, "log_not_found off;"), other=True),
        Contender("nginx file cache", nginx, lambda e, s: nginx_command(e, s, OPEN_FILE_CACHE), other=True),
        Contender("h2o", h2o, h2o_command, other=True),
        Contender("lighttpd", lighttpd, lighttpd_command, other=True),
        Contender("apache", apache, apache_command, other=True),
        Contender("caddy", caddy, caddy_command, other=True),
    ]

"""Makes a Python on Linux one that lacks what macOS lacks; it is imported when Python starts."""

import fcntl
import os
import select
import signal
import socket
import sys
import time
import types

LACKS = {
    os: ["O_PATH", "O_TMPFILE", "memfd_create", "posix_fadvise", "copy_file_range", "fdatasync", "getrandom"],
    fcntl: ["F_SETLEASE", "F_GETLEASE", "F_NOTIFY", "F_SETSIG", "F_OFD_SETLK"],
    signal: ["sigtimedwait", "sigwaitinfo", "SIGRTMIN", "SIGRTMAX", "SIGPWR"],
    select: ["epoll"],
    socket: ["AF_NETLINK", "SO_PEERCRED", "SOCK_CLOEXEC", "SOCK_NONBLOCK"],
    time: ["CLOCK_BOOTTIME"],
}

for module, names in LACKS.items():
    for name in names:
        delattr(module, name)
sys.platform = "darwin"
sys.modules["watchdog.observers.inotify_c"] = None  # type: ignore[assignment] - its import fails there
# What Python itself looks for there:
proxies = types.ModuleType("_scproxy")
proxies.__dict__.update(_get_proxy_settings=dict, _get_proxies=dict)
sys.modules["_scproxy"] = proxies
os.environ["_PYTHON_SYSCONFIGDATA_NAME"] = "_sysconfigdata__linux_x86_64-linux-gnu"

#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""hand-over: becomes a program that takes over COUNT sockets of one port, as systemd hands them over
(sd_listen_fds(3)); the kernel spreads clients among them (socket(7), SO_REUSEPORT).

    hand-over.py stream|datagram PORT COUNT PROGRAM [ARGUMENT...]
"""

import os
import socket
import sys

FIRST = 3


def open_socket(kind, port):
    opened = socket.socket(type=socket.SOCK_STREAM if kind == "stream" else socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    opened.bind(("127.0.0.1", port))
    if kind == "stream":
        opened.listen(4096)
    return opened


def main():
    kind, port, count, *command = sys.argv[1:]
    sockets = [open_socket(kind, int(port)) for _ in range(int(count))]
    for number, each in enumerate(sockets):
        if each.fileno() != FIRST + number:
            sys.exit("hand-over: descriptors are taken that sockets are to be handed over as")
        each.set_inheritable(True)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=count)
    os.execv(command[0], command)


main()

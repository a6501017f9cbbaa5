# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
"""UDP there and back.

udp_echo.py serve PORT             answer every datagram with itself, IPv4 and IPv6
udp_echo.py ask ADDRESS PORT MAX   datagrams of 0 to MAX random bytes: each must come back as sent,
                                   and none but a few may need a second try
"""

import os
import socket
import sys

TRIES = 10
LOST_MAX = 3


def serve(port):
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", port))
    while True:
        data, peer = sock.recvfrom(65536)
        sock.sendto(data, peer)


def comes_back(sock, data):
    """UDP may lose a datagram, but not change it: late answers to earlier ones are passed over."""
    sock.send(data)
    try:
        while sock.recv(65536) != data:
            pass
    except socket.timeout:
        return False
    return True


def ask(address, port, longest):
    lost = 0
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for size in sorted({0, 1, 2, 17, 18, 19, longest - 1, longest} | set(range(3, longest, 13))):
        data = os.urandom(size)
        # Each from a port of its own, which makes it a flow of its own.
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(2)
            sock.connect((address, port))
            for _ in range(TRIES):
                if comes_back(sock, data):
                    break
                lost += 1
            else:
                sys.exit(f"UDP to {address}: {size} bytes do not come back")
    if lost > LOST_MAX:
        sys.exit(f"UDP to {address}: {lost} datagrams were lost")


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    ask(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

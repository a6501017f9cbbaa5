# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# Work on a file of /dev/net/tun that was inherited under this number.
#
#   tun.py attach NUMBER NAME FLAG...    TUNSETIFF; flags by their names in linux/if_tun.h
#   tun.py detach NUMBER                 take its queue off the interface
#   tun.py show NUMBER                   what can be read of it

import fcntl
import os
import struct
import sys

FLAGS = {'TUN': 0x0001, 'TAP': 0x0002, 'NAPI': 0x0010, 'NAPI_FRAGS': 0x0020,
         'MULTI_QUEUE': 0x0100, 'NO_PI': 0x1000, 'VNET_HDR': 0x4000}
DETACH_QUEUE = 0x0400

TUNSETIFF = 0x400454ca
TUNGETIFF = 0x800454d2
TUNGETSNDBUF = 0x800454d3
TUNGETVNETHDRSZ = 0x800454d7
TUNSETQUEUE = 0x400454d9
TUNGETVNETLE = 0x800454dd


def ifreq(name, flags):
    return struct.pack('16sH22x', name.encode(), flags)


def get_int(fd, request):
    return struct.unpack('i', fcntl.ioctl(fd, request, bytes(4)))[0]


def show(fd):
    name, flags = struct.unpack('16sH22x', fcntl.ioctl(fd, TUNGETIFF, bytes(40)))
    print('interface', name.rstrip(b'\0').decode(), 'flags %#x' % flags)
    print('header', get_int(fd, TUNGETVNETHDRSZ), 'little-endian', get_int(fd, TUNGETVNETLE))
    print('send buffer', get_int(fd, TUNGETSNDBUF))
    print('status flags %#o' % fcntl.fcntl(fd, fcntl.F_GETFL), 'blocking', os.get_blocking(fd))


def main(verb, number, *rest):
    fd = int(number)
    if verb == 'attach':
        fcntl.ioctl(fd, TUNSETIFF, ifreq(rest[0], sum(FLAGS[flag] for flag in rest[1:])))
    elif verb == 'detach':
        fcntl.ioctl(fd, TUNSETQUEUE, ifreq('', DETACH_QUEUE))
    elif verb == 'show':
        show(fd)
    else:
        sys.exit('what is ' + verb + '?')


main(*sys.argv[1:])

# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# Run a command to which some system calls are forbidden, as container engines do it.
#
#   seccomp.py CALL=ERRNO... -- COMMAND...
#
# CALL is the name of a system call in the table below, alone or with ":" and the second argument
# that is meant: the request of an ioctl, the type of a socket.

import ctypes
import errno
import os
import platform
import struct
import sys

X86 = platform.machine() == 'x86_64'
CALLS = {'io_uring_setup': 425, 'io_uring_enter': 426, 'io_uring_register': 427,
         'ioctl': 16 if X86 else 29, 'socket': 41 if X86 else 198}

PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
RET_ALLOW = 0x7fff0000
RET_ERRNO = 0x00050000

# Of linux/bpf_common.h; a jump skips so many instructions if true, and so many if false.
LOAD = 0x20
JUMP_EQUAL = 0x15
RETURN = 0x06
# Of struct seccomp_data, on machines with little-endian byte order
NUMBER = 0
SECOND_ARGUMENT = 24


def instruction(code, k, true=0, false=0):
    return struct.pack('HBBI', code, true, false, k)


def rule(text):
    call, error = text.split('=')
    name, _, second = call.partition(':')
    answer = instruction(RETURN, RET_ERRNO | getattr(errno, error))
    if second:
        answer = (instruction(LOAD, SECOND_ARGUMENT) +
                  instruction(JUMP_EQUAL, int(second, 0), 0, 1) + answer)
    return (instruction(LOAD, NUMBER) +
            instruction(JUMP_EQUAL, CALLS[name], 0, len(answer) // 8) + answer)


def install(rules):
    code = b''.join(map(rule, rules)) + instruction(RETURN, RET_ALLOW)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack('HxxxxxxP', len(code) // 8, ctypes.addressof(buffer))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    no = ctypes.c_ulong(0)
    if (prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), no, no, no) != 0 or
            prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), program, no, no) != 0):
        sys.exit('seccomp: ' + os.strerror(ctypes.get_errno()))


split = sys.argv.index('--')
install(sys.argv[1:split])
os.execvp(sys.argv[split + 1], sys.argv[split + 1:])

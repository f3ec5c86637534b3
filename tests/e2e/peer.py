# SPDX-License-Identifier: MIT
"""One end of a TCP session, as a process of its own in whatever network it was started.

peer.py ADDRESS: listens, prints the port, accepts one session, closes second.
peer.py ADDRESS PORT: connects there, prints its port, closes first.
Each sends so many octets as peer.SENT says.
"""
import socket
import sys
import time

import programs

SENT = {'client': 33, 'server': 44}
# Of a process that dies at once an agent without eBPF may not learn who it was.
LINGER_SECONDS = 0.1


def main():
    address, *port = sys.argv[1:]
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    with socket.socket(family) as first:
        if port:
            first.connect((address, int(port[0])))
            print(first.getsockname()[1], flush=True)
            first.sendall(bytes(SENT['client']))
            programs.read_exactly(first, SENT['server'])
            return
        first.bind((address, 0))
        first.listen()
        print(first.getsockname()[1], flush=True)
        accepted = first.accept()[0]
        programs.read_exactly(accepted, SENT['client'])
        accepted.sendall(bytes(SENT['server']))
        programs.check(accepted.recv(1) == b'', 'more octets than were sent')


if __name__ == '__main__':
    main()
    time.sleep(LINGER_SECONDS)

"""An agent of seccomp notifications: answers every notified call of one container.

Usage: seccomp_agent.py SOCKET RESULT ERRNO
Prints "ready", takes one connection, prints the message as one line of JSON, then the number of each notified call,
which it lets fail with ERRNO, or answers with RESULT when ERRNO is 0; ends with the last process of the filter.
"""

import fcntl
import json
import select
import socket
import struct
import sys

NOTIF_RECV = 0xC0502100
NOTIF_SEND = 0xC0182101

path, result, errno = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind(path)
server.listen(1)
print("ready", flush=True)
connection, _ = server.accept()
data, fds, _, _ = socket.recv_fds(connection, 1 << 20, 4)
if not data:
    sys.exit()
while chunk := connection.recv(1 << 20):
    data += chunk
print(json.dumps(json.loads(data)), flush=True)
listener = fds[0]
poll = select.poll()
poll.register(listener, select.POLLIN)
while True:
    if any(event & select.POLLHUP for _, event in poll.poll()):
        break
    notification = bytearray(80)
    fcntl.ioctl(listener, NOTIF_RECV, notification)
    identifier, _, _, number = struct.unpack_from("<QIIi", notification)
    print(number, flush=True)
    fcntl.ioctl(listener, NOTIF_SEND, struct.pack("<QqiI", identifier, result, -errno, 0))

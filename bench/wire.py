# SPDX-License-Identifier: MIT
"""A long wire between two taps: frames arrive later, and some not at all.

usage: wire.py FD FD DELAY_MS LOST_IN_1000     the same ones are lost each time
"""
import collections
import os
import random
import select
import sys
import time

FRAME_MAX = 65536


def main():
    fds = [int(fd) for fd in sys.argv[1:3]]
    delay, lost = int(sys.argv[3]) / 1000, int(sys.argv[4]) / 1000
    others = dict(zip(fds, reversed(fds)))
    way = collections.deque()  # all have the same delay, so in the order of their arrival
    rng, poll = random.Random(1), select.epoll()
    for fd in fds:
        os.set_blocking(fd, False)
        poll.register(fd, select.EPOLLIN)
    while True:
        now = time.monotonic()
        while way and way[0][0] <= now:
            _, fd, frame = way.popleft()
            try:
                os.write(fd, frame)
            except OSError:
                pass  # not up yet, or its queue is full
        for fd, _ in poll.poll(max(0, way[0][0] - now) if way else None):
            for _ in range(64):
                try:
                    frame = os.read(fd, FRAME_MAX)
                except BlockingIOError:
                    break
                if rng.random() >= lost:
                    way.append((time.monotonic() + delay, others[fd], frame))


main()

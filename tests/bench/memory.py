#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The memory rule: what a session holds is bounded by the entries of both trees and by what changes, never by contents.

usage: memory.py PULL_ONCE SERVE_ONCE

The peak of the larger of the two processes, as the kernel counts it, for whole runs; no time is measured. Exit 1 when
a bound is broken.
"""
import os
import sys
import tempfile

FIXED = 20 << 20  # code, libraries, channel, compression, and contents that are held while they are few
PER_ENTRY = 200  # of either tree, on the side that holds it
PER_CHANGE = 1300  # its place in the plan, the staging, the journal and the kept generation
RUN_LIMIT_S = 300


def pull(programs, source, copy):
    """Bytes at the peak. The server is the client's child, so that its peak is counted, too."""
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    command = ["timeout", "--kill-after=5", str(RUN_LIMIT_S), *programs, source, copy]
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=quiet)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"memory.py: {' '.join(command)}: status {status}")
    return usage.ru_maxrss * 1024


def fill(root, files, size):
    for at in range(files):
        if at % 100 == 0:
            os.mkdir(f"{root}/directory-{at // 100:04}")
        with open(f"{root}/directory-{at // 100:04}/file-{at % 100:02}", "wb", buffering=0) as file:
            if size:
                file.write(at.to_bytes(4, "little") * (size // 4))


def check(name, peak, entries, changes):
    bound = FIXED + PER_ENTRY * entries + PER_CHANGE * changes
    print(f"{name:<44}{peak / 2**20:>8.1f} MiB of {bound / 2**20:.1f}", flush=True)
    return peak <= bound


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    programs = [os.path.abspath(path) for path in sys.argv[1:]]
    met = True
    with tempfile.TemporaryDirectory(prefix="xroad-sync-memory.") as work:
        trees = {name: f"{work}/{name}" for name in ("small", "small copy", "large", "large copy", "many", "many copy")}
        for path in trees.values():
            os.mkdir(path)

        files, entries = 20_000, 20_201
        fill(trees["small"], files, 4096)
        peak = pull(programs, trees["small"], trees["small copy"])
        met &= check("80 MB in files of 4 KiB, first copy", peak, entries, entries)

        with open(f"{trees['large']}/file", "wb") as file:
            for at in range(256):
                file.write(at.to_bytes(4, "little") * (1 << 18))
        met &= check("256 MiB in one file, first copy", pull(programs, trees["large"], trees["large copy"]), 2, 2)

        files, entries = 100_000, 101_001
        fill(trees["many"], files, 0)
        peak = pull(programs, trees["many"], trees["many copy"])
        met &= check("100,000 empty files, first copy", peak, entries, entries)
        peak = pull(programs, trees["many"], trees["many copy"])
        met &= check("100,000 files, no change", peak, entries, 0)
        for at in range(0, 100_000, 1000):
            with open(f"{trees['many']}/directory-{at // 100:04}/file-00", "wb") as file:
                file.write(b"changed")
        peak = pull(programs, trees["many"], trees["many copy"])
        met &= check("100,000 files, 100 changed", peak, 2 * entries, 100)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())

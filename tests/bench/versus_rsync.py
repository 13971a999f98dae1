#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A whole run beside rsync's, each over pipes to a server of its own on this machine. README.md explains the numbers.

usage: versus_rsync.py [--runs N] [--only WORD] [--large] [--check] BUILD_DIRECTORY

Everything happens in a temporary directory of its own (TMPDIR says where). Exits 77 where rsync is missing.
--only: the scenarios whose name has the word. --large: also the file of 1 GiB.
--check: exit 1 when a goal of the project is missed.
"""
import argparse
import contextlib
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time

SKIPPED = 77
RUN_LIMIT_S = 300
OURS, RSYNC = "xroad-sync", "rsync"

TREE_FILES, TREE_SIZE, DIR_FILES = 100_000, 1024, 100
COPY_FILES, COPY_SIZE = 10_000, 4096
LARGE_SIZE, BLOCK = 1 << 30, 4096
CHANGED_SHARE = 0.01


def find_programs(build):
    """Where the build has put them: name -> path."""
    found = {}
    for name in ("pull_once", "serve_once"):
        places = [os.path.join(build, place, name) for place in ("tests", "")]
        found[name] = next((path for path in places if os.access(path, os.X_OK)), None)
        if found[name] is None:
            sys.exit(f"versus_rsync.py: no {name} in {build}: build it first")
    return found


# ---- one run of either


class Pair:
    """A source and one destination each for the two that are compared."""

    def __init__(self, work, programs, name):
        self.source = f"{work}/{name}"
        self.copies = {}
        self.rounds = 0
        self.log = f"{work}/stderr"
        self.shell = f"{work}/fakersh"
        self.programs = programs
        os.mkdir(self.source)
        self.fresh_copies()

    def command(self, who):
        if who == OURS:
            return [self.programs["pull_once"], self.programs["serve_once"], self.source, self.copies[OURS]]
        return ["rsync", "-a", "--delete", "--delay-updates", "-e", self.shell, f"host:{self.source}/",
                f"{self.copies[RSYNC]}/"]

    def run(self, who):
        """Milliseconds from start to exit, and the peak memory of its larger process on this side in MiB."""
        os.sync()  # nobody pays for what was written before
        actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                   (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                   (os.POSIX_SPAWN_OPEN, 2, self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)]
        command = self.command(who)
        start = time.perf_counter()
        pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
        status, usage = reap(pid)
        took = (time.perf_counter() - start) * 1e3
        if status != 0:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                sys.exit(f"versus_rsync.py: {' '.join(command)}: status {status}: {log.read()}")
        return took, usage.ru_maxrss / 1024

    def check_same(self, paths):
        for path in paths:
            with open(f"{self.source}/{path}", "rb") as file:
                expected = file.read()
            for who, copy in self.copies.items():
                with open(f"{copy}/{path}", "rb") as file:
                    if file.read() != expected:
                        sys.exit(f"versus_rsync.py: {who} has another {path} than the source")

    def fresh_copies(self):
        """New directories: ext4 looks at every inode that was freed within the last minute before it takes another."""
        self.rounds += 1
        self.copies = {who: f"{self.source}.{who}.{self.rounds}" for who in (OURS, RSYNC)}
        for path in self.copies.values():
            os.mkdir(path)


def reap(pid):
    """The exit status and the usage. A process that does not end, or that we shall not wait for, is killed."""
    signal.alarm(RUN_LIMIT_S)
    try:
        _, status, usage = os.wait4(pid, 0)
        return status, usage
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    finally:
        signal.alarm(0)


def write_shell(work):
    """What rsync takes for ssh: it forgets the host and becomes the rest."""
    with open(f"{work}/fakersh", "w", encoding="ascii") as file:
        file.write("#!/bin/sh\nshift\nexec \"$@\"\n")
    os.chmod(f"{work}/fakersh", 0o700)


# ---- trees


def tree_paths(files):
    return [f"d{at // DIR_FILES:04}/f{at % DIR_FILES:02}" for at in range(files)]


def fill_tree(root, files, size, seed):
    noise = random.Random(seed)
    for at, path in enumerate(tree_paths(files)):
        if at % DIR_FILES == 0:
            os.mkdir(f"{root}/{os.path.dirname(path)}")
        write_bytes(f"{root}/{path}", noise.randbytes(size))


def write_bytes(path, content):
    with open(path, "wb", buffering=0) as file:
        file.write(content)


def change_files(root, paths, size, noise):
    chosen = noise.sample(paths, int(len(paths) * CHANGED_SHARE))
    for path in chosen:
        write_bytes(f"{root}/{path}", noise.randbytes(size))
    return chosen


def change_blocks(path, noise):
    blocks = LARGE_SIZE // BLOCK
    with open(path, "r+b", buffering=0) as file:
        for block in noise.sample(range(blocks), int(blocks * CHANGED_SHARE)):
            file.seek(block * BLOCK)
            file.write(noise.randbytes(BLOCK))


# ---- the measurement


def measure(pair, runs, before):
    """A B, B A, A B, ...: who -> [(ms, MiB)]. `before` prepares each round and names what it changed."""
    seen = {OURS: [], RSYNC: []}
    for turn in range(runs):
        changed = before()
        for who in (OURS, RSYNC) if turn % 2 == 0 else (RSYNC, OURS):
            seen[who].append(pair.run(who))
        pair.check_same(changed)
    return seen


def report(name, seen, goal):
    """Prints one line; whether the goal is met."""
    ratio = statistics.median(ours[0] / theirs[0] for ours, theirs in zip(seen[OURS], seen[RSYNC]))
    ours, theirs = (statistics.median(run[0] for run in seen[who]) for who in (OURS, RSYNC))
    memory, their_memory = (max(run[1] for run in seen[who]) for who in (OURS, RSYNC))
    wanted = f"{goal:>6}" if goal else "     -"
    print(f"{name:<34}{ours:>10.0f}{theirs:>10.0f}{ratio:>8.2f}{wanted}{memory:>10.0f}{their_memory:>8.0f}", flush=True)
    return goal is None or ratio <= goal


def large_tree(work, programs, runs, wanted):
    scenarios = {name: goal for name, goal in (("100,000 x 1 KiB, no change", 0.6),
                                               ("100,000 x 1 KiB, 1 % changed", 0.6)) if wanted in name}
    if not scenarios:
        return True
    pair = Pair(work, programs, "tree")
    fill_tree(pair.source, TREE_FILES, TREE_SIZE, 1)
    report("100,000 x 1 KiB, first copy, once", measure(pair, 1, lambda: []), None)
    paths, noise, met = tree_paths(TREE_FILES), random.Random(2), True
    for name, goal in scenarios.items():
        before = (lambda: []) if "no change" in name else (
            lambda: change_files(pair.source, paths, TREE_SIZE, noise))
        met &= report(name, measure(pair, runs, before), goal)
    return met


def first_copy(work, programs, runs, wanted):
    name = "10,000 x 4 KiB, first copy"
    if wanted not in name:
        return True
    pair = Pair(work, programs, "copy")
    fill_tree(pair.source, COPY_FILES, COPY_SIZE, 3)
    paths = tree_paths(COPY_FILES)

    def before():
        pair.fresh_copies()
        return paths

    met = report(name, measure(pair, runs, before), 0.5)
    return met


def large_file(work, programs, runs, wanted):
    name = "1 GiB, 1 % of blocks edited"
    if wanted not in name:
        return
    pair = Pair(work, programs, "large")
    path, noise = f"{pair.source}/file", random.Random(4)
    with open(path, "wb") as file:
        for _ in range(LARGE_SIZE >> 20):
            file.write(noise.randbytes(1 << 20))
    report("1 GiB, first copy, once", measure(pair, 1, lambda: []), None)

    def before():
        change_blocks(path, noise)
        return ["file"]

    report(name, measure(pair, runs, before), None)


def run(programs, options):
    print(f"{'median ms from start to exit':<34}{'ours':>10}{'rsync':>10}{'ratio':>8}{'goal':>6}"
          f"{'MiB ours':>10}{'rsync':>8}", flush=True)
    with contextlib.ExitStack() as stack:
        work = stack.enter_context(tempfile.TemporaryDirectory(prefix="xroad-sync-versus."))
        write_shell(work)
        met = first_copy(work, programs, options.runs, options.only)
        met &= large_tree(work, programs, options.runs, options.only)
        if options.large:
            large_file(work, programs, min(options.runs, 3), options.only)
    return met


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", help="the build directory with pull_once and serve_once")
    parser.add_argument("--runs", type=int, default=5, help="rounds of each scenario")
    parser.add_argument("--only", default="", help="only scenarios with this in their name")
    parser.add_argument("--large", action="store_true", help="also one file of 1 GiB (needs 4 GiB of room)")
    parser.add_argument("--check", action="store_true", help="fail when a goal is missed")
    options = parser.parse_args()
    if shutil.which("rsync") is None:
        print("versus_rsync.py: skipped: needs rsync")
        return SKIPPED
    programs = find_programs(os.path.abspath(options.build))
    options.runs = max(1, options.runs)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit("versus_rsync.py: stopped by a signal"))
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"versus_rsync.py: a run did not end within {RUN_LIMIT_S} s"))
    met = run(programs, options)
    return 0 if met or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A whole sync of an X-Road tree beside the cluster guide's rsync command, over ssh and several round trip times.

usage: pull.py [--runs N] [--rtt MS]... [--check] [--ours COMMAND] [--server COMMAND] BUILD_DIRECTORY

Like login.py it needs root and works in a network namespace of its own; it needs rsync and openssl as well, and exits
77 where something is missing. README.md explains the numbers. --check: exit 1 when a goal of the project is missed.
What is measured is xroad-sync and xroad-sync-server, with the configuration files {work}/sync.ini and {work}/server.ini.
--ours is another client's command: it syncs {source} to {destination}, both without a slash at their ends, from {account}
through {ssh}, an ssh command line with port, key and known hosts. --server is what sshd runs for its key. {build} and
{work} can be used in both.
"""
import argparse
import contextlib
import os
import random
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile

import bed
import guide

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts"))
import xroad_tree  # noqa: E402

# The client that is measured, named here and nowhere else.
OURS_COMMAND = "{build}/cli/xroad-sync --config {work}/sync.ini"
SERVER_COMMAND = "{build}/cli/xroad-sync-server --config {work}/server.ini"
# As on a node, but that everything stands in {work}.
SYNC_INI = """[primary]
host = 127.0.0.1
port = {port}
user = root
path = {source}
identity = {work}/id_forced
known-hosts = {work}/known_hosts
[sync]
destination = {destination}
[guard]
node-ini = {destination}/conf.d/node.ini
[pause]
flag = {work}/flag
state = {work}/paused
[status]
file = {work}/status.json
[log]
file = {work}/sync.log
[wake]
hooks = {work}/hooks.d
"""
SERVER_INI = """[root etc]
path = {source}
preset = xroad
node-ini = {source}/conf.d/node.ini
restore-marker = {work}/restore_in_progress
"""

OURS, RSYNC = "ours", "rsync"
PORTS = {OURS: 22, RSYNC: 2222}  # free in a namespace of our own; one each, so that each can be counted
IDLE, ONE_KEY = "no change", "one key added"
GOALS = {IDLE: {0: 0.20, 20: 0.45, 100: 0.55}, ONE_KEY: {0: 0.25, 20: 0.45, 100: 0.55}}
GOAL_BYTES, GOAL_CPU = 0.5, 0.8
ACCOUNT = "root@127.0.0.1"
PIN = "1234"


class Contest:
    """A primary with an sshd for each of the two, and a secondary for each."""

    def __init__(self, work, build, options, stack):
        self.work, self.noise = work, random.Random(1)
        self.source, self.log = f"{work}/primary", f"{work}/stderr"
        xroad_tree.make(self.source, PIN, self.noise, xroad_tree.LARGE_KEYS, large=True)
        self.copies = {who: f"{work}/{who}" for who in PORTS}
        bed.make_keys(work, "host_key", "id", "id_forced")
        bed.know_hosts(work, *PORTS.values())
        values = {"build": build, "work": work, "account": ACCOUNT, "source": self.source, "destination": self.copies[OURS]}
        for name, text in (("sync.ini", SYNC_INI), ("server.ini", SERVER_INI)):
            with open(f"{work}/{name}", "w", encoding="utf-8") as file:
                file.write(text.format(port=PORTS[OURS], **values))
        server = options.server.format(**{name: shlex.quote(value) for name, value in values.items()})
        authorized = {OURS: f"restrict,command=\"{server}\" {bed.public_key(work, 'id_forced')}",
                      RSYNC: bed.public_key(work, "id")}
        self.sshds = {}
        for who, port in PORTS.items():
            self.sshds[who] = bed.Sshd(work, port, authorized[who])
            stack.callback(self.sshds[who].stop)
            xroad_tree.make_directory(self.copies[who])
            xroad_tree.write_own(self.copies[who], "slave", self.noise)
        values["ssh"] = f"ssh -p {PORTS[OURS]} -i {work}/id_forced -o UserKnownHostsFile={work}/known_hosts"
        shell = (f"ssh -F none -o BatchMode=yes -o UserKnownHostsFile={work}/known_hosts -i {work}/id -p {PORTS[RSYNC]} "
                 "-o ConnectTimeout=5 ")
        for words in (shlex.split(options.ours), shlex.split(server)):
            if shutil.which(program := words[0].format(**values)) is None:
                sys.exit(f"pull.py: no program {program}: build it first")
        self.commands = {
            OURS: [word.format(**values) for word in shlex.split(options.ours)],
            RSYNC: guide.rsync(shell, f"{work}/rsync.log", f"{ACCOUNT}:{self.source}/", self.copies[RSYNC] + "/"),
        }

    def run(self, who):
        """How long it took, and the CPU time of a server program that has outlived its sshd, both in ms."""
        self.sshds[who].await_idle()
        took = bed.milliseconds(self.commands[who], self.log)
        self.sshds[who].await_idle()
        return took, bed.reap_orphans()

    def prepare(self, scenario):
        if scenario == ONE_KEY:
            xroad_tree.add_keys(self.source, PIN, 1, self.noise)

    def check_same(self):
        """By rsync, which changes nothing here: contents of all that travels."""
        options = [option for option in guide.OPTIONS if option not in ("-aqz", "--delay-updates")]
        for who, copy in self.copies.items():
            done = subprocess.run(["rsync", "-rlpcni", *options, "--exclude=/xroad.properties", "--exclude=/.xroad-sync",
                                   f"{self.source}/", f"{copy}/"], capture_output=True, text=True, check=True)
            if done.stdout.strip():
                sys.exit(f"pull.py: {who} has another tree than the source: {done.stdout}")

    def cpu(self):
        return {who: self.sshds[who].cpu_ms() for who in PORTS}

    def measure(self, scenario, runs, noise):
        """A B, B A, A B, ...: who -> its times, bytes a run and the primary's CPU time a run."""
        times = {who: [] for who in PORTS}
        moved = {who: [] for who in PORTS}
        outlived = {who: 0 for who in PORTS}
        cpu = self.cpu()
        for turn in range(runs):
            self.prepare(scenario)
            noise.append(bed.await_quiet())
            for who in (OURS, RSYNC) if turn % 2 == 0 else (RSYNC, OURS):
                before = bed.traffic(PORTS[who])
                took, more = self.run(who)
                times[who].append(took)
                outlived[who] += more
                moved[who].append(bed.traffic(PORTS[who]) - before)
        later = self.cpu()
        self.check_same()
        return {who: {"ms": times[who], "bytes": statistics.median(moved[who]),
                      "cpu": (later[who] - cpu[who] + outlived[who]) / runs} for who in PORTS}


def share(seen):
    return statistics.median(ours / theirs for ours, theirs in zip(seen[OURS]["ms"], seen[RSYNC]["ms"]))


class Report:
    def __init__(self):
        self.met = True
        print(f"{'median of a run':<26}{'ours':>10}{'rsync':>10}{'ratio':>8}{'goal':>7}", flush=True)

    def line(self, name, ours, theirs, ratio, goal):
        missed = goal is not None and ratio > goal
        self.met &= not missed
        print(f"{name:<26}{ours:>10.0f}{theirs:>10.0f}{ratio:>8.2f}{goal if goal is not None else '-':>7}"
              + ("  MISSED" if missed else ""), flush=True)

    def scenario(self, name, rtt, seen):
        ours, theirs = seen[OURS], seen[RSYNC]
        where = f"RTT {rtt}, {name}"
        print(where)
        self.line("  ms", statistics.median(ours["ms"]), statistics.median(theirs["ms"]), share(seen), GOALS[name].get(rtt))
        self.line("  bytes on the wire", ours["bytes"], theirs["bytes"], ours["bytes"] / theirs["bytes"],
                  GOAL_BYTES if name == IDLE else None)
        self.line("  ms of primary's CPU", ours["cpu"], theirs["cpu"], ours["cpu"] / max(theirs["cpu"], 1e-3),
                  GOAL_CPU if rtt == 0 else None)


def run(programs, build, options):
    noise = []
    with contextlib.ExitStack() as stack:
        work = stack.enter_context(tempfile.TemporaryDirectory(prefix="xroad-sync-pull-bench."))
        contest = Contest(work, build, options, stack)
        for who in PORTS:  # the first copy, and one to warm the caches
            contest.run(who)
            contest.run(who)
        contest.check_same()
        report = Report()
        for rtt in options.rtt or (0, 20, 100):
            with bed.delayed(programs["nfqdelay"], rtt, PORTS.values()):
                for scenario in (IDLE, ONE_KEY):
                    # Where a round is short, more of them: the CPU's clock has steps of 10 ms.
                    seen = contest.measure(scenario, options.runs * (3 if rtt == 0 else 1), noise)
                    report.scenario(scenario, rtt, seen)
    print(f"CPUs busy with other work before a round: {statistics.median(noise):.0%} (median), {max(noise):.0%} (most)")
    return report.met


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", help="the build directory with the programs")
    parser.add_argument("--runs", type=int, default=5, help="rounds at each round trip time; three times as many at 0")
    parser.add_argument("--rtt", type=int, action="append", help="round trip times in ms (0 20 100)")
    parser.add_argument("--check", action="store_true", help="fail when a goal is missed")
    parser.add_argument("--ours", default=OURS_COMMAND, help="our client's command line")
    parser.add_argument("--server", default=SERVER_COMMAND, help="our server's")
    options = parser.parse_args()
    options.runs = max(1, options.runs)
    bed.check_tools("rsync", "openssl")
    build = os.path.abspath(options.build)
    programs = bed.find_programs(build, ("nfqdelay",))
    bed.enter_namespace()
    bed.adopt_orphans()
    os.umask(0o027)
    met = run(programs, build, options)
    return 0 if met or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())

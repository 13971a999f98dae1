#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a login costs beside OpenSSH's, over several round trip times. README.md explains the numbers.

usage: login.py [--runs N] [--check] BUILD_DIRECTORY

Needs root, iptables-legacy with NFQUEUE, unshare, ssh and sshd; exits 77 where one is missing. Everything happens in
a network namespace and a temporary directory of its own. --check: exit 1 when a goal of the project is missed.
"""
import argparse
import contextlib
import os
import statistics
import sys
import tempfile

import bed

RTTS = (0, 2, 20, 100)
FITTED = (2, 20, 100)
GOAL_RATIO = 0.25
GOAL_ROUND_TRIPS = 10.0
PORT = 22  # free in a namespace of our own

# What is timed, each from start to exit.
OPENSSH = "ssh HOST true"
OPENSSH_ALIKE = "ssh HOST true, our algorithms"
OURS = "login_bench"
PROBE = "xroad-sync probe"
PROBE_OPENSSH = "xroad-sync probe through ssh"
ASIDE = (OPENSSH_ALIKE, PROBE_OPENSSH)  # of interest, but no goal hangs on them: fewer runs
ASIDE_RUNS = 3
ALIKE = ("-o", "KexAlgorithms=curve25519-sha256", "-o", "HostKeyAlgorithms=ssh-ed25519",
         "-o", "Ciphers=aes256-gcm@openssh.com")


# ---- the measurement


def commands(programs, work):
    account = "root@127.0.0.1"
    known = f"UserKnownHostsFile={work}/known_hosts"
    forced = f"ssh -p {PORT} -i {work}/id_forced -o {known}"
    probe = [programs["xroad-sync"], "probe", "--bytes", "0", "-e"]
    plain = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", known, "-p", str(PORT), "-i", f"{work}/id"]
    return {
        OPENSSH: [*plain, account, "true"],
        OPENSSH_ALIKE: [*plain, *ALIKE, account, "true"],
        OURS: [programs["login_bench"], str(PORT), "root", f"{work}/id", f"{work}/known_hosts"],
        PROBE: [*probe, forced, account],
        PROBE_OPENSSH: [*probe, f"{forced} -F none -o BatchMode=yes", account],
    }


def measure(sshd, jobs, runs, log, noise):
    """Every command in every round, each round beginning with another one: name -> times in ms."""
    times = {name: [] for name in jobs}
    names = list(jobs)
    for turn in range(runs):
        noise.append(bed.await_quiet())
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            if name in ASIDE and turn >= ASIDE_RUNS:
                continue
            sshd.await_idle()
            times[name].append(bed.milliseconds(jobs[name], log))
    return times


def line_fit(points):
    """Least squares: (round trips, fixed ms)."""
    mean_x = statistics.mean(x for x, _ in points)
    mean_y = statistics.mean(y for _, y in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    return slope, mean_y - slope * mean_x


def fit(results, name):
    return line_fit([(rtt, statistics.median(results[rtt][name])) for rtt in FITTED])


def ratio(results, rtt, name):
    return statistics.median(ours / theirs for ours, theirs in zip(results[rtt][name], results[rtt][OPENSSH]))


def report(results, names, noise):
    print(f"{'ms from start to exit, median':<32}" + "".join(f"{f'RTT {rtt}':>10}" for rtt in RTTS)
          + "   round trips + fixed ms")
    for name in names:
        slope, fixed = fit(results, name)
        print(f"{name:<32}" + "".join(f"{statistics.median(results[rtt][name]):>10.1f}" for rtt in RTTS)
              + f"   {slope:>11.2f} + {fixed:.0f}")
    print(f"as a share of `{OPENSSH}`, run by run")
    for name in names:
        if name != OPENSSH:
            print(f"{name:<32}" + "".join(f"{ratio(results, rtt, name):>10.2f}" for rtt in RTTS))
    print(f"CPUs busy with other work before a round: {statistics.median(noise):.0%} (median), {max(noise):.0%} (most)")


def verdict(results):
    share, (slope, _) = ratio(results, 0, OURS), fit(results, OURS)
    print(f"share of OpenSSH's login at RTT 0: {share:.2f} (goal: at most {GOAL_RATIO})")
    print(f"round trips of a login: {slope:.2f} (goal: at most {GOAL_ROUND_TRIPS})")
    return share <= GOAL_RATIO and slope <= GOAL_ROUND_TRIPS


def run(programs, runs):
    results, noise = {}, []
    with contextlib.ExitStack() as stack:
        work = stack.enter_context(tempfile.TemporaryDirectory(prefix="xroad-sync-login-bench."))
        bed.make_keys(work, "host_key", "id", "id_forced")
        bed.know_hosts(work, PORT)
        forced = f"restrict,command=\"{programs['xroad-sync-server']}\" {bed.public_key(work, 'id_forced')}"
        sshd = bed.Sshd(work, PORT, bed.public_key(work, "id") + forced)
        stack.callback(sshd.stop)
        jobs = commands(programs, work)
        measure(sshd, jobs, 1, f"{work}/stderr", noise)  # warms the caches
        for rtt in RTTS:
            with bed.delayed(programs["nfqdelay"], rtt, [PORT]):
                results[rtt] = measure(sshd, jobs, runs, f"{work}/stderr", noise)
    report(results, list(jobs), noise)
    return verdict(results)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", help="the build directory with the programs")
    parser.add_argument("--runs", type=int, default=7, help="rounds at each round trip time")
    parser.add_argument("--check", action="store_true", help="fail when a goal is missed")
    options = parser.parse_args()
    bed.check_tools()
    programs = bed.find_programs(os.path.abspath(options.build),
                                 ("xroad-sync", "xroad-sync-server", "login_bench", "nfqdelay"))
    bed.enter_namespace()
    met = run(programs, max(1, options.runs))
    return 0 if met or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())

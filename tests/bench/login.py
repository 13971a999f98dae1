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
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

RTTS = (0, 2, 20, 100)
FITTED = (2, 20, 100)
GOAL_RATIO = 0.25
GOAL_ROUND_TRIPS = 10.0
PORT = 22  # free in a namespace of our own
QUEUE = 1
SKIPPED = 77
INSIDE = "XS_LOGIN_BENCH_INSIDE"
RUN_LIMIT_S = 30

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


def skip(reason):
    print(f"login.py: skipped: {reason}")
    sys.exit(SKIPPED)


def check_tools():
    if os.geteuid() != 0:
        skip("needs root, for a network namespace and NFQUEUE")
    for tool in ("unshare", "ip", "iptables-legacy", "ssh", "ssh-keygen", "/usr/sbin/sshd"):
        if shutil.which(tool) is None:
            skip(f"needs {tool}")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
        skip("no network namespace can be made here")


def find_programs(build):
    """Where the build has put them: name -> path."""
    found = {}
    for name in ("xroad-sync", "xroad-sync-server", "login_bench", "nfqdelay"):
        places = [os.path.join(build, place, name) for place in ("cli", "tests", "tests/bench", "")]
        found[name] = next((path for path in places if os.access(path, os.X_OK)), None)
        if found[name] is None:
            sys.exit(f"login.py: no {name} in {build}: build it first")
    return found


# ---- the way: a private network whose packets take their time


def prepare_network():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # Whatever this machine uses, and nothing that one connection has learnt is passed on to the next.
    for name, value in (("tcp_congestion_control", "reno"), ("tcp_no_metrics_save", "1")):
        with open(f"/proc/sys/net/ipv4/{name}", "w", encoding="ascii") as file:
            file.write(value)


def iptables(*arguments):
    done = subprocess.run(["iptables-legacy", "-w", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        skip(f"iptables-legacy {' '.join(arguments)}: {done.stderr.strip()}")


@contextlib.contextmanager
def delayed(program, rtt):
    """Within it, each packet to or from PORT takes half of `rtt` ms. At 0 nothing stands in the way."""
    subprocess.run(["ip", "link", "set", "lo", "mtu", "1500" if rtt else "65536"], check=True)
    if not rtt:
        yield
        return
    for direction in ("--dport", "--sport"):
        iptables("-A", "INPUT", "-p", "tcp", direction, str(PORT), "-j", "NFQUEUE", "--queue-num", str(QUEUE))
    delay = subprocess.Popen([program, str(QUEUE), str(rtt / 2)], stdout=subprocess.PIPE, text=True)
    try:
        if delay.stdout.readline() != "ready\n":
            skip("nfqdelay cannot bind its queue")
        with contextlib.suppress(PermissionError):  # the way must not get longer under load
            os.sched_setscheduler(delay.pid, os.SCHED_FIFO, os.sched_param(1))
        yield
    finally:
        iptables("-F", "INPUT")
        delay.terminate()
        delay.wait()


# ---- the server: an sshd with keys of its own


def make_keys(work, server_program):
    for name in ("host_key", "id", "id_forced"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", f"{work}/{name}"], check=True)
    public = {}
    for name in ("host_key", "id", "id_forced"):
        with open(f"{work}/{name}.pub", encoding="ascii") as file:
            public[name] = file.read()
    with open(f"{work}/authorized_keys", "w", encoding="ascii") as file:
        file.write(f"{public['id']}restrict,command=\"{server_program}\" {public['id_forced']}")
    host = "127.0.0.1" if PORT == 22 else f"[127.0.0.1]:{PORT}"
    with open(f"{work}/known_hosts", "w", encoding="ascii") as file:
        file.write(f"{host} {public['host_key']}")


def write_config(work):
    # SHLVL: Debian's bash reads ~/.bashrc for sshd unless it believes to be nested.
    lines = (f"ListenAddress 127.0.0.1:{PORT}", f"HostKey {work}/host_key",
             f"AuthorizedKeysFile {work}/authorized_keys", "PidFile none", "UsePAM no", "StrictModes no",
             "PermitRootLogin yes", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PrintMotd no",
             "PrintLastLog no", "UseDNS no", "MaxStartups 200", "SetEnv SHLVL=1")
    with open(f"{work}/sshd_config", "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


class Sshd:
    def __init__(self, work, server_program):
        make_keys(work, server_program)
        write_config(work)
        os.makedirs("/run/sshd", exist_ok=True)  # sshd insists
        self.log = f"{work}/sshd.log"
        command = ["/usr/sbin/sshd", "-D", "-e", "-f", f"{work}/sshd_config"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
        self.await_answer()

    def await_answer(self):
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", PORT), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    with open(self.log, encoding="utf-8", errors="replace") as log:
                        sys.exit(f"login.py: sshd does not answer: {log.read()}")
                time.sleep(0.01)

    def await_idle(self):
        """The last run's processes would still use the CPU while the next one is timed."""
        deadline = time.monotonic() + 2
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        while time.monotonic() < deadline:
            with open(path, encoding="ascii") as file:
                if not file.read().strip():
                    return
            time.sleep(0.002)

    def stop(self):
        self.process.terminate()
        self.process.wait()


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


def reap(pid):
    """The exit status. A process that does not end, or that we shall not wait for, is killed."""
    signal.alarm(RUN_LIMIT_S)
    try:
        return os.waitpid(pid, 0)[1]
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    finally:
        signal.alarm(0)


def milliseconds(command, log):
    """The whole life of a process, from just before it is started until it is reaped."""
    environment = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
               (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
               (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)]
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, environment, file_actions=actions)
    status = reap(pid)
    took = (time.perf_counter() - start) * 1e3
    if status != 0:
        with open(log, encoding="utf-8", errors="replace") as file:
            sys.exit(f"login.py: {' '.join(command)}: {file.read()}")
    return took


def busy_share(seconds=0.05):
    def ticks():
        with open("/proc/stat", encoding="ascii") as file:
            values = [int(word) for word in file.readline().split()[1:9]]
        return sum(values), values[3] + values[4]
    total, idle = ticks()
    time.sleep(seconds)
    later, later_idle = ticks()
    return 1 - (later_idle - idle) / max(1, later - total)


def await_quiet(limit=0.25):
    """Waits a little for a free core; the share of the CPUs that others use."""
    deadline = time.monotonic() + limit
    while True:
        share = busy_share()
        if share < 0.4 or time.monotonic() > deadline:
            return share


def measure(sshd, jobs, runs, log, noise):
    """Every command in every round, each round beginning with another one: name -> times in ms."""
    times = {name: [] for name in jobs}
    names = list(jobs)
    for turn in range(runs):
        noise.append(await_quiet())
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            if name in ASIDE and turn >= ASIDE_RUNS:
                continue
            sshd.await_idle()
            times[name].append(milliseconds(jobs[name], log))
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
        sshd = Sshd(work, programs["xroad-sync-server"])
        stack.callback(sshd.stop)
        jobs = commands(programs, work)
        measure(sshd, jobs, 1, f"{work}/stderr", noise)  # warms the caches
        for rtt in RTTS:
            with delayed(programs["nfqdelay"], rtt):
                results[rtt] = measure(sshd, jobs, runs, f"{work}/stderr", noise)
    report(results, list(jobs), noise)
    return verdict(results)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", help="the build directory with the programs")
    parser.add_argument("--runs", type=int, default=7, help="rounds at each round trip time")
    parser.add_argument("--check", action="store_true", help="fail when a goal is missed")
    options = parser.parse_args()
    check_tools()
    programs = find_programs(os.path.abspath(options.build))
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), *sys.argv[1:]])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit("login.py: stopped by a signal"))
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"login.py: a run did not end within {RUN_LIMIT_S} s"))
    prepare_network()
    met = run(programs, max(1, options.runs))
    return 0 if met or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())

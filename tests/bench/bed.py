# SPDX-License-Identifier: MIT
"""The bed that the benchmarks over a network lie in: a network namespace whose packets take their time, sshds with keys
of their own, and processes timed from start to exit. It needs root, iptables-legacy with NFQUEUE, unshare, ssh and sshd.
"""
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

QUEUE = 1
SKIPPED = 77
INSIDE = "XS_BENCH_INSIDE"
RUN_LIMIT_S = 30
KEPT = set()  # processes of ours that are no orphans
NAME = os.path.basename(sys.argv[0])


def skip(reason):
    print(f"{NAME}: skipped: {reason}")
    sys.exit(SKIPPED)


def check_tools(*others):
    if os.geteuid() != 0:
        skip("needs root, for a network namespace and NFQUEUE")
    for tool in ("unshare", "ip", "iptables-legacy", "ssh", "ssh-keygen", "/usr/sbin/sshd", *others):
        if shutil.which(tool) is None:
            skip(f"needs {tool}")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
        skip("no network namespace can be made here")


def find_programs(build, names):
    """Where the build has put them: name -> path."""
    found = {}
    for name in names:
        places = [os.path.join(build, place, name) for place in ("cli", "tests", "tests/bench", "")]
        found[name] = next((path for path in places if os.access(path, os.X_OK)), None)
        if found[name] is None:
            sys.exit(f"{NAME}: no {name} in {build}: build it first")
    return found


def enter_namespace():
    """The script begins anew inside; there its network is made ready and signals end it in order."""
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(f"{NAME}: stopped by a signal"))
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"{NAME}: a run did not end within {RUN_LIMIT_S} s"))
    prepare_network()


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
    return done.stdout


@contextlib.contextmanager
def delayed(program, rtt, ports):
    """Within it, each packet to or from the ports takes half of `rtt` ms, and is counted. At 0 nothing stands in the way."""
    subprocess.run(["ip", "link", "set", "lo", "mtu", "1500" if rtt else "65536"], check=True)
    target = ("-j", "NFQUEUE", "--queue-num", str(QUEUE)) if rtt else ("-j", "ACCEPT")
    for port in ports:
        for direction in ("--dport", "--sport"):
            iptables("-A", "INPUT", "-p", "tcp", direction, str(port), *target)
    delay = None
    try:
        if rtt:
            delay = subprocess.Popen([program, str(QUEUE), str(rtt / 2)], stdout=subprocess.PIPE, text=True)
            KEPT.add(delay.pid)
            if delay.stdout.readline() != "ready\n":
                skip("nfqdelay cannot bind its queue")
            with contextlib.suppress(PermissionError):  # the way must not get longer under load
                os.sched_setscheduler(delay.pid, os.SCHED_FIFO, os.sched_param(1))
        yield
    finally:
        iptables("-F", "INPUT")
        if delay:
            delay.terminate()
            delay.wait()


def traffic(port):
    """Bytes that have passed to and from the port, headers of TCP and IP included; only within delayed()."""
    rules = [line.split() for line in iptables("-nvxL", "INPUT").splitlines()]
    return sum(int(rule[1]) for rule in rules if any(f"{way}:{port}" in rule for way in ("dpt", "spt")))


# ---- the servers: sshds with keys of their own


def make_keys(work, *names):
    for name in names:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", f"{work}/{name}"], check=True)


def public_key(work, name):
    with open(f"{work}/{name}.pub", encoding="ascii") as file:
        return file.read()


def know_hosts(work, *ports):
    """`known_hosts`: every sshd has the host key `host_key`."""
    with open(f"{work}/known_hosts", "w", encoding="ascii") as file:
        for port in ports:
            host = "127.0.0.1" if port == 22 else f"[127.0.0.1]:{port}"
            file.write(f"{host} {public_key(work, 'host_key')}")


class Sshd:
    """Serves root with the keys of `authorized`, lines of an authorized_keys."""

    def __init__(self, work, port, authorized):
        self.port = port
        self.log = f"{work}/sshd.{port}.log"
        with open(f"{work}/authorized_keys.{port}", "w", encoding="ascii") as file:
            file.write(authorized)
        # SHLVL: Debian's bash reads ~/.bashrc for sshd unless it believes to be nested.
        lines = (f"ListenAddress 127.0.0.1:{port}", f"HostKey {work}/host_key",
                 f"AuthorizedKeysFile {work}/authorized_keys.{port}", "PidFile none", "UsePAM no", "StrictModes no",
                 "PermitRootLogin yes", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PrintMotd no",
                 "PrintLastLog no", "UseDNS no", "MaxStartups 200", "SetEnv SHLVL=1")
        with open(f"{work}/sshd_config.{port}", "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)  # root's sshd insists
        command = ["/usr/sbin/sshd", "-D", "-e", "-f", f"{work}/sshd_config.{port}"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
        KEPT.add(self.process.pid)
        self.await_answer()

    def await_answer(self):
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    with open(self.log, encoding="utf-8", errors="replace") as log:
                        sys.exit(f"{NAME}: sshd does not answer: {log.read()}")
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

    def cpu_ms(self):
        """What all its processes that have ended have used, the programs that they started included. Steps of 10 ms."""
        self.await_idle()
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return sum(int(field) for field in fields[11:15]) * 1e3 / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        self.process.wait()


# ---- programs that outlive the sshd that has started them

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """From now on they become ours when that sshd ends."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        skip("cannot adopt orphans")


def reap_orphans():
    """Waits for their ends; the CPU time that they have used, in ms."""
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        children = {int(word) for word in file.read().split()}
    used = 0
    for pid in children - KEPT:
        usage = os.wait4(pid, 0)[2]
        used += (usage.ru_utime + usage.ru_stime) * 1e3
    return used


# ---- the measurement


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
            sys.exit(f"{NAME}: {' '.join(command)}: {file.read()}")
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

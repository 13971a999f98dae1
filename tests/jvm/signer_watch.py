#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A JVM watches signer/ on a secondary as X-Road's signer does, while random changes of the primary's keys arrive.

usage: signer_watch.py [--changes N] [--idle N] [--seed N] XROAD_SYNC XROAD_SYNC_SERVER

Every change (keys added, a key deleted, a new PIN; keyconf.xml at once, or, as on a real primary, one sync later; a sync
between the two renames of a change of the PIN) and every idle run (nothing happened, or the primary has saved an
unchanged keyconf.xml, as it does every minute) goes through our programs, over an sshd of its own with a forced command,
and, where there is one, through rsync with the guide's options, to a secondary and a JVM of its own each. Asserted for
us, printed for rsync:
  - no event finds a file missing, unreadable, not to be opened or older than the source's, unless the source lacks it;
  - exactly one event for a change, also when it is one of key files alone, and none for an idle run;
  - in the middle of a change of the PIN the run ends with 24, and neither tree nor signer notices;
  - the watch stays valid, and still sees at the end.
XS_LONG=yes makes it 500 changes and 500 idle runs instead of 30. Exits 77, with a sentence, where there is no JDK.
"""
import argparse
import collections
import getpass
import hashlib
import json
import os
import random
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../../scripts"), os.path.join(HERE, "../bench")]
import bed  # noqa: E402
import guide  # noqa: E402
import xroad_tree  # noqa: E402

SKIPPED = 77
ANSWER_LIMIT_S = 60
SYNC_LIMIT_S = 120
MOST_KEYS, FEWEST_KEYS = 9, 2
MINUTE = 60
OURS, MOST_TOLD = "ours", 20
IN_FLIGHT = 24  # our exit code while the source is not to be taken


def md5(path):
    try:
        with open(path, "rb") as file:
            return hashlib.md5(file.read()).hexdigest()
    except FileNotFoundError:
        return "missing"


class Watcher:
    """A JVM with its eyes on one secondary."""

    def __init__(self, classes, signer, marks):
        os.mkdir(marks)
        self.marks, self.count, self.pending = marks, 0, b""
        command = ["java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classes, "SignerWatch", signer, marks]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.line("ready")

    def line(self, wanted):
        """The lines up to the one that has `wanted`, without it."""
        lines, deadline = [], time.monotonic() + ANSWER_LIMIT_S
        while True:
            while b"\n" not in self.pending:
                ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
                got = os.read(self.process.stdout.fileno(), 65536) if ready else b""
                if not got:
                    sys.exit("signer_watch.py: the JVM " + ("has ended" if ready else f"is silent for {ANSWER_LIMIT_S} s"))
                self.pending += got
            line, self.pending = self.pending.split(b"\n", 1)
            lines.append(json.loads(line))
            if wanted in lines[-1]:
                return lines[:-1]

    def pin(self, pin):
        """The PIN for files that arrive from now on. No event may be under way."""
        self.process.stdin.write(f"pin {pin}\n".encode())
        if early := self.line("pin"):
            sys.exit(f"signer_watch.py: events outside of a sync: {early}")

    def events(self):
        """Everything that happened since the last call."""
        self.count += 1
        with open(f"{self.marks}/{self.count}", "xb"):
            pass
        found = self.line("mark")
        os.unlink(f"{self.marks}/{self.count}")
        return found

    def stop(self):
        self.process.stdin.close()
        self.process.wait(ANSWER_LIMIT_S)


class Secondary:
    """One client's destination, its watcher, and what was wrong there."""

    def __init__(self, name, command, work, classes):
        self.name, self.command = name, command
        self.root = f"{work}/{name}"
        self.log = f"{work}/{name}.out"
        self.wrong = collections.Counter()
        self.heard = collections.Counter()
        xroad_tree.make_directory(self.root)
        xroad_tree.write_own(self.root, "slave", random.Random(0))
        self.sync()
        self.watcher = Watcher(classes, f"{self.root}/signer", f"{work}/{name}.marks")

    def sync(self, wanted=0):
        with open(self.log, "wb") as log:
            done = subprocess.run(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=SYNC_LIMIT_S, check=False)
        if done.returncode != (wanted if self.name == OURS else 0):
            with open(self.log, encoding="utf-8", errors="replace") as log:
                sys.exit(f"signer_watch.py: {self.command}: status {done.returncode}, not {wanted}: {log.read()}")
        if not os.path.isdir(f"{self.root}/signer/softtoken"):
            self.note("softtoken/ deleted", "in the middle of a change of the PIN")

    def note(self, kind, where):
        self.wrong[kind] += 1
        if self.name == OURS and self.wrong.total() <= MOST_TOLD:
            print(f"  {where}: {kind}", flush=True)

    def judge(self, source, due, where):
        """What the signer saw of one sync, beside what the source has."""
        seen = 0
        for event in self.watcher.events():
            if "event" not in event:
                self.note("watch invalid or overrun", where)
                continue
            seen += event["count"]
            if event["conf"] != md5(f"{source}/signer/keyconf.xml"):
                self.note(f"keyconf.xml {event['conf'] if len(event['conf']) < 32 else 'stale'}", where)
            for name, state in event["files"].items():
                if state != (had := md5(f"{source}/signer/softtoken/{name}")):
                    kind = state if len(state) < 32 else "older than the source's"
                    self.note(f"key file {kind}", f"{where} {event['event']} {name} (source: {had})")
        if seen != due:
            self.note("too many events" if seen > due else "too few events", f"{where}: {seen} events where {due} were due")
        return seen


class Primary:
    def __init__(self, root, noise):
        self.root, self.noise, self.pin = root, noise, "1234"
        self.began = int(time.time()) - 1
        self.clock = self.began - MINUTE * 100_000
        xroad_tree.make(root, self.pin, noise, 4)
        self.a_minute_later()

    def a_minute_later(self):
        """What was written now was written a minute after the last step: rsync compares times by the second."""
        self.clock += MINUTE
        for path, _, names in os.walk(f"{self.root}/signer"):
            for name in names:
                if os.stat(f"{path}/{name}").st_mtime > self.began:
                    os.utime(f"{path}/{name}", (self.clock, self.clock))

    def save(self):
        xroad_tree.save(self.root)
        self.a_minute_later()

    def add(self):
        room = MOST_KEYS - len(xroad_tree.key_ids(self.root))
        count = self.noise.randint(1, min(3, room))
        if self.noise.random() < 0.3:
            _, blocks = xroad_tree.add_keys(self.root, self.pin, count, self.noise, saved=False)
            yield f"{count} key files", 0
            xroad_tree.save(self.root, blocks)
            yield f"keyconf.xml with {count} keys more", 0
        else:
            xroad_tree.add_keys(self.root, self.pin, count, self.noise)
            yield f"{count} keys added", 0

    def delete(self):
        key_id = self.noise.choice(xroad_tree.key_ids(self.root))
        if self.noise.random() < 0.3:
            blocks = xroad_tree.delete_key(self.root, key_id, saved=False)
            yield "a key file deleted", 0
            xroad_tree.save(self.root, blocks)
            yield "keyconf.xml without it", 0
        else:
            xroad_tree.delete_key(self.root, key_id)
            yield "a key deleted", 0

    def change_pin(self):
        new = str(self.noise.randrange(10_000, 99_999))
        xroad_tree.begin_pin_change(self.root, self.pin, new)
        if self.noise.random() < 0.5:
            yield "the middle of a new PIN", IN_FLIGHT
        xroad_tree.finish_pin_change(self.root)
        self.pin = new
        if self.noise.random() < 0.7:  # the next save is rarely more than a minute away
            xroad_tree.save(self.root)
        yield "a new PIN", 0

    def change(self):
        """Yields after each step that is to be synced: what was done, and our exit code."""
        count = len(xroad_tree.key_ids(self.root))
        kinds = [self.change_pin] + [self.add] * 2 * (count < MOST_KEYS) + [self.delete] * 2 * (count > FEWEST_KEYS)
        for step in self.noise.choice(kinds)():
            self.a_minute_later()
            yield step


def run_changes(primary, secondaries, wanted):
    """How many syncs there were, and how many of them were to be heard of."""
    done = due = 0
    while done < wanted:
        for what, code in primary.change():
            done += 1
            wanted_events = 0 if code == IN_FLIGHT else 1
            due += wanted_events
            for secondary in secondaries:
                secondary.watcher.pin(primary.pin)
                secondary.sync(code)
                secondary.heard["change"] += secondary.judge(primary.root, wanted_events, f"change {done}, {what}")
    return done, due


def run_idle(primary, secondaries, wanted):
    for at in range(wanted):
        saved = primary.noise.random() < 0.5
        if saved:
            primary.save()
        for secondary in secondaries:
            secondary.sync()
            where = f"idle run {at + 1}" + (", keyconf.xml saved unchanged" if saved else "")
            secondary.heard["idle"] += secondary.judge(primary.root, 0, where)


def still_sees(primary, secondary):
    os.utime(f"{secondary.root}/signer/keyconf.xml")
    secondary.judge(primary.root, 1, "touched by hand at the end")


def compile_watcher(classes):
    os.mkdir(classes)
    subprocess.run(["javac", "-Xlint:all", "-Werror", "-d", classes, f"{HERE}/SignerWatch.java"], check=True)


def report(secondary, steps, due, idle):
    print(f"{secondary.name}: {steps} syncs with a change, {due} of them due to be heard of: {secondary.heard['change']} events; "
          f"{idle} syncs without one: {secondary.heard['idle']} events; "
          + (", ".join(f"{count} x {kind}" for kind, count in sorted(secondary.wrong.items())) or "nothing wrong"))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def start_sshd(options, work, source):
    """An sshd whose only key may do nothing but serve `source`."""
    bed.make_keys(work, "host_key", "id")
    xroad_tree.write(f"{work}/server.ini", f"[root]\npath = {source}\npreset = xroad\n", 0o600)
    allowed = f'restrict,command="{options.server} --config {work}/server.ini" {bed.public_key(work, "id")}'
    sshd = bed.Sshd(work, free_port(), allowed)
    bed.know_hosts(work, sshd.port)
    return sshd


def our_command(options, work, port, source):
    state = f"{work}/{OURS}.state"
    xroad_tree.make_directory(state)
    xroad_tree.write(f"{state}/sync.ini", f"""[primary]
host = 127.0.0.1
port = {port}
user = {getpass.getuser()}
path = {source}
identity = {work}/id
known-hosts = {work}/known_hosts
[sync]
destination = {work}/{OURS}
[pause]
flag = {state}/flag
state = {state}/paused
[status]
file = {state}/status.json
[log]
file = {state}/sync.log
journal = no
[wake]
hooks = {state}/hooks.d
""", 0o600)
    return [options.client, "--config", f"{state}/sync.ini"]


def run(options, work):
    classes = f"{work}/classes"
    compile_watcher(classes)
    primary = Primary(f"{work}/primary", random.Random(options.seed))
    sshd = start_sshd(options, work, primary.root)
    secondaries = []
    try:
        ours = Secondary(OURS, our_command(options, work, sshd.port, primary.root), work, classes)
        secondaries.append(ours)
        if shutil.which("rsync"):
            shell = f"{work}/shell"
            xroad_tree.write(shell, "#!/bin/sh\nshift\nexec \"$@\"\n", 0o700)
            command = guide.rsync(shell, f"{work}/rsync.log", f"host:{primary.root}/", f"{work}/rsync/")
            secondaries.append(Secondary("rsync", command, work, classes))
        steps, due = run_changes(primary, secondaries, options.changes)
        run_idle(primary, secondaries, options.idle)
        still_sees(primary, ours)
    finally:
        for secondary in secondaries:
            secondary.watcher.stop()
        sshd.stop()
    for secondary in secondaries:
        report(secondary, steps, due, options.idle)
    return 1 if ours.wrong else 0


def main():
    usual = 500 if os.environ.get("XS_LONG") == "yes" else 30
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--changes", type=int, default=usual)
    parser.add_argument("--idle", type=int, default=usual)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("XS_SEED") or random.SystemRandom().randrange(1 << 32)))
    parser.add_argument("client", type=os.path.abspath)
    parser.add_argument("server", type=os.path.abspath)
    options = parser.parse_args()
    for tool in ("java", "javac", "openssl", "ssh-keygen", "/usr/sbin/sshd"):
        if shutil.which(tool) is None:
            print(f"skipped: {tool} is missing (packages openjdk-17-jdk-headless, openssl, openssh-server)")
            return SKIPPED
    print(f"seed {options.seed}", flush=True)
    os.umask(0o027)
    with tempfile.TemporaryDirectory(prefix="xroad-sync-jvm.") as work:
        return run(options, work)


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""The rsync command of X-Road's cluster guide, for whatever compares us with it."""

OPTIONS = ("-aqz", "--timeout=10", "--delete-delay", "--exclude", "db.properties", "--exclude", "/conf.d/node.ini",
           "--exclude", "*.tmp", "--exclude", "/postgresql", "--exclude", "/globalconf", "--exclude", "/gpghome",
           "--delay-updates")


def rsync(shell, log, source, destination):
    """`source` with its host; both with a slash at their ends."""
    return ["rsync", "-e", shell, *OPTIONS, f"--log-file={log}", source, destination]

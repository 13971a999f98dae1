#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a directory like a security server's /etc/xroad, and changes it in the way that X-Road's own programs do.

usage: xroad_tree.py make DIR [--large] [--keys N] [--seed N] [--rsa]     a primary's
       xroad_tree.py secondary DIR                                        what a secondary has before its first sync
       xroad_tree.py add-key DIR [--count N] [--unsaved]                  prints the new key's id
       xroad_tree.py delete-key DIR [ID] [--unsaved]                      prints the id; without one, the last key
       xroad_tree.py change-pin DIR --new PIN [--half | --finish]
       xroad_tree.py save DIR                                             keyconf.xml again, unchanged
       xroad_tree.py check DIR                                            does every key open?

Keys, certificates and PKCS#12 files are real ones: new for every tree, elliptic unless --rsa. Names and all other
contents follow from --seed. Every command takes the token's PIN from --pin (default 1234), `change-pin` the old one.
--large is for benchmarks: about 250 files and 3 MB that a sync copies; without it there are about 70 files.
--unsaved stops where the signer stops until its next save: keyconf.xml does not know yet.
--half stops a change of the PIN between its two renames, where there is no softtoken/; --finish goes on from there.
"""
import argparse
import base64
import concurrent.futures
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

LARGE_BYTES = 3_000_000
LARGE_FILES = 250
LARGE_KEYS = 40
SMALL_KEYS = 4
SOFT, BACKUP = "signer/softtoken", "signer/.softtoken.bak"
KEY_CONF = "signer/keyconf.xml"
PIN_STORE = ".softtoken.p12"

KEY_CONF_HEAD = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<ns3:keyConf xmlns:ns2="http://x-road.eu/xsd/identifiers" xmlns:ns3="http://x-road.eu/xsd/xroad.xsd">
    <device>
        <deviceType>softToken</deviceType>
        <friendlyName>softToken-0</friendlyName>
        <id>0</id>
"""
KEY_CONF_TAIL = """    </device>
</ns3:keyConf>
"""
MEMBER = """                <memberId ns2:objectType="MEMBER">
                    <ns2:xRoadInstance>DEV</ns2:xRoadInstance>
                    <ns2:memberClass>COM</ns2:memberClass>
                    <ns2:memberCode>1234</ns2:memberCode>
                </memberId>
"""


class TreeError(Exception):
    pass


def openssl(*arguments, pin="", given=b""):
    """Its output. The PIN travels in the environment, where no process list shows it."""
    done = subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=False,
                          env={**os.environ, "XS_PIN": pin})
    if done.returncode != 0:
        raise TreeError(f"openssl {' '.join(arguments[:2])}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def in_parallel(function, values):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, values))


def write(path, content, mode=0o640):
    """In place, as X-Road's programs write everything but keyconf.xml."""
    if isinstance(content, str):
        content = content.encode()
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)


def make_directory(path, mode=0o750):
    os.makedirs(path, exist_ok=True)
    os.chmod(path, mode)


# ---- keys


def new_pair(name, rsa=False):
    """A private key and its self-signed certificate, both PEM, one after the other."""
    kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    return openssl("req", "-x509", "-newkey", *kind, "-nodes", "-keyout", "-", "-days", "3650", "-subj",
                   f"/C=EE/O=DEV/serialNumber=DEV\\/SS1\\/COM/CN={name}")


def pkcs12(pair, alias, pin):
    return openssl("pkcs12", "-export", "-name", alias, "-passout", "env:XS_PIN", pin=pin, given=pair)


def opened(path, pin):
    """The key and the certificate of a PKCS#12 file, PEM; fails when the PIN is another one."""
    parts = openssl("pkcs12", "-in", path, "-nodes", "-passin", "env:XS_PIN", pin=pin).decode()
    # `pkcs12 -export` looks for the key first, and what it has read over is lost.
    blocks = re.findall(r"-----BEGIN (.*?)-----(.*?-----END .*?-----\n)", parts, re.S)
    blocks.sort(key=lambda block: "KEY" not in block[0])
    return "".join(f"-----BEGIN {label}-----{rest}" for label, rest in blocks).encode()


def der(pair, label):
    found = re.search(rf"-----BEGIN {label}-----(.*?)-----END {label}-----", pair.decode(), re.S)
    if not found:
        raise TreeError(f"no {label.lower()} where one was due")
    return base64.b64decode(found.group(1))


def key_block(key_id, usage, certificate, public_key, cert_id):
    member = MEMBER if usage == "SIGNING" else ""
    return (f"        <key usage=\"{usage}\">\n"
            f"            <friendlyName>{usage.lower()} {key_id[:6]}</friendlyName>\n"
            f"            <label>{key_id[:8]}</label>\n"
            f"            <keyId>{key_id}</keyId>\n"
            f"            <publicKey>{public_key}</publicKey>\n"
            f"            <cert active=\"true\" id=\"{cert_id}\">\n"
            f"{member}"
            f"                <contents>{certificate}</contents>\n"
            f"                <status>registered</status>\n"
            f"            </cert>\n"
            f"        </key>\n")


def make_key(root, key_id, pin, number, rsa=False):
    """Writes the key's PKCS#12 file; its part of keyconf.xml."""
    pair = new_pair(key_id[:8], rsa)
    write(f"{root}/{SOFT}/{key_id}.p12", pkcs12(pair, key_id, pin))
    public = openssl("x509", "-pubkey", "-noout", given=pair)
    certificate = der(pair, "CERTIFICATE")
    return key_block(key_id, "SIGNING" if number % 2 else "AUTHENTICATION", base64.b64encode(certificate).decode(),
                     base64.b64encode(der(public, "PUBLIC KEY")).decode(), f"{number:04X}{key_id[:36]}")


# ---- keyconf.xml


def read_blocks(root):
    with open(f"{root}/{KEY_CONF}", encoding="utf-8") as file:
        return re.findall(r" {8}<key .*?</key>\n", file.read(), re.S)


def block_id(block):
    return re.search(r"<keyId>([0-9A-F]{40})</keyId>", block).group(1)


def key_ids(root):
    """The keys that keyconf.xml names."""
    return [block_id(block) for block in read_blocks(root)]


def save(root, blocks=None):
    """As the signer does: a new file under a temporary name, then a rename."""
    content = KEY_CONF_HEAD + "".join(read_blocks(root) if blocks is None else blocks) + KEY_CONF_TAIL
    handle, name = tempfile.mkstemp(prefix="tmpconf", suffix=".tmp", dir=f"{root}/signer")
    with os.fdopen(handle, "wb") as file:
        file.write(content.encode())
        os.fchmod(handle, 0o640)
    os.rename(name, f"{root}/{KEY_CONF}")


# ---- what the signer does


def random_id(noise):
    return f"{noise.getrandbits(160):040X}"


def add_keys(root, pin, count, noise, saved=True):
    """Key files first; keyconf.xml learns of them when it is saved. Their ids, and what save() is to be given."""
    blocks = read_blocks(root)
    names = [random_id(noise) for _ in range(count)]
    blocks += in_parallel(lambda at: make_key(root, names[at], pin, len(blocks) + at), range(count))
    if saved:
        save(root, blocks)
    return names, blocks


def delete_key(root, key_id, saved=True):
    """The key file first; keyconf.xml names what is not there until it is saved."""
    os.unlink(f"{root}/{SOFT}/{key_id}.p12")
    blocks = [block for block in read_blocks(root) if block_id(block) != key_id]
    if saved:
        save(root, blocks)
    return blocks


def begin_pin_change(root, old, new):
    """A new directory with every key under the new PIN, and the old one out of the way: softtoken/ is missing."""
    fresh = tempfile.mkdtemp(prefix="softtoken-", dir=f"{root}/signer")
    os.chmod(fresh, 0o750)

    def convert(name):
        alias = "pin" if name == PIN_STORE else name[:-len(".p12")]
        write(f"{fresh}/{name}", pkcs12(opened(f"{root}/{SOFT}/{name}", old), alias, new))

    try:
        in_parallel(convert, os.listdir(f"{root}/{SOFT}"))
    except TreeError:
        shutil.rmtree(fresh)
        raise
    os.rename(f"{root}/{SOFT}", f"{root}/{BACKUP}")


def finish_pin_change(root):
    fresh = [name for name in os.listdir(f"{root}/signer") if name.startswith("softtoken-")]
    if len(fresh) != 1 or not os.path.isdir(f"{root}/{BACKUP}"):
        raise TreeError(f"{root}/signer: no change of the PIN is under way")
    os.rename(f"{root}/signer/{fresh[0]}", f"{root}/{SOFT}")
    for name in os.listdir(f"{root}/{BACKUP}"):
        os.unlink(f"{root}/{BACKUP}/{name}")
    os.rmdir(f"{root}/{BACKUP}")


def check(root, pin):
    """How many keys keyconf.xml names; fails unless each is there, opens, and has the certificate that is named."""
    def look(block):
        key_id = block_id(block)
        pair = opened(f"{root}/{SOFT}/{key_id}.p12", pin)
        if base64.b64encode(der(pair, "CERTIFICATE")).decode() not in block:
            raise TreeError(f"key {key_id}: its certificate is not the one of keyconf.xml")

    blocks = read_blocks(root)
    in_parallel(look, blocks)
    opened(f"{root}/{SOFT}/{PIN_STORE}", pin)
    return len(blocks)


# ---- the rest of the tree


INI = ("common", "proxy", "signer", "proxy-ui-api", "op-monitor", "confclient", "monitor", "messagelog", "override-ee",
       "override-securityserver-ee", "local")
LOGBACK = ("proxy", "signer", "proxy-ui-api", "op-monitor", "confclient", "monitor", "asyncdb")
SERVICES = ("proxy", "signer", "proxy-ui-api", "opmonitor", "confclient", "monitor", "global", "jetty", "addon-messagelog")
BACKUP_D = ("00_xroad-base", "10_xroad-confclient", "20_xroad-signer", "30_xroad-proxy", "40_xroad-proxy-ui-api",
            "50_xroad-opmonitor")
DIRECTORIES = {"": 0o751, "conf.d": 0o750, "conf.d/addons": 0o750, "services": 0o750, "ssl": 0o750,
               "backup.d": 0o750, "jetty": 0o751, "signer": 0o750, SOFT: 0o750, "globalconf": 0o750,
               "globalconf/DEV": 0o750, "gpghome": 0o700, "postgresql": 0o750, "messagelog": 0o750, "backup-keys": 0o750}


def prose(noise, size):
    """Text that compresses about as well as configuration does."""
    words = []
    length = 0
    while length < size:
        words.append(f"{noise.choice(('proxy', 'signer', 'server', 'message', 'client', 'timeout', 'pool', 'key'))}"
                     f"-{noise.choice(('port', 'size', 'limit', 'path', 'interval', 'enabled'))}={noise.getrandbits(16)}")
        length += len(words[-1]) + 1
    return "\n".join(words)[:size - 1] + "\n"


def write_configuration(root, noise):
    for name in INI:
        write(f"{root}/conf.d/{name}.ini", f"[{name}]\n" + prose(noise, noise.randrange(200, 4000)))
    for name in LOGBACK:
        write(f"{root}/conf.d/{name}-logback.xml", f"<configuration><!--\n{prose(noise, 1800)}--></configuration>\n")
    for name in ("acme", "mail"):
        write(f"{root}/conf.d/{name}.yml", prose(noise, 2000))
        write(f"{root}/conf.d/{name}.example.yml", prose(noise, 2000))
    for name in ("messagelog", "hwtoken", "opmonitoring", "wsdlvalidator"):
        write(f"{root}/conf.d/addons/{name}.ini", f"[{name}]\n" + prose(noise, 2500))
    for name in SERVICES:
        write(f"{root}/services/{name}.conf", prose(noise, noise.randrange(500, 2000)))
    write(f"{root}/services/local.properties", "XROAD_PROXY_PARAMS=-Xmx2048m\n")
    for name in BACKUP_D:
        write(f"{root}/backup.d/{name}", "", 0o440)
    for name in ("proxy", "serverproxy", "clientproxy"):
        write(f"{root}/jetty/{name}.xml", prose(noise, 445))
    write(f"{root}/devices.ini", prose(noise, 4200))
    write(f"{root}/configuration-anchor.xml", prose(noise, 3000))
    write(f"{root}/archive-encryption-mapping.ini", prose(noise, 300))


def write_own(root, node_type, noise):
    """What belongs to this node and never travels."""
    make_directory(f"{root}/conf.d")
    write(f"{root}/conf.d/node.ini", f"[node]\ntype={node_type}\n")
    write(f"{root}/db.properties", f"serverconf.hibernate.connection.password={noise.getrandbits(64):x}\n")


def write_excluded(root, noise):
    write(f"{root}/xroad.properties", f"postgres.connection.password = {noise.getrandbits(64):x}\n", 0o600)
    write(f"{root}/globalconf/instance-identifier", "DEV")
    for name in ("shared-params", "private-params"):
        write(f"{root}/globalconf/DEV/{name}.xml", prose(noise, 40_000))
        write(f"{root}/globalconf/DEV/{name}.xml.metadata", '{"expirationDate":"2035-11-07T04:52:26Z"}')
    write(f"{root}/gpghome/private-keys", noise.randbytes(12_000), 0o600)
    for name in ("ca.crt", "server.crt", "server.key"):
        write(f"{root}/postgresql/{name}", prose(noise, 3000), 0o400)


def write_tls(root):
    def one(name):
        pair = new_pair(name)
        write(f"{root}/ssl/{name}.key", openssl("pkey", given=pair), 0o660)
        write(f"{root}/ssl/{name}.crt", openssl("x509", given=pair), 0o660)
        write(f"{root}/ssl/{name}.p12", pkcs12(pair, name, name), 0o660)

    in_parallel(one, ("internal", "proxy-ui-api", "opmonitor"))


def synced(root):
    """The files that a sync copies: (count, bytes)."""
    count = size = 0
    for path, names, files in os.walk(root):
        if path == root:
            names[:] = [name for name in names if name not in ("globalconf", "postgresql", "gpghome")]
        for name in files:
            if os.path.join(path, name)[len(root) + 1:] not in ("conf.d/node.ini", "db.properties", "xroad.properties"):
                count += 1
                size += os.stat(os.path.join(path, name)).st_size
    return count, size


def fill(root, noise):
    """Keys of the message log's archives and of backups, up to a large site's numbers."""
    count, size = synced(root)
    each = (LARGE_BYTES - size) // (LARGE_FILES - count)
    for at in range(LARGE_FILES - count):
        place = f"messagelog/archive-{at:03}.p12" if at % 2 else f"backup-keys/{at:03}.gpg"
        length = noise.randrange(each // 2, each * 3 // 2)
        write(f"{root}/{place}", noise.randbytes(length))


def make(root, pin, noise, keys, rsa=False, large=False):
    if os.path.isdir(root) and os.listdir(root):
        raise TreeError(f"{root} is not empty")
    for name, mode in DIRECTORIES.items():
        make_directory(f"{root}/{name}", mode)
    write_own(root, "master", noise)
    write_configuration(root, noise)
    write_excluded(root, noise)
    write_tls(root)
    names = [random_id(noise) for _ in range(keys)]
    write(f"{root}/{SOFT}/{PIN_STORE}", pkcs12(new_pair("pin"), "pin", pin))
    save(root, in_parallel(lambda at: make_key(root, names[at], pin, at, rsa), range(keys)))
    if large:
        fill(root, noise)


# ---- the command line


def run(options):
    root, noise = options.directory.rstrip("/"), random.Random(options.seed)
    match options.verb:
        case "make":
            keys = options.keys if options.keys is not None else LARGE_KEYS if options.large else SMALL_KEYS
            make(root, options.pin, noise, keys, options.rsa, options.large)
            count, size = synced(root)
            print(f"{root}: {count} files and {size} bytes to sync, {keys} keys")
        case "secondary":
            make_directory(root, 0o751)
            write_own(root, "slave", noise)
        case "add-key":
            print("\n".join(add_keys(root, options.pin, options.count, noise, not options.unsaved)[0]))
        case "delete-key":
            key_id = options.id or key_ids(root)[-1]
            delete_key(root, key_id, not options.unsaved)
            print(key_id)
        case "change-pin":
            if not options.finish:
                if options.new is None:
                    raise TreeError("change-pin: --new is missing")
                begin_pin_change(root, options.pin, options.new)
            if not options.half:
                finish_pin_change(root)
        case "save":
            save(root)
        case "check":
            print(f"{check(root, options.pin)} keys open under the PIN, each with the certificate that keyconf.xml names")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("make", "secondary", "add-key", "delete-key", "change-pin", "save", "check"):
        verb = verbs.add_parser(name)
        verb.add_argument("directory", metavar="DIR")
        verb.add_argument("--pin", default="1234", help="the token's PIN")
        verb.add_argument("--seed", type=int, default=1 if name == "make" else None, help="names and filling follow from it")
        if name == "make":
            verb.add_argument("--large", action="store_true", help="250 files and 3 MB")
            verb.add_argument("--keys", type=int, help=f"how many ({SMALL_KEYS}, or {LARGE_KEYS} with --large)")
            verb.add_argument("--rsa", action="store_true", help="RSA-2048 keys, as X-Road's default is: slower")
        if name in ("add-key", "delete-key"):
            verb.add_argument("--unsaved", action="store_true", help="keyconf.xml does not know yet")
        if name == "add-key":
            verb.add_argument("--count", type=int, default=1)
        if name == "delete-key":
            verb.add_argument("id", nargs="?")
        if name == "change-pin":
            verb.add_argument("--new", help="the new PIN")
            half = verb.add_mutually_exclusive_group()
            half.add_argument("--half", action="store_true", help="stop between the renames")
            half.add_argument("--finish", action="store_true", help="go on from there")
    return parser.parse_args()


def main():
    os.umask(0o027)
    try:
        run(parse())
    except (TreeError, OSError) as error:
        print(f"xroad_tree.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

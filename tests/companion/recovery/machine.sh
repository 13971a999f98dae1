#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# machine.sh NAME PROGRAMS WORK TEMPLATE CLUSTER PORT: makes a machine of the namespaces that it is started in (mount, UTS,
# network, process, IPC), and is its first process: when it dies, everything on the machine does. What it changes of
# the file system lies in memory. In the directory WORK it leaves the file NAME.ready; TEMPLATE.tar there is an empty
# database, which is made when it is missing. PROGRAMS: the directory with ours. Its network card is put in by
# machine.cc.
set -euo pipefail
name=$1 programs=$2 work=$3 template=$3/$4.tar cluster=$5 port=$6

mount --make-rprivate /
hostname "$name"
mount -t proc proc /proc
ip link set lo up

# /mnt/upper/DIR holds what is written to DIR.
mount -t tmpfs -o mode=755 tmpfs /mnt
over() {
  mkdir -p "/mnt/upper$1" "/mnt/work$1"
  mount -t overlay overlay -o "lowerdir=$1,upperdir=/mnt/upper$1,workdir=/mnt/work$1" "$1"
}
over /etc
over /usr/bin
for program in xroad-companion xroad-sync xroad-sync-server; do
  : >"/usr/bin/$program"
  mount --bind "$programs/$program" "/usr/bin/$program"
done
mount -t tmpfs -o mode=700 tmpfs /root
for directory in /run /var /dev/shm; do mount -t tmpfs -o mode=755 tmpfs "$directory"; done
chmod 1777 /dev/shm
ln -s /run /var/run
mkdir -p /run/sshd /var/lib/xroad-sync /var/lib/xroad-sync-server /var/lib/xroad /var/log/xroad /var/tmp/xroad /var/empty
install -d -o postgres -g postgres /run/postgresql /var/lib/postgresql /var/log/postgresql

# Accounts, as the packages make them.
cat >>/etc/group <<END
xroad:x:64010:xroad-slave
END
cat >>/etc/passwd <<END
xroad:x:64010:64010::/var/lib/xroad:/bin/sh
xroad-slave:x:64011:64010::/var/lib/xroad-sync-server:/bin/sh
END
cat >>/etc/shadow <<END
xroad:*:19000::::::
xroad-slave:*:19000::::::
END
printf '127.0.0.1 localhost\n10.77.0.1 ss1 db1\n10.77.0.2 ss2 db2\n10.77.0.3 ss3 db3\n' >/etc/hosts
printf 'hosts: files\npasswd: files\ngroup: files\nshadow: files\n' >/etc/nsswitch.conf

# X-Road's tree of this node, and ours.
rm -rf /etc/xroad /etc/xroad-sync
mkdir -p /etc/xroad/conf.d /etc/xroad-sync
cat >/etc/xroad/db.properties <<END
serverconf.hibernate.jdbc.use_streams_for_binary=true
serverconf.hibernate.connection.url=jdbc:postgresql://127.0.0.1:$port/serverconf
serverconf.hibernate.connection.username=serverconf
serverconf.hibernate.connection.password=serverconf
END
printf '[node]\ntype=slave\n' >/etc/xroad/conf.d/node.ini
# What X-Road's own checks look at is not on this machine; its database is.
cat >/etc/xroad-sync/companion.ini <<END
[proxy]
health-check-port = 5588
[admin]
port = 5590
[checks]
global-conf = false
auth-key = false
[replication]
port = $port
END
chmod 640 /etc/xroad/db.properties /etc/xroad/conf.d/node.ini
chown -R xroad:xroad /etc/xroad /var/lib/xroad /var/lib/xroad-sync /var/log/xroad /var/tmp/xroad

# A database as Debian leaves it behind, but quick. The first who wants a template makes it; who waits too long for it
# is given up by machine.cc.
if mkdir "$template.begun" 2>/dev/null; then
  rm -rf /etc/postgresql
  mkdir -m 755 /etc/postgresql
  chown postgres:postgres /etc/postgresql
  pg_createcluster --port "$port" "$(basename /usr/lib/postgresql/*)" "$cluster" -- --no-sync --wal-segsize=1
  cat >"$(echo /etc/postgresql/*/"$cluster")/conf.d/quick.conf" <<END
fsync = off
shared_buffers = 8MB
autovacuum = off
wal_receiver_status_interval = 1
wal_retrieve_retry_interval = 200ms
END
  tar -cf "$template.$name" -C / etc/postgresql var/lib/postgresql
  mv "$template.$name" "$template"
else
  # shellcheck disable=SC2016
  timeout 180 sh -c 'until [ -e "$0" ]; do sleep 0.05; done' "$template"
  rm -rf /etc/postgresql
  tar -xf "$template" -C /
fi

# systemctl: there is no systemd here. It notes what it is told; it knows the companion, which it runs as its unit does,
# and a timer that can only be taken away.
cat >/usr/bin/systemctl <<'END'
#!/bin/sh
echo "$*" >>/run/systemctl.log
[ "$*" != "disable --now xroad-sync.timer" ] || exit 0
unit=${2%.service}
[ "$unit" = xroad-companion ] || exit 5
stop() {
  [ -e /run/companion.pid ] || return 0
  kill "$(cat /run/companion.pid)" && while kill -0 "$(cat /run/companion.pid)" 2>/dev/null; do sleep 0.02; done
  rm /run/companion.pid
}
start() {
  setsid setpriv --reuid=xroad --regid=xroad --init-groups -- /usr/bin/xroad-companion serve \
    >>/run/companion.log 2>&1 </dev/null &
  echo $! >/run/companion.pid
}
case $1 in
  stop) stop ;;
  start) start ;;
  restart) stop; start ;;
  *) exit 1 ;;
esac
END
chmod 755 /usr/bin/systemctl

# sshd, with a host key of this machine.
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
printf 'UsePAM no\nPasswordAuthentication no\nUseDNS no\n' >/etc/ssh/sshd_config
/usr/sbin/sshd

: >"$work/$name.ready"
# Whoever has lost his parent becomes ours, and is buried.
trap : TERM INT
while :; do
  sleep 3600 &
  wait $! || :
done

# Leaves the disk, and what its firmware remembers, where the tasks of other servers may read them, and nothing else of the server.
set -eu
cd /srv/vm
[ -f disk.raw ] || { echo "the server had no disk yet" >&2; exit 1; }
# First, while nothing that goes counts against the volume's size yet.
chmod 755 .
chmod 644 disk.raw
[ ! -f vars.fd ] || chmod 644 vars.fd
find . -mindepth 1 -maxdepth 1 ! -name disk.raw ! -name vars.fd -exec rm -rf {} +
find /srv/log -mindepth 1 -delete

# Makes the disk larger; never smaller.
set -eu
cd /srv/vm
[ "$(stat -c %s disk.raw)" -ge "$DISK_BYTES" ] || truncate -s "$DISK_BYTES" disk.raw

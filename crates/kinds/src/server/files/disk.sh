# Makes the disk from the image, sharing what is the same with it, and room for what the firmware remembers.
set -eu
cd /srv/vm
rm -f disk.new vars.new
# A disk that was cut would start, and lose what lay beyond.
if [ "$(stat -c %s /run/image/disk.raw)" -gt "$DISK_BYTES" ]; then
    echo "the image is larger than the disk" >&2
    exit 1
fi
cp --reflink=auto /run/image/disk.raw disk.new
chmod 600 disk.new
truncate -s "$DISK_BYTES" disk.new
# What the firmware remembers of a disk goes with it.
vars=/run/image/vars.fd
[ -f "$vars" ] || vars=/usr/share/OVMF/OVMF_VARS_4M.fd
cp "$vars" vars.new
chmod 600 vars.new
mv vars.new vars.fd
mv disk.new disk.raw

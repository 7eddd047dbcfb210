# Makes the disk from the image, sharing what is the same with it, and room for what the firmware remembers.
set -eu
cd /srv/vm
rm -f disk.new vars.new
cp --reflink=auto /run/image/disk.raw disk.new
chmod 600 disk.new
truncate -s "$DISK_BYTES" disk.new
cp /usr/share/OVMF/OVMF_VARS_4M.fd vars.new
chmod 600 vars.new
mv vars.new vars.fd
mv disk.new disk.raw

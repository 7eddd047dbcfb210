# The disks with their holes, what the firmware remembers, and the first settings.
cd /srv/vm
set -- disk.raw vars.fd seed.iso
for file in disks/*.raw; do [ ! -f "$file" ] || set -- "$@" "$file"; done
tar --create --file=- --sparse --format=gnu --numeric-owner --owner=0 --group=0 "$@" | gzip --fast | stream disk.tar.gz
cd /tmp

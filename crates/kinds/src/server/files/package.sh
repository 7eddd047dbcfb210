# The disk with its holes, what the firmware remembers, and the first settings.
cd /srv/vm
tar --create --file=- --sparse --format=gnu --numeric-owner --owner=0 --group=0 disk.raw vars.fd seed.iso | gzip --fast | stream disk.tar.gz
cd /tmp

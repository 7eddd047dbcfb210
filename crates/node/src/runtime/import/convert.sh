# Makes `disk.raw` of a disk that somebody else made. Runs in the import's runtime, as an unprivileged uid without network. `/mnt` has the
# file (`source`); the working directory becomes the image. $1: its form, which is said and never found out from the file; another file that
# it would lead to is not opened, and there is none to be seen.
set -eu
umask 022
ulimit -c 0
case $1 in
qcow2) from='{"driver":"qcow2","backing":null,"file":{"driver":"file","filename":"/mnt/source"}}' ;;
raw) from='{"driver":"raw","file":{"driver":"file","filename":"/mnt/source"}}' ;;
*) exit 2 ;;
esac
qemu-img convert -p -O raw "json:$from" disk.raw
chmod 644 disk.raw

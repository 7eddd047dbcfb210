# Says how large the disks are.
set -eu
printf 'count\tdisk.bytes\t%s\n' "$(stat -c %s /srv/vm/disk.raw)"
for file in /srv/vm/disks/*.raw; do
    [ -f "$file" ] || continue
    printf 'count\tdisk.%s.bytes\t%s\n' "$(basename "$file" .raw)" "$(stat -c %s "$file")"
done
echo end

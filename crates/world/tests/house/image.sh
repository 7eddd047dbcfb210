# A disk for a pool that stands in a file of a file system of its own, so that all of it can be held still at one instant and copied: what the
# disk had been given until then, and nothing after. Runs in a mount namespace of its own; a line on standard input is a command.
set -eu
folder=$1
# What other installations have mounted is let go of here: their devices would be busy when they go down.
findmnt -rno TARGET | grep '^/run/husorden/' | sort -r | xargs -r -n 1 umount -l 2> /dev/null || true
mkdir -p "$folder/disk" "$folder/copy"
truncate -s 5G "$folder/disk.img"
mkfs.ext4 -q -F "$folder/disk.img"
mount -o loop "$folder/disk.img" "$folder/disk"
truncate -s 4G "$folder/disk/pool.img"
device=$(losetup --find --show "$folder/disk/pool.img")
away() {
    set +e
    umount -R "$folder/copy" 2> /dev/null
    losetup --detach "$device"
    fsfreeze --unfreeze "$folder/disk" 2> /dev/null
    umount "$folder/disk"
    rm -rf "$folder"
}
trap away EXIT
echo "$device"
while read -r verb number engine last; do
    case "$verb" in
    copy)
        fsfreeze --freeze "$folder/disk"
        cp --sparse=always "$folder/disk/pool.img" "$folder/pool.img"
        fsfreeze --unfreeze "$folder/disk"
        echo copied
        ;;
    count)
        # The house is down by now: two mounts of one file system would be taken for one.
        mountpoint -q "$folder/copy" || mount -o loop "$folder/pool.img" "$folder/copy"
        root=$(ls -d "$folder"/copy/runtimes/*"$engine"* | head -n 1)
        live="$folder/copy/solutions/$number/live/db"
        owner=$(stat -c %u "$live")
        mount -t tmpfs -o mode=1777 none "$root/tmp"
        mount --bind "$live" "$root/srv"
        inside="chroot --userspec=$owner:$owner $root env -i PATH=/usr/bin:/bin"
        query="SELECT count(*), max(n) FROM acknowledged WHERE n <= $last"
        case "$engine" in
        postgresql-*)
            echo 'local all all trust' > "$root/tmp/hba"
            $inside "/usr/lib/postgresql/${engine#*-}/bin/postgres" -D "/srv/$engine" -c hba_file=/tmp/hba -c listen_addresses= -c ssl=off \
                -c unix_socket_directories=/tmp -c dynamic_shared_memory_type=mmap > "$folder/said" 2>&1 &
            ask() { $inside psql -XAt -F ' ' -h /tmp -U husorden -d app -c "$1"; }
            ;;
        *)
            $inside /usr/sbin/mariadbd --no-defaults "--datadir=/srv/$engine" --log-bin=binlog --socket=/tmp/sock --pid-file=/tmp/pid --tmpdir=/tmp \
                --skip-networking --skip-grant-tables --innodb-use-native-aio=OFF > "$folder/said" 2>&1 &
            ask() { $inside mariadb --no-defaults --socket=/tmp/sock -BN app -e "$1" | tr '\t' ' '; }
            ;;
        esac
        server=$!
        tries=0
        until [ -n "$(ask 'SELECT 1' 2> /dev/null)" ]; do
            tries=$((tries + 1))
            [ $tries -lt 150 ] || { tail -n 20 "$folder/said" >&2; break; }
            sleep 0.2
        done
        ask "$query"
        kill -INT "$server" 2> /dev/null || true
        [ "${engine%%-*}" = postgresql ] || kill -TERM "$server"
        wait "$server" || true
        umount "$root/srv" "$root/tmp"
        ;;
    esac
done

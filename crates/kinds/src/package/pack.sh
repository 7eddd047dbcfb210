# What packages of all kinds have in common. A package leaves on standard output as one tar, and nothing of it lies on the solution's disk: each
# stream is cut into pieces, and a piece goes when it is whole.
set -euo pipefail
export SHELL=/bin/bash
export PIECES=/tmp/pieces TOP

# One file of the package, from standard input.
one() {
    set -euo pipefail
    mkdir -p "$PIECES/$TOP/$(dirname "$1")"
    cat > "$PIECES/$TOP/$1"
    (cd "$PIECES/$TOP" && sha256sum "$1") >> /tmp/sums
    # Without the end that each archive has: only the last has one.
    tar --create --file=- --blocking-factor=1 --format=ustar --numeric-owner --owner=0 --group=0 --mode=u=rw,go=r \
        --directory="$PIECES" "$TOP/$1" | head --bytes=-1024
    rm "$PIECES/$TOP/$1"
}
export -f one

# A stream of any length: NAME.00000, NAME.00001, …
stream() {
    split --bytes=32M --numeric-suffixes --suffix-length=5 --filter='one "$FILE"' - "$1."
}

# What is in every package; then, when the rest is there, the sums and the archive's end.
begin() {
    one README.md < /run/conf/README.md
    one settings.json < /run/conf/settings.json
}
end() {
    cp /tmp/sums /tmp/all-sums
    one SHA256SUMS < /tmp/all-sums
    head --bytes=1024 /dev/zero
}

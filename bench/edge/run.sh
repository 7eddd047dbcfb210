#!/bin/bash
# The edge beside nginx on the same files, the same certificate and the same PHP-FPM: edge.https_4k, edge.https_1m,
# edge.cpu_4k, edge.php. Medians of several rounds, the order alternated. ROUNDS, SECONDS_EACH and CONNECTIONS may be set.
set -euo pipefail
cd "$(dirname "$0")/../.."
ROUNDS=${ROUNDS:-5} SECONDS_EACH=${SECONDS_EACH:-4} CONNECTIONS=${CONNECTIONS:-64}
TARGET=${CARGO_TARGET_DIR:-target}
OURS=8643 PEER=8644

for tool in wrk nginx openssl; do
    command -v $tool >/dev/null || { echo "edge: $tool is not installed"; exit 2; }
done
cargo build --quiet --release -p husorden-edge --example serve

work=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
chmod 755 "$work"
mkdir -p "$work/site" "$work/nginx" && chmod 755 "$work/site"
head -c 4096 /dev/urandom >"$work/site/4k.bin"
head -c 1048576 /dev/urandom >"$work/site/1m.bin"
echo '<?php echo "hello";' >"$work/site/hello.php"
chmod 644 "$work/site/"*
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench.example \
    -addext subjectAltName=DNS:bench.example -keyout "$work/key.pem" -out "$work/chain.pem" 2>/dev/null

fpm=$(command -v php-fpm8.2 || command -v php-fpm8.4 || true)
if [ -n "$fpm" ]; then
    cat >"$work/fpm.conf" <<CONF
[global]
error_log = $work/fpm.log
daemonize = no
[bench]
user = www-data
group = www-data
listen = $work/fpm.sock
listen.mode = 0666
listen.backlog = 511
pm = static
pm.max_children = 4
CONF
    "$fpm" -F -y "$work/fpm.conf" & pids+=($!)
fi

cat >"$work/nginx.conf" <<CONF
daemon off; worker_processes auto; pid $work/nginx/pid; error_log $work/nginx/error.log;
events { worker_connections 1024; }
http {
    include /etc/nginx/mime.types; default_type application/octet-stream;
    access_log $work/nginx/access.log combined buffer=64k flush=1s;
    sendfile on; tcp_nopush on; keepalive_timeout 75; keepalive_requests 100000000;
    ssl_protocols TLSv1.3; ssl_session_cache shared:SSL:10m;
    client_body_temp_path $work/nginx/body; fastcgi_temp_path $work/nginx/fastcgi; proxy_temp_path $work/nginx/proxy;
    uwsgi_temp_path $work/nginx/uwsgi; scgi_temp_path $work/nginx/scgi;
    server {
        listen 127.0.0.1:$PEER ssl http2; server_name bench.example;
        ssl_certificate $work/chain.pem; ssl_certificate_key $work/key.pem;
        root $work/site;
        location ~ \.php\$ { include /etc/nginx/fastcgi.conf; fastcgi_pass unix:$work/fpm.sock; }
    }
}
CONF
nginx -c "$work/nginx.conf" -p "$work/nginx" 2>/dev/null & nginx_pid=$!; pids+=($nginx_pid)

cat >"$work/edge.json" <<JSON
{"https": ["127.0.0.1:$OURS"], "node_socket": "$work/node.sock", "state_dir": "$work/state", "log_dir": "$work/logs",
 "default_chain": "$work/chain.pem", "default_key": "$work/key.pem"}
JSON
cat >"$work/table.json" <<JSON
[{"solution": "01890a5d-ac96-774b-bcce-b302099a8057", "number": 1, "domains": ["bench.example"], "root": "$work/site",
  "handler": {"by": "php", "socket": "$work/fpm.sock", "inner_root": "$work/site", "front_controller": null},
  "standing": {"is": "open"}, "certificate": null, "https_only": true, "body_bytes_max": 1000000}]
JSON
"$TARGET/release/examples/serve" "$work/edge.json" "$work/table.json" >"$work/ready" & edge_pid=$!; pids+=($edge_pid)
for _ in $(seq 100); do grep -q ready "$work/ready" && break; sleep 0.1; done
sleep 0.5

# Nanoseconds that the threads of a process and of its children have run; exact where the kernel keeps schedstat, which
# counting by clock ticks is not on a busy machine.
ran_ns() {
    local pid
    for pid in "$1" $(cat "/proc/$1/task/$1/children" 2>/dev/null); do cat /proc/"$pid"/task/*/schedstat; done |
        awk '{sum += $1} END {printf "%.0f", sum}'
}
# One run of wrk: requests/s, MB/s and CPU seconds per 100,000 requests.
measure() { # port pid path
    local before after out
    before=$(ran_ns "$2")
    out=$(wrk -t2 -c"$CONNECTIONS" -d"${SECONDS_EACH}s" -H 'Host: bench.example' "https://127.0.0.1:$1/$3")
    after=$(ran_ns "$2")
    if grep -qE 'Non-2xx|Socket errors' <<<"$out"; then echo "edge: wrong answers from port $1:" >&2; echo "$out" >&2; fi
    awk -v ran_ns=$((after - before)) -v seconds="$SECONDS_EACH" '
        /requests in/ { requests = $1; read = $5
            unit = read; gsub(/[0-9.]/, "", unit); sub(/,$/, "", unit); read += 0
            if (unit == "KB") read /= 1024; if (unit == "GB") read *= 1024 }
        /Requests\/sec/ { rate = $2 }
        END { printf "%.1f %.1f %.3f\n", rate, read / seconds, ran_ns / 1e9 / requests * 100000 }' <<<"$out"
}
median() { sort -n | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
column() { awk -v c="$1" '{print $c}'; }

mkdir -p "$TARGET/bench" target/bench
# name, column, unit, ours, peer, which is better
report() {
    local ours peer ratio
    ours=$(column "$2" <"$4" | median) peer=$(column "$2" <"$5" | median)
    if [ "$6" = more ]; then ratio=$(awk "BEGIN {printf \"%.2f\", $ours / $peer}"); else ratio=$(awk "BEGIN {printf \"%.2f\", $peer / $ours}"); fi
    printf '%-16s ours %10s   nginx %10s %-26s ratio %s\n' "$1" "$ours" "$peer" "$3" "$ratio"
    printf '{"name": "%s", "ours": %s, "peer": %s, "peer_name": "%s", "unit": "%s", "ratio": %s, "note": "%s"}\n' \
        "$1" "$ours" "$peer" "$version" "$3" "$ratio" \
        "median of $ROUNDS, ${SECONDS_EACH} s each, $CONNECTIONS connections, wrk on the same $(nproc) cores" >>target/bench/results.jsonl
}
version=$(nginx -v 2>&1 | sed 's|.*nginx/|nginx |')

paths=(4k.bin 1m.bin); [ -n "$fpm" ] && paths+=(hello.php)
for path in "${paths[@]}"; do
    # Once each for nothing: caches, connections, the processor's clock.
    SECONDS_EACH=1 measure $OURS $edge_pid "$path" >/dev/null; SECONDS_EACH=1 measure $PEER $nginx_pid "$path" >/dev/null
    for round in $(seq "$ROUNDS"); do
        if [ $((round % 2)) = 1 ]; then order="ours peer"; else order="peer ours"; fi
        for who in $order; do
            if [ $who = ours ]; then measure $OURS $edge_pid "$path"; else measure $PEER $nginx_pid "$path"; fi >>"$work/$path.$who"
        done
    done
done
report edge.https_4k 1 "req/s" "$work/4k.bin.ours" "$work/4k.bin.peer" more
report edge.https_1m 2 "MB/s" "$work/1m.bin.ours" "$work/1m.bin.peer" more
report edge.cpu_4k 3 "CPU s per 100,000 requests" "$work/4k.bin.ours" "$work/4k.bin.peer" less
if [ -n "$fpm" ]; then
    report edge.php 1 "req/s" "$work/hello.php.ours" "$work/hello.php.peer" more
else
    echo "edge.php: PHP-FPM is not installed on the host; left out"
fi

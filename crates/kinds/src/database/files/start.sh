# Starts the server, which stays process 1, with somebody beside it who keeps what it says. That one holds none of its sockets.
set -eu
mkfifo -m 600 /tmp/said
env -u LD_PRELOAD perl /run/conf/keep.pl /srv/log/db.log 4194304 ${SAID_BY:-} <> /tmp/said 3>&- 4>&- 5>&- &
exec "$@" 2> /tmp/said

# Serves, with one message of the server in other words: what a change is answered while the disk of the instance is used up says so, and no
# plugin is asked before that is said. The words are as many bytes as the server's own, for its table of messages counts them. Its English is
# compiled into it and read from no table, so ours stands in the place of another language's, which is the one that it begins with. Where any
# of this does not come about, it serves with what it has.
set -eu
# Its name goes by the version.
own=/usr/share/mariadb
[ -d "$own" ] || own=/usr/share/mysql
words='The MariaDB server is running with the %s option so it cannot execute this statement'
ours='The server runs with %s and refuses this (--read-only: its disk is full; enlarge it)'
if LC_ALL=C grep --quiet --text --fixed-strings "$words" "$own/english/errmsg.sys" \
    && mkdir /tmp/messages && ln -s "$own"/* /tmp/messages/ \
    && rm -f /tmp/messages/estonian && mkdir /tmp/messages/estonian \
    && LC_ALL=C sed "s/$words/$ours/" "$own/english/errmsg.sys" > /tmp/messages/estonian/errmsg.sys; then
    set -- --lc-messages-dir=/tmp/messages --lc-messages=et_EE
fi
exec /usr/sbin/mariadbd --defaults-file=/run/conf/mariadb.cnf "$@"

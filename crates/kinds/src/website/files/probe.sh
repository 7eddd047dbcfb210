# Tries a runtime before the site is moved to it: its configuration, and then the front page in it.
set -eu
"/usr/sbin/php-fpm$PHP" -t -y /etc/husorden/fpm.conf
exec "/usr/bin/php$PHP" -d "memory_limit=$MEMORY" -d display_errors=1 /etc/husorden/probe.php

# Tries a runtime before the site is moved to it: its configuration, and then the front page in it.
set -eu
"/usr/sbin/php-fpm$PHP" -t -y /run/conf/fpm.conf
exec "/usr/bin/php$PHP" -d "memory_limit=$MEMORY" -d display_errors=1 /run/conf/probe.php

# The site's PHP with its own settings, and the front page in it.
set -eu
"/usr/sbin/php-fpm$PHP" -t -y /run/conf/fpm.conf
exec "/usr/bin/php$PHP" -d "memory_limit=$MEMORY" -d display_errors=0 /run/conf/page.php

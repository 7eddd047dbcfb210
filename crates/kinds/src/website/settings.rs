//! The settings that are generated for PHP-FPM, PHP and MariaDB.

use super::engine::{DB, LISTEN, NO_MAIL, PHP, SOCKETS, TMP, UPLOAD_MARGIN_MB, drain_s};
use super::spec::Spec;
use husorden_base::RuntimeName;

/// The settings of FPM. What stands as `php_admin_value` cannot be lifted by a `.user.ini` or `ini_set`.
pub(super) fn fpm_conf(spec: &Spec) -> String {
    let php = spec.php;
    let post_mb = php.upload_mb + UPLOAD_MARGIN_MB;
    let drain_s = drain_s(spec);
    format!(
        "\
[global]
; Foreground, with stderr forced: the log goes to the node. The path is opened all the same.
error_log = /dev/null
log_level = notice
process_control_timeout = {drain_s}s
[site]
; Must be what FPM_SOCKETS names, or FPM would make a socket of its own.
listen = {LISTEN}/{PHP}.sock
pm = ondemand
pm.max_children = {workers}
pm.process_idle_timeout = 20s
pm.max_requests = 1000
request_terminate_timeout = {execution}s
security.limit_extensions = .php
catch_workers_output = yes
decorate_workers_output = no
clear_env = yes
env[PATH] = /usr/bin:/bin
env[HOME] = {TMP}
env[TMPDIR] = {TMP}
php_admin_value[memory_limit] = {memory}M
php_admin_value[max_execution_time] = {execution}
php_admin_value[max_input_time] = {execution}
php_admin_value[upload_max_filesize] = {upload}M
php_admin_value[post_max_size] = {post_mb}M
php_admin_value[max_input_vars] = {vars}
",
        workers = php.workers,
        execution = php.max_execution_s,
        memory = php.memory_mb,
        upload = php.upload_mb,
        vars = php.max_input_vars,
    )
}

/// Settings that PHP takes only when it starts, for FPM and for tasks alike.
pub(super) fn php_ini() -> String {
    format!(
        "\
expose_php = 0
display_errors = 0
log_errors = 1
html_errors = 0
; Errors go to the log, not to the visitor's side of FastCGI.
fastcgi.logging = 0
cgi.fix_pathinfo = 0
zend.exception_ignore_args = 1
allow_url_include = 0
date.timezone = UTC
upload_tmp_dir = {TMP}
sys_temp_dir = {TMP}
session.save_path = {TMP}
session.gc_probability = 1
session.gc_divisor = 1000
session.cookie_httponly = 1
session.use_strict_mode = 1
sendmail_path = \"/bin/sh {NO_MAIL}\"
mail.add_x_header = 0
realpath_cache_size = 1M
mysqli.default_socket = {SOCKETS}/{DB}.sock
pdo_mysql.default_socket = {SOCKETS}/{DB}.sock
opcache.enable = 1
opcache.memory_consumption = 64
opcache.interned_strings_buffer = 8
opcache.max_accelerated_files = 8000
opcache.revalidate_freq = 2
opcache.jit = disable
opcache.jit_buffer_size = 0
ffi.enable = 0
"
    )
}

/// The settings of MariaDB: one small site, one client, no network, no way to other files.
pub(super) fn mariadb_cnf(spec: &Spec, database: &RuntimeName) -> String {
    let connections = spec.php.workers + 10;
    format!(
        "\
{base}{logged}datadir = /srv/db/{database}
socket = {LISTEN}/{DB}.sock
skip-networking
max-connections = {connections}
max-allowed-packet = 32M
thread-cache-size = 2
thread-stack = 256K
table-open-cache = 256
table-definition-cache = 400
open-files-limit = 4096
key-buffer-size = 1M
aria-pagecache-buffer-size = 2M
tmp-table-size = 8M
max-heap-table-size = 8M
sort-buffer-size = 512K
innodb-buffer-pool-size = 24M
innodb-log-file-size = 8M
innodb-log-buffer-size = 2M
innodb-temp-data-file-path = ibtmp1:4M:autoextend
innodb-read-io-threads = 2
innodb-write-io-threads = 2
innodb-purge-threads = 1
",
        base = crate::mariadb::BASE,
        logged = crate::mariadb::LOGGED,
    )
}

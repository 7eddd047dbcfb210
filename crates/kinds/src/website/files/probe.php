<?php
// Runs the front page once, as a visitor would, and ends with 1 if it dies or answers with a status of 500 or above.
register_shutdown_function(function () {
    while (ob_get_level() > 0) {
        ob_end_clean();
    }
    $last = error_get_last();
    $fatal = E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR;
    if ($last !== null && ($last['type'] & $fatal)) {
        fwrite(STDERR, "PHP " . PHP_VERSION . ": {$last['message']} in {$last['file']} line {$last['line']}\n");
        exit(1);
    }
    $status = http_response_code();
    if (is_int($status) && $status >= 500) {
        fwrite(STDERR, 'PHP ' . PHP_VERSION . ": the front page answers with status $status\n");
        exit(1);
    }
    exit(0);
});
$host = (string) getenv('SITE');
$root = (string) getenv('ROOT');
if (!is_file("$root/index.php")) {
    exit(0);
}
$_SERVER = [
    'HTTP_HOST' => $host, 'SERVER_NAME' => $host, 'HTTPS' => 'on', 'SERVER_PORT' => '443',
    'REQUEST_METHOD' => 'GET', 'REQUEST_URI' => '/', 'SERVER_PROTOCOL' => 'HTTP/1.1', 'QUERY_STRING' => '',
    'REMOTE_ADDR' => '127.0.0.1', 'HTTP_USER_AGENT' => 'husorden-probe', 'DOCUMENT_ROOT' => $root,
    'SCRIPT_NAME' => '/index.php', 'PHP_SELF' => '/index.php', 'SCRIPT_FILENAME' => "$root/index.php",
    'REQUEST_TIME' => time(), 'REQUEST_TIME_FLOAT' => microtime(true), 'argv' => [], 'argc' => 0,
];
chdir($root);
ob_start();
require "$root/index.php";

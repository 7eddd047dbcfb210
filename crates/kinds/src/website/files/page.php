<?php
// Runs the front page once, as a visitor would, and says its status and its title. What the page itself writes is not passed on.
require '/run/conf/title.php';
register_shutdown_function(function () {
    $text = '';
    while (ob_get_level() > 0) {
        $text = (string) ob_get_clean() . $text;
    }
    $last = error_get_last();
    $fatal = E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR;
    $status = http_response_code();
    $status = is_int($status) ? $status : 200;
    if ($last !== null && ($last['type'] & $fatal)) {
        fwrite(STDERR, "PHP " . PHP_VERSION . ": {$last['message']} in {$last['file']} line {$last['line']}\n");
        $status = 500;
    }
    say_page($status, $text);
    echo "end\n";
    // What the page died of is said already.
    exit(0);
});
$host = (string) getenv('SITE');
$root = (string) getenv('ROOT');
if (!is_file("$root/index.php")) {
    http_response_code(is_file("$root/index.html") ? 200 : 404);
    ob_start();
    @readfile("$root/index.html");
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

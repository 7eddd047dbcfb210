<?php
// Installs WordPress into an empty site, once, as the site's own user: `php install.php < order.json`.
//
// It may be cut anywhere and run again. What it has begun it knows by a note in the site's folder, and it goes on only where
// that note or a finished installation of its own stands; files that someone else put there are never touched. It asks
// nothing of the network: the HTTP client of WordPress is shut for the time of the installation.
declare(strict_types=1);

const SOURCE = '/srv/app/wordpress';
const OWN = '/srv/app/husorden';
const ROOT = '/srv/www';
const NOTE = ROOT . '/.husorden-installing';
const FRESH = ROOT . '/.husorden-new';
const CONFIG = ROOT . '/wp-config.php';
const DONE = 'husorden_installed';

function stop(string $da, string $en): never
{
    fwrite(STDERR, "$en\n$da\n");
    exit(1);
}

set_error_handler(function (int $level, string $text, string $file, int $line): bool {
    // WordPress itself raises notices on newer PHP; only what this script does must be without a flaw.
    if ($file === __FILE__ && error_reporting() & $level) {
        throw new ErrorException($text, 0, $level, $file, $line);
    }
    return false;
});

$order = json_decode((string) stream_get_contents(STDIN), true, 8, JSON_THROW_ON_ERROR);
foreach (['url', 'title', 'user', 'email', 'language'] as $field) {
    if (!is_string($order[$field] ?? null)) {
        stop("Bestillingen mangler $field.", "The order lacks $field.");
    }
}
if (isset($order['hash']) && preg_match('/^\$2y\$\d\d\$[.\/A-Za-z0-9]{53}$/', $order['hash']) !== 1) {
    stop('Bestillingen har ingen bcrypt-hash.', 'The order holds no bcrypt hash.');
}

// A knock, so that the database starts while the files are put in place. It asks nothing, and it need not be heard.
$knock = @stream_socket_client('unix:///run/husorden/db.sock', flags: STREAM_CLIENT_CONNECT | STREAM_CLIENT_ASYNC_CONNECT);
if (!is_file(CONFIG)) {
    place_files($order['language']);
    write_config();
}
$_SERVER['HTTP_HOST'] = (string) parse_url($order['url'], PHP_URL_HOST);
$_SERVER['HTTPS'] = 'on';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['REQUEST_URI'] = '/';
define('WP_INSTALLING', true);
define('WP_SITEURL', $order['url']);
ob_start();
require ROOT . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
add_filter('pre_http_request', fn () => new WP_Error('husorden', 'no network while installing'));
add_filter('pre_wp_mail', '__return_false');
// The password made below is known to nobody and lasts no longer than this script, so it need not be slow to guess.
add_filter('wp_hash_password_options', fn () => ['cost' => 4]);
if (!installed()) {
    install_database($order);
}
settle($order);
ob_end_clean();
if (is_file(NOTE)) {
    unlink(NOTE);
}
echo "WordPress {$wp_version} is installed.\n";

/** Puts the files in place: copied beside, moved in one by one, so that a half-copied file is never taken for a whole one. */
function place_files(string $language): void
{
    $there = array_values(array_diff(scandir(ROOT), ['.', '..']));
    if ($there !== [] && !is_file(NOTE)) {
        stop(
            'Mappen er ikke tom (' . implode(', ', array_slice($there, 0, 5)) . '): WordPress installeres ikke oven i andres filer.',
            'The folder is not empty (' . implode(', ', array_slice($there, 0, 5)) . '): WordPress is not installed over other files.',
        );
    }
    file_put_contents(NOTE, "WordPress is being installed; this file goes when it is done.\n");
    remove(FRESH);
    copy_tree(SOURCE, FRESH, $language);
    @mkdir(FRESH . '/wp-content/mu-plugins', 0755, true);
    @mkdir(FRESH . '/wp-content/uploads', 0755, true);
    copy(OWN . '/mu-plugin.php', FRESH . '/wp-content/mu-plugins/husorden.php');
    foreach (array_diff(scandir(FRESH), ['.', '..']) as $entry) {
        remove(ROOT . '/' . $entry);
        rename(FRESH . '/' . $entry, ROOT . '/' . $entry);
    }
    rmdir(FRESH);
}

/** Writes the configuration last and whole: while it is missing, the files are not yet in place. */
function write_config(): void
{
    $lines = [
        '<?php',
        '// Written when the site was made. It is yours: change what you like.',
        "define( 'DB_NAME', 'site' );",
        "define( 'DB_USER', 'site' );",
        '// The database knows the site by its user on the socket; there is no password to leak.',
        "define( 'DB_PASSWORD', '' );",
        "define( 'DB_HOST', 'localhost:/run/husorden/db.sock' );",
        "define( 'DB_CHARSET', 'utf8mb4' );",
        "define( 'DB_COLLATE', '' );",
        '',
    ];
    foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $name) {
        $lines[] = "define( '{$name}_KEY', '" . base64_encode(random_bytes(48)) . "' );";
        $lines[] = "define( '{$name}_SALT', '" . base64_encode(random_bytes(48)) . "' );";
    }
    array_push(
        $lines,
        '',
        "\$table_prefix = 'wp_';",
        '',
        "define( 'WP_DEBUG', false );",
        "define( 'FS_METHOD', 'direct' );",
        '// Code is changed by upload, not in the browser: a stolen log-in then rewrites no PHP.',
        "define( 'DISALLOW_FILE_EDIT', true );",
        '// Updates are made when you ask for them in the dashboard.',
        "define( 'WP_AUTO_UPDATE_CORE', false );",
        '// Scheduled work runs after an answer, in the same process (wp-content/mu-plugins/husorden.php).',
        "defined( 'DISABLE_WP_CRON' ) || define( 'DISABLE_WP_CRON', true );",
        '',
        "if ( ! defined( 'ABSPATH' ) ) {",
        "\tdefine( 'ABSPATH', __DIR__ . '/' );",
        '}',
        "require_once ABSPATH . 'wp-settings.php';",
        '',
    );
    file_put_contents(CONFIG . '.new', implode("\n", $lines));
    chmod(CONFIG . '.new', 0600);
    rename(CONFIG . '.new', CONFIG);
}

/** Whether an earlier try came to its end. Asked of the table itself: a dropped one must not be answered from a cache. */
function installed(): bool
{
    global $wpdb;
    $wpdb->suppress_errors(true);
    $done = $wpdb->get_var("SELECT option_value FROM {$wpdb->options} WHERE option_name = '" . DONE . "'");
    $wpdb->suppress_errors(false);
    return $done !== null;
}

/** Makes the tables and the first user, in a transaction that is left open. What an earlier try left half-made is dropped first. */
function install_database(array $order): void
{
    global $wpdb, $wp_rewrite;
    if (!is_file(NOTE)) {
        stop(
            'Mappen har allerede en wp-config.php, som ikke er lavet her: WordPress installeres ikke oven i den.',
            'The folder already has a wp-config.php that was not made here: WordPress is not installed over it.',
        );
    }
    if (!$wpdb->check_connection(false)) {
        stop('Databasen svarer ikke.', 'The database does not answer.');
    }
    foreach ($wpdb->get_col("SHOW TABLES LIKE '" . $wpdb->esc_like($wpdb->prefix) . "%'") as $table) {
        $wpdb->query("DROP TABLE `$table`");
    }
    wp_cache_flush();
    $language = is_file(WP_LANG_DIR . "/{$order['language']}.mo") ? $order['language'] : '';
    if ($language !== '') {
        load_default_textdomain($language);
        $GLOBALS['wp_locale'] = new WP_Locale();
    }
    // One transaction for all rows: each by itself would wait for the disk. Tables commit what stands before them.
    $wpdb->query('SET autocommit = 0');
    // A password that nobody knows: the one the customer is shown is set afterwards, as a hash.
    wp_install($order['title'], $order['user'], $order['email'], true, '', bin2hex(random_bytes(24)), $language);
    update_option('permalink_structure', '/%postname%/');
    // Emptied, so that the first request makes them with everything loaded.
    update_option('rewrite_rules', '');
    $wp_rewrite->init();
    if (!username_exists($order['user'])) {
        stop('WordPress lavede ikke brugeren.', 'WordPress did not make the user.');
    }
    add_option(DONE, gmdate('c'), '', false);
}

/** Sets the address and the first user's password, and keeps everything. Also after an earlier try: they may be others since. */
function settle(array $order): void
{
    global $wpdb;
    $set = [];
    foreach (['home', 'siteurl'] as $name) {
        // By the table: what stands in a constant is not looked up by WordPress, and so not changed.
        $set[] = $wpdb->update($wpdb->options, ['option_value' => $order['url']], ['option_name' => $name]);
    }
    if (isset($order['hash'])) {
        $set[] = $wpdb->update($wpdb->users, ['user_pass' => $order['hash']], ['user_login' => $order['user']]);
    }
    if (in_array(false, $set, true) || $wpdb->query('COMMIT') === false) {
        stop("Databasen gemte ikke: {$wpdb->last_error}", "The database did not save: {$wpdb->last_error}");
    }
}

/** Copies by sharing extents where the file system can, so that the copy costs the site no disk. Of the languages, one goes along. */
function copy_tree(string $from, string $to, string $language): void
{
    $command = 'cp -R --reflink=auto ' . escapeshellarg($from) . ' ' . escapeshellarg($to) . ' 2>&1';
    exec($command, $said, $code);
    if ($code !== 0) {
        $why = implode(' ', array_slice($said, 0, 3));
        stop("Kunne ikke kopiere filerne: $why", "Could not copy the files: $why");
    }
    exec('chmod -R u+rwX,go+rX,go-w ' . escapeshellarg($to));
    foreach (['wp-config.php', '.htaccess'] as $not_ours) {
        remove("$to/$not_ours");
    }
    foreach (glob("$to/wp-content/languages/{,*/}*.{mo,po,json,php}", GLOB_BRACE) as $file) {
        if (preg_match('/(^|-)' . preg_quote($language, '/') . '[-.]/', basename($file)) !== 1) {
            unlink($file);
        }
    }
}

function remove(string $path): void
{
    if (is_dir($path) && !is_link($path)) {
        foreach (array_diff(scandir($path), ['.', '..']) as $entry) {
            remove("$path/$entry");
        }
        rmdir($path);
    } elseif (is_link($path) || file_exists($path)) {
        unlink($path);
    }
}

<?php
// Sets the hash of one user's password and ends that user's log-ins: `php credential.php < order.json`.
//
// The password itself never comes here. Only the core of WordPress is loaded, so that a broken plugin cannot stand in the way.
declare(strict_types=1);

$order = json_decode((string) stream_get_contents(STDIN), true, 8, JSON_THROW_ON_ERROR);
if (preg_match('/^\$2y\$\d\d\$[.\/A-Za-z0-9]{53}$/', $order['hash'] ?? '') !== 1) {
    fwrite(STDERR, "The order holds no bcrypt hash.\n");
    exit(1);
}
if (!is_file('/srv/www/wp-config.php')) {
    fwrite(STDERR, "There is no WordPress here: wp-config.php is missing.\nHer er ingen WordPress: wp-config.php mangler.\n");
    exit(1);
}
define('SHORTINIT', true);
require '/srv/www/wp-load.php';
$user = $wpdb->get_var($wpdb->prepare("SELECT ID FROM {$wpdb->users} WHERE user_login = %s", $order['user']));
if ($user === null) {
    fwrite(STDERR, "WordPress has no user {$order['user']}: {$wpdb->last_error}\nWordPress har ingen bruger {$order['user']}.\n");
    exit(1);
}
$set = $wpdb->update($wpdb->users, ['user_pass' => $order['hash'], 'user_activation_key' => ''], ['ID' => $user]);
$ended = $wpdb->query($wpdb->prepare("DELETE FROM {$wpdb->usermeta} WHERE user_id = %d AND meta_key = 'session_tokens'", $user));
if ($set === false || $ended === false) {
    fwrite(STDERR, "The password could not be set: {$wpdb->last_error}\n");
    exit(1);
}
echo "The password of {$order['user']} is set.\n";

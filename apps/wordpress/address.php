<?php
// Tells WordPress the address it answers at: `php address.php < order.json`.
//
// Only the core of WordPress is loaded. Where the customer has taken WordPress away there is nothing to tell.
declare(strict_types=1);

$order = json_decode((string) stream_get_contents(STDIN), true, 8, JSON_THROW_ON_ERROR);
if (!str_starts_with($order['url'] ?? '', 'https://')) {
    fwrite(STDERR, "The order holds no address.\n");
    exit(1);
}
if (!is_file('/srv/www/wp-config.php')) {
    echo "There is no WordPress here.\n";
    exit(0);
}
define('SHORTINIT', true);
require '/srv/www/wp-load.php';
foreach (['home', 'siteurl'] as $name) {
    if ($wpdb->update($wpdb->options, ['option_value' => $order['url']], ['option_name' => $name]) === false) {
        fwrite(STDERR, "The address could not be set: {$wpdb->last_error}\n");
        exit(1);
    }
}
echo "WordPress answers at {$order['url']}.\n";

<?php
/**
 * Plugin Name: Husorden
 * Description: Runs scheduled work after an answer, and says why mail is not sent.
 *
 * WordPress starts its scheduled work by a request to itself. Here it runs after the answer has left, in the same process:
 * nobody waits for it, and a sleeping site is not woken for it.
 */

add_action(
	'shutdown',
	function () {
		if ( ! function_exists( 'fastcgi_finish_request' ) || defined( 'DOING_CRON' ) || wp_installing() || wp_doing_ajax() || ! empty( $_POST ) ) {
			return;
		}
		$since = (float) get_transient( 'doing_cron' );
		if ( $since + WP_CRON_LOCK_TIMEOUT > microtime( true ) || ! wp_get_ready_cron_jobs() ) {
			return;
		}
		fastcgi_finish_request();
		unset( $_GET['doing_wp_cron'] );
		require_once ABSPATH . 'wp-cron.php';
	},
	PHP_INT_MAX
);

add_action(
	'wp_mail_failed',
	function () {
		update_option( 'husorden_mail_refused', time(), false );
	}
);

add_action(
	'admin_notices',
	function () {
		$at = (int) get_option( 'husorden_mail_refused', 0 );
		if ( $at < time() - DAY_IN_SECONDS || ! current_user_can( 'manage_options' ) ) {
			return;
		}
		$text = str_starts_with( get_user_locale(), 'da' )
			? 'WordPress prøvede at sende en mail, og den blev afvist: udgående mail er ikke en del af dette websted. Bestil et relæ for at sende mail.'
			: 'WordPress tried to send a mail and it was refused: outgoing mail is not part of this site. Order a relay to send mail.';
		echo '<div class="notice notice-warning"><p>' . esc_html( $text ) . '</p></div>';
	}
);

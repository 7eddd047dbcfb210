# Serves, with a second listening socket beside the one that was handed in: the loopback of this sandbox's own network, which it shares
# with nobody. Who comes by it is the platform; the site's own code comes by the unix socket, as a user of the same uid. A network without
# a loopback is no reason not to serve.
use strict;
use warnings;
use Socket;

$^F = 4;
my $own;
my $set = socket($own, PF_INET, SOCK_STREAM, 0) && fileno($own) == 4 && bind($own, sockaddr_in(3306, INADDR_LOOPBACK)) && listen($own, 8);
if ($set) {
    $ENV{LISTEN_FDS} = 2;
} else {
    warn "no log is kept: $!\n";
    close($own);
}
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";

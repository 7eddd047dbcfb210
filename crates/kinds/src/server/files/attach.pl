# Carries standard input to the screen's socket and back, until either side ends. What one side does not take is not read from the other.
# Whoever started this holds the other end of standard error and hears a sign of life there; when nobody does any more, this ends too.
use strict;
use warnings;
use Socket;

my ($piece, $sign_s) = (65536, 5);
$SIG{PIPE} = 'IGNORE';
socket my $screen, AF_UNIX, SOCK_STREAM, 0 or die "a socket: $!\n";
connect $screen, pack_sockaddr_un('/tmp/screen.sock') or die "no screen: $!\n";
my %way = (fileno STDIN, [\*STDIN, $screen], fileno $screen, [$screen, \*STDOUT]);
my $signed = time;
while (1) {
    if (time - $signed >= $sign_s) {
        syswrite STDERR, "\n" or exit 0;
        $signed = time;
    }
    my $ready = '';
    vec($ready, $_, 1) = 1 for keys %way;
    next if select($ready, undef, undef, $sign_s) < 1;
    for my $number (grep { vec $ready, $_, 1 } keys %way) {
        my ($from, $to) = @{$way{$number}};
        my $said;
        my $length = sysread $from, $said, $piece;
        exit 0 unless $length;
        for (my $done = 0; $done < $length;) {
            my $written = syswrite $to, $said, $length - $done, $done;
            exit 0 unless defined $written;
            $done += $written;
        }
    }
}

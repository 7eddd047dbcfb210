# Keeps what is said on standard input: `keep.pl FILE BYTES`. Each line is given the time, in UTC; a file that would be longer becomes
# FILE.1, in place of the one before. It is said on to standard error, as far as somebody listens there.
#
# The server takes an end that is no success for the end of one of its own, so there is none.
use strict;
use warnings;
use Fcntl;
use POSIX qw(strftime);

my ($path, $most) = @ARGV;
$SIG{PIPE} = 'IGNORE';
fcntl STDERR, F_SETFL, O_NONBLOCK | (fcntl STDERR, F_GETFL, 0);
my ($file, $size, $rest) = (undef, 0, '');

sub begin {
    open $file, '>>:raw', $path or undef $file;
    $size = -s $path // 0;
}

begin();
while (sysread STDIN, my $said, 65536) {
    syswrite STDERR, $said;
    my @lines = split /\n/, $rest . $said, -1;
    $rest = pop @lines;
    if (length $rest > 65536) {
        push @lines, $rest;
        $rest = '';
    }
    next unless @lines;
    my $now = strftime '%Y-%m-%dT%H:%M:%SZ', gmtime;
    my $text = join '', map { "$now $_\n" } @lines;
    if ($size + length $text > $most && $size > 0) {
        rename $path, "$path.1";
        begin();
    }
    # On a full disk nothing is kept, and the server goes on.
    $size += (defined $file && syswrite $file, $text) || 0;
    begin() unless defined $file;
}
exit 0;

# Keeps what is said on standard input: `keep.pl FILE BYTES [NAME]`. Each line is given the time, in UTC; a file that would be longer
# becomes FILE.1, in place of the one before. It is said on to standard error, as far as somebody listens there. With a name, lines
# begin with it in the place of a time of their own.
#
# Several may keep one file. The server takes an end that is no success for the end of one of its own, so there is none.
use strict;
use warnings;
use Fcntl;
use POSIX qw(strftime);

my ($path, $most, $name) = @ARGV;
$SIG{PIPE} = 'IGNORE';
fcntl STDERR, F_SETFL, O_NONBLOCK | (fcntl STDERR, F_GETFL, 0);
my ($file, $rest) = (undef, '');

sub begin {
    open $file, '>>:raw', $path or undef $file;
}

# Another who keeps it may have put a new file in its place.
sub current {
    my @named = stat $path;
    return defined $file && @named && (stat $file)[1] == $named[1];
}

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
    s/^(?:[-0-9]+ [.:0-9]+ \S+ \[\d+\] )?/$name: / for defined $name ? @lines : ();
    my $text = join '', map { "$now $_\n" } @lines;
    begin() unless current();
    my $size = defined $file ? -s $file : 0;
    if ($size > 0 && $size + length $text > $most) {
        rename $path, "$path.1";
        begin();
    }
    # On a full disk nothing is kept, and the server goes on.
    syswrite $file, $text if defined $file;
}
exit 0;

# Has the guest's own agent freeze the guest's filesystems for the moment of a snapshot. `hold` says "held" when they are frozen, waits for the
# end of standard input, for so many seconds at most, thaws them, and says "let go" where they were frozen until then. `let-go` thaws what
# another left frozen. Where no agent answers within a second nothing is said.
#
# What the guest says is a stranger's: it is read up to a size and within a time, and nothing of it is handed on.
use strict;
use warnings;
use Fcntl;
use POSIX ();
use Socket;

my ($what) = @ARGV;
my ($answer_s, $freeze_s, $hold_s, $thaw_s, $line_max, $most) = (1, 5, 10, 5, 4096, 1048576);
$| = 1;
$SIG{PIPE} = 'IGNORE';
# Whatever was forgotten, this ends.
alarm 2 * $answer_s + $freeze_s + $hold_s + 2 * $thaw_s + 5;

socket my $agent, AF_UNIX, SOCK_STREAM, 0 or die "a socket: $!\n";
fcntl $agent, F_SETFL, O_NONBLOCK or die "a socket: $!\n";
connect $agent, pack_sockaddr_un('/tmp/agent.sock') or die "no line to an agent: $!\n";

# Seconds of a clock that nobody sets.
sub now { return (POSIX::times())[0] / 100 }

my ($heard, $total) = ('', 0);

# Waits until the agent's line can be read or written, or a time has come.
sub ready {
    my ($write, $until) = @_;
    my $left = $until - now();
    return 0 if $left <= 0;
    my $bits = '';
    vec($bits, fileno $agent, 1) = 1;
    return select($write ? undef : $bits, $write ? $bits : undef, undef, $left) > 0;
}

sub send_all {
    my ($text, $until) = @_;
    while ($text ne '') {
        my $written = syswrite $agent, $text;
        if (defined $written) { substr $text, 0, $written, '' }
        else { return 0 unless $! == POSIX::EAGAIN() && ready(1, $until) }
    }
    return 1;
}

sub hear {
    my ($until) = @_;
    ready(0, $until) or return 0;
    my $read = sysread $agent, $heard, 65536, length $heard;
    return 0 unless $read;
    $total += $read;
    return $total <= $most;
}

# The next line that the agent says; nothing when it takes too long or is no line.
sub line {
    my ($until) = @_;
    while ($heard !~ /\n/) { return '' if length $heard > $line_max || !hear($until) }
    $heard =~ s/^([^\n]*)\n//;
    return $1;
}

sub ask {
    my ($command, $seconds) = @_;
    my $until = now() + $seconds;
    return send_all("{\"execute\": \"$command\"}\n", $until) ? line($until) : '';
}

# How many filesystems it says that a command was about.
sub count {
    return ask(@_) =~ /^\{"return": ?(\d{1,6})\}$/ ? $1 : 0;
}

# Everything that was said before is left behind: an answer to another question stands before the mark.
sub awake {
    my ($until, $id) = (now() + $answer_s, 1 + int rand 1000000000);
    send_all("\xff{\"execute\": \"guest-sync-delimited\", \"arguments\": {\"id\": $id}}\n", $until) or return 0;
    while (1) {
        $heard =~ s/^.*(?=\xff)//s or $heard = '';
        return 1 if $heard =~ s/^\xff\{"return": ?$id\}\n//;
        return 0 if length $heard > $line_max || !hear($until);
    }
}

awake() or die "no agent answers\n";
count('guest-fsfreeze-thaw', $thaw_s) if ask('guest-fsfreeze-status', $answer_s) =~ /^\{"return": ?"frozen"\}$/;
exit 0 if $what ne 'hold';

if (!count('guest-fsfreeze-freeze', $freeze_s)) {
    print "none\n";
    # It may be about to: what it is told now it hears when it is done.
    count('guest-fsfreeze-thaw', $thaw_s);
    die "nothing was frozen\n";
}
my $frozen = now();
print "held\n";
my ($until, $end) = ($frozen + $hold_s, 0);
until ($end) {
    my ($bits, $left) = ('', $until - now());
    last if $left <= 0;
    vec($bits, fileno STDIN, 1) = 1;
    $end = 1 if select($bits, undef, undef, $left) > 0 && !sysread STDIN, my $said, 4096;
}
my $thawed = count('guest-fsfreeze-thaw', $thaw_s);
print "let go\n" if $end && $thawed;

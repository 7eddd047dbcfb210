# Runs a machine and stays beside it: `machine.pl RESTART SECONDS PROGRAM…`. It is process 1 of the sandbox; the machine ends with it.
#
# What the machine says on its serial line is kept with its times. Told to end, it presses the power button until the guest has gone, for
# so many seconds, and then pulls the plug. A machine that stands still because its disk is full is let go on when there is room. When the
# machine has ended by itself, RESTART says whether this ends too, so that both are started again: always, on-failure or never.
use strict;
use warnings;
use Fcntl;
use POSIX qw(strftime WNOHANG);
use Socket;

my ($restart, $seconds, @program) = @ARGV;
my ($log, $most) = ('/srv/log/serial.log', 4194304);
my ($line_max, $silent_s, $press_s, $go_on_s, $plug_s) = (4096, 2, 5, 5, 5);

my ($ending, $file, $rest, $said_at) = (0, undef, '', 0);
$SIG{TERM} = sub { $ending ||= time };
$SIG{CHLD} = sub { };
$SIG{PIPE} = 'IGNORE';

sub begin {
    open $file, '>>:raw', $log or undef $file;
}

# Keeps a line; on a full disk nothing is kept, and the machine goes on.
sub keep {
    my ($line) = @_;
    $line =~ s/\e\[[0-9;?=]*[A-Za-z]//g;
    $line =~ s/[\x00-\x1f\x7f]//g;
    return if $line eq '';
    begin() unless defined $file;
    my $text = strftime('%Y-%m-%dT%H:%M:%SZ', gmtime) . " $line\n";
    if (defined $file && -s $file > 0 && (-s $file) + length $text > $most) {
        rename $log, "$log.1";
        begin();
    }
    syswrite $file, $text if defined $file;
}

sub hear {
    my ($said) = @_;
    $said_at = time;
    $rest .= $said;
    while ($rest =~ s/^(.*?)\n//s) { keep($1) }
    if (length $rest > $line_max) { keep($rest); $rest = '' }
}

# Inherited by the machine, and by nothing else: there is nothing else.
$^F = 1023;
socketpair my $serial, my $serial_far, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "a serial line: $!\n";
socketpair my $control, my $control_far, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "a control line: $!\n";
my %line = (SERIAL => fileno $serial_far, CONTROL => fileno $control_far);
s/\bfd=(SERIAL|CONTROL)\b/fd=$line{$1}/ for @program;
my $machine = fork;
die "a process: $!\n" unless defined $machine;
if (!$machine) {
    close $serial;
    close $control;
    $SIG{TERM} = 'DEFAULT';
    exec { $program[0] } @program or die "$program[0]: $!\n";
}
close $serial_far;
close $control_far;

sub order { syswrite $control, "{\"execute\": \"$_[0]\"}\n" }
order('qmp_capabilities');
# <agent>
# A system may not heed its power button. Its own agent is then asked too, where there is one: what was left frozen is let go first, and what it
# answers is nobody's to read. A line that is taken, or on which nobody listens, is waited for by nobody.
my $agent;
sub ask_agent {
    undef $agent;
    socket $agent, AF_UNIX, SOCK_STREAM, 0 or return;
    fcntl $agent, F_SETFL, O_NONBLOCK or return;
    connect $agent, pack_sockaddr_un('/tmp/agent.sock') or return;
    syswrite $agent, "\xff{\"execute\": \"guest-fsfreeze-thaw\"}\n{\"execute\": \"guest-shutdown\"}\n";
}
# </agent>

my ($events, $off, $still, $pressed, $went_on) = ('', 0, 0, 0, 0);
sub event {
    my ($event) = @_;
    my ($name) = $event =~ /"event": *"([A-Z_]+)"/ or return;
    $off = 1 if $name eq 'SHUTDOWN' && $event =~ /"reason": *"guest-shutdown"/;
    keep('husorden: the server was reset') if $name eq 'RESET' && $event =~ /"guest": *true/;
    keep('husorden: the server crashed') if $name eq 'GUEST_PANICKED';
    if ($name eq 'BLOCK_IO_ERROR' && !$still) {
        keep('husorden: the disk does not take what the server writes; it stands still until there is room');
        ($still, $went_on) = (1, time);
    }
}

my $status;
until (defined $status) {
    my $ready = '';
    vec($ready, fileno $_, 1) = 1 for grep { defined } $serial, $control;
    my $count = select $ready, undef, undef, 0.5;
    if ($count > 0) {
        if (defined $serial && vec $ready, fileno $serial, 1) {
            if (sysread $serial, my $said, 65536) { hear($said) } else { undef $serial }
        }
        if (defined $control && vec $ready, fileno $control, 1) {
            if (sysread $control, $events, 65536, length $events) {
                while ($events =~ s/^(.*?)\n//s) { event($1) }
            } else { undef $control }
        }
    }
    my $now = time;
    # A question that waits for its answer has no end of line.
    if ($rest ne '' && $now - $said_at >= $silent_s) { keep($rest); $rest = '' }
    if (defined $control) {
        if ($ending && $now - $ending >= $seconds) {
            order('quit') if $now - $pressed >= 1;
            $pressed = $now;
        } elsif ($ending && $now - $pressed >= $press_s) {
            # <agent>
            ask_agent() if $pressed;
            # </agent>
            order('system_powerdown');
            $pressed = $now;
        }
        if ($still && !$ending && $now - $went_on >= $go_on_s) {
            order('cont');
            ($still, $went_on) = (0, $now);
        }
    }
    kill 'TERM', $machine if $ending && $now - $ending >= $seconds + $plug_s;
    $status = $? if waitpid($machine, WNOHANG) == $machine;
}
while (defined $serial && sysread $serial, my $said, 65536) { hear($said) }
keep($rest);
exit 0 if $ending;

my $failed = !($status == 0 && $off);
keep($failed ? "husorden: the machine ended ($status)" : 'husorden: the server has powered itself off');
exit($failed ? 1 : 0) if $restart eq 'always' || ($failed && $restart eq 'on-failure');
# It stays off until somebody starts it: that ends this, and begins another.
keep('husorden: it stays off until it is stopped and started');
select undef, undef, undef, 1 until $ending;
exit 0;

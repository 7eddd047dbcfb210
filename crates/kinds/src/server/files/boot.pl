# Boots a guest with the words that it is given, and says whether that came up: `boot.pl SECONDS PROGRAM…`. A guest has come up when its serial
# line asks for a log-in, or says as the tiny one does that it is there. One that can't may stand still for ever, or say so and stand still:
# neither is waited for.
use strict;
use warnings;

my ($seconds, @program) = @ARGV;
my $kept = 4000;
pipe my $from, my $to or die "a pipe: $!\n";
my $machine = fork;
die "a process: $!\n" unless defined $machine;
if (!$machine) {
    open STDOUT, '>&', $to or die "standard output: $!\n";
    open STDERR, '>&', $to or die "standard error: $!\n";
    close $from;
    exec { $program[0] } @program or die "$program[0]: $!\n";
}
close $to;

my $said = '';
sub over {
    my ($why) = @_;
    kill 'KILL', $machine;
    waitpid $machine, 0;
    $said =~ s/\e\[[0-9;?=]*[A-Za-z]//g;
    $said =~ s/[^\x20-\x7e]+/ /g;
    die "$why. Its last words: ", length $said > 400 ? substr($said, -400) : $said, "\n";
}
$SIG{ALRM} = sub { over("no guest came up within $seconds s") };
alarm $seconds;
while (sysread $from, my $more, 4096) {
    $said .= $more;
    $said = substr $said, -$kept if length $said > $kept;
    if ($said =~ /^tiny: boot \d+ of|\blogin: *$/m) {
        alarm 0;
        kill 'KILL', $machine;
        waitpid $machine, 0;
        my $size = -s '/srv/vm/disk.raw';
        print "count\tdisk.bytes\t$size\n" if defined $size;
        m{/([^/]+)\.raw$} and print "count\tdisk.$1.bytes\t", -s $_, "\n" for glob '/srv/vm/disks/*.raw';
        print "word\tserial\ta log-in\nend\n";
        exit 0;
    }
    over('no guest boots') if $said =~ /KVM internal error|emulation failure|Kernel panic|grub rescue>/;
}
over('the machine ended');

# Asks the machine what its disks have read and written together, and says it as numbers by name.
use strict;
use warnings;
use Socket;

$SIG{ALRM} = sub { die "the machine does not answer\n" };
alarm 5;
# One that powered itself off leaves a socket at which nobody answers.
grep { my $name; open $name, '<', $_ and (<$name> // '') =~ /^qemu-system/ } glob '/proc/[0-9]*/comm' or die "the machine is off\n";
socket my $line, AF_UNIX, SOCK_STREAM, 0 or die "$!\n";
connect $line, pack_sockaddr_un('/run/s/qemu.sock') or die "the machine: $!\n";
syswrite $line, "{\"execute\": \"qmp_capabilities\"}\n{\"execute\": \"query-blockstats\"}\n";
# An object of JSON, with all that is in it.
my $object = qr/(\{(?:[^{}"]|"(?:[^"\\]|\\.)*"|(?1))*\})/;
while (my $said = <$line>) {
    $said =~ s/^\{"return": *\[// or next;
    my %sum = (rd => 0, wr => 0);
    while ($said =~ /$object/g) {
        my $device = $1;
        # The disks of the customer alone, and no first settings, firmware or system of a rescue.
        $device =~ m{"qdev": *"(?:[^"]*/)?disk(?:0|-[a-z0-9-]+)[/"]} or next;
        # What is said of what lies beneath a device counts the same bytes.
        my %most;
        while ($device =~ /"(rd|wr)_bytes": *(\d+)/g) { $most{$1} = $2 if !defined $most{$1} || $2 > $most{$1} }
        $sum{$_} += $most{$_} // 0 for keys %sum;
    }
    print "disk-read $sum{rd}\ndisk-written $sum{wr}\n";
    exit 0;
}
die "the machine hung up\n";

# Asks the machine for a picture of its screen and says it as a PNG. One that was started before there were screens has none.
use strict;
use warnings;
use Socket;

die "no screen\n" unless -S '/tmp/screen.sock';
my $file = "/tmp/picture.$$.png";
END { unlink $file if defined $file }
$SIG{ALRM} = sub { die "the machine does not answer\n" };
alarm 8;
# One that powered itself off leaves a socket at which nobody answers.
grep { my $name; open $name, '<', $_ and (<$name> // '') =~ /^qemu-system/ } glob '/proc/[0-9]*/comm' or die "the machine is off\n";
socket my $line, AF_UNIX, SOCK_STREAM, 0 or die "$!\n";
connect $line, pack_sockaddr_un('/run/s/qemu.sock') or die "the machine: $!\n";
syswrite $line, "{\"execute\": \"qmp_capabilities\"}\n"
    . "{\"execute\": \"screendump\", \"id\": \"picture\", \"arguments\": {\"filename\": \"$file\", \"format\": \"png\"}}\n";
while (my $said = <$line>) {
    next unless $said =~ /"id": *"picture"/;
    die "the machine: $1\n" if $said =~ /"desc": *"([^"]*)"/;
    open my $picture, '<:raw', $file or die "a picture: $!\n";
    binmode STDOUT;
    my $piece;
    while (read $picture, $piece, 65536) { print $piece }
    exit 0;
}
die "the machine hung up\n";

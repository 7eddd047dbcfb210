# Writes another system identifier into a cluster's control file: `identify.pl DATADIR NUMBER`. The cluster must be at rest, and
# pg_resetwal must be run afterwards, for its log begins with the identifier too.
#
# What pg_resetwal and the server make from then on in the log's folder is written in place (FS_NOCOW_FL): each commit then has fewer
# blocks to wait for. The log has checksums of its own; data keeps those of the file system.
#
# The control file begins with the identifier, in the machine's own order of bytes, and ends with a CRC-32C of all that comes
# before it (src/include/catalog/pg_control.h). Where it ends differs between versions: the checksum tells.
use strict;
use warnings;
use Fcntl qw(O_RDONLY O_DIRECTORY);

my ($data, $number) = @ARGV;
my $path = "$data/global/pg_control";
my @table = map {
    my $entry = $_;
    $entry = $entry & 1 ? ($entry >> 1) ^ 0x82F63B78 : $entry >> 1 for 1 .. 8;
    $entry;
} 0 .. 255;

# The checksum goes on from where it stood: each place where the file may end costs no more than the bytes since the last.
sub more {
    my ($sum, $bytes) = @_;
    $sum = $table[($sum ^ $_) & 0xFF] ^ ($sum >> 8) for unpack 'C*', $bytes;
    return $sum;
}

sub checksum { return more(0xFFFFFFFF, shift) ^ 0xFFFFFFFF }

open my $file, '+<:raw', $path or die "opening $path: $!\n";
read $file, my $bytes, 1024 or die "reading $path: $!\n";
my ($end, $at, $sum);
for ($at = 128, $sum = more(0xFFFFFFFF, substr $bytes, 0, $at); $at <= 800; $at += 4) {
    $end = $at, last if ($sum ^ 0xFFFFFFFF) == unpack 'L', substr $bytes, $at, 4;
    $sum = more($sum, substr $bytes, $at, 4);
}
defined $end or die "$path is no control file that is whole\n";
my $body = pack('Q', $number) . substr $bytes, 8, $end - 8;
seek $file, 0, 0 or die "writing $path: $!\n";
print $file $body, pack 'L', checksum($body) or die "writing $path: $!\n";
close $file or die "writing $path: $!\n";

# FS_IOC_SETFLAGS with FS_NOCOW_FL; a file system that knows neither loses nothing by it.
if (sysopen my $log, "$data/pg_wal", O_RDONLY | O_DIRECTORY) {
    my $flags = pack 'l!', 0x00800000;
    ioctl $log, 0x40086602, $flags;
}

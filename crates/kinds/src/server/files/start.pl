# Starts the machine with the disks that are to be in it beside the first: `start.pl PROGRAM…`, of which the last words are QEMU's own. Whoever
# brings disks to a machine that runs (`disks.pl`) has its words from here.
use strict;
use warnings;

# The disk's file as QEMU opens it: buffered, and what the guest discards is given back.
sub node {
    my ($name) = @_;
    return qq({"driver":"raw","node-name":"extra-$name","cache":{"direct":false},"discard":"unmap","detect-zeroes":"unmap",)
        . qq("file":{"driver":"file","filename":"/srv/vm/disks/$name.raw","cache":{"direct":false},"discard":"unmap"}});
}

# The disk as the guest sees it.
sub device {
    my ($name) = @_;
    return qq({"driver":"scsi-hd","id":"disk-$name","bus":"scsi.0","drive":"extra-$name","serial":"$name","device_id":"$name",)
        . qq("write-cache":"on","werror":"stop","rerror":"report"});
}

# What is wished: each disk's name, bytes, and whether it is in the machine or out of it.
sub read_disks {
    my ($from) = @_;
    my %disks;
    while (my $line = <$from>) {
        my ($name, $bytes, $how) = $line =~ /^([a-z][a-z0-9-]{0,19}) ([0-9]+) (in|out)$/ or die "no disk: $line";
        $disks{$name} = {bytes => $bytes, in => $how eq 'in'};
    }
    return %disks;
}

unless (caller) {
    my @program = @ARGV;
    if (open my $list, '<', '/srv/vm/disks.list') {
        my %disks = read_disks($list);
        # One whose file is still being made is brought by whoever makes it.
        for my $name (grep { $disks{$_}{in} && -f "/srv/vm/disks/$_.raw" } sort keys %disks) {
            push @program, '-blockdev', node($name), '-device', device($name);
        }
    }
    exec { $program[0] } @program or die "$program[0]: $!\n";
}
1;

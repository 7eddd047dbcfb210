# Makes the disk of first settings (cloud-init's NoCloud) from standard input: keys, network and user data, with a NUL between.
set -eu
mkdir /tmp/seed
perl -e '
    use strict; use warnings; use POSIX ();
    local $/;
    my ($meta, $network, $user) = split /\0/, <STDIN>, 3;
    my $name = (POSIX::uname())[1];
    my %file = ("meta-data" => "local-hostname: \"$name\"\n$meta", "network-config" => $network, "user-data" => $user);
    for my $path (sort keys %file) {
        open my $out, ">:raw", "/tmp/seed/$path" or die "$path: $!";
        print $out $file{$path};
        close $out or die "$path: $!";
    }
'
cd /srv/vm
rm -f seed.new
genisoimage -quiet -volid cidata -joliet -rock -o seed.new /tmp/seed/meta-data /tmp/seed/network-config /tmp/seed/user-data
chmod 600 seed.new
mv seed.new seed.iso

# Says what somebody meets who broke out of the machine: a port that somebody listens on, and a file that everybody may read, are given.
use strict;
use warnings;
use Socket;

my ($port, $file) = @ARGV;

sub meets {
    my ($family, $address) = @_;
    socket my $socket, $family, SOCK_STREAM, 0 or return 'no';
    my $met = eval { local $SIG{ALRM} = sub { die "in vain\n" }; alarm 2; connect($socket, $address) ? 'yes' : 'no' };
    alarm 0;
    return $met // 'no';
}

print 'own socket: ', meets(AF_UNIX, pack_sockaddr_un('/run/s/qemu.sock')), "\n";
print 'abstract socket: ', meets(AF_UNIX, pack_sockaddr_un("\0husorden-probed")), "\n";
print "$_: ", meets(AF_INET, pack_sockaddr_in($port, inet_aton($_))), "\n" for qw(127.0.0.1 192.0.2.1 169.254.1.2);
print 'file: ', (open(my $seen, '<', $file) ? 'yes' : 'no'), "\n";

# Every folder that it sees and may write in.
my (@all, @written) = ('');
while (defined(my $folder = shift @all)) {
    next if $folder =~ m{^/(?:proc|sys)$};
    if (open my $made, '>', "$folder/probe") { push @written, $folder || '/'; unlink "$folder/probe" }
    opendir my $entries, $folder || '/' or next;
    push @all, map { "$folder/$_" } grep { !/^\.\.?$/ && !-l "$folder/$_" && -d _ } readdir $entries;
}
print 'written: ', join(' ', sort @written), "\n";

# The keeper, the machine, and this one with what started it.
my %own = map { $_ => 1 } 1, $$;
my @others = grep { my $pid = $_; !$own{$pid} && do { open my $name, '<', "/proc/$pid/comm"; my $is = <$name> // ''; $is !~ /^(?:qemu-system|perl)/ } } map { m{/(\d+)$} } glob '/proc/[0-9]*';
print "others' processes: ", scalar @others, "\n";
print 'raw socket: ', (socket(my $raw, AF_INET, SOCK_RAW, 1) ? 'yes' : 'no'), "\n";
# unshare(2) of a user namespace.
print 'namespace: ', (syscall(272, 0x10000000) == 0 ? 'yes' : 'no'), "\n";

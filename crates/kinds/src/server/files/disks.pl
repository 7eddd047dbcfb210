# Brings the disks beside the first to what is wished, which stands on standard input: their files, and the machine if it runs. What goes is
# taken from the machine before its file is touched. Whatever breaks off is begun again from what is there, for so many seconds.
use strict;
use warnings;
use Fcntl;
use IO::Handle;
use Socket;

# Room for a machine that is answering somebody else, and for one that is just starting.
my ($seconds, $off_s) = (60, 10);
my ($vm, $socket) = ('/srv/vm', '/run/s/qemu.sock');
# A question about a lock of an open file (F_OFD_GETLK), and where QEMU has its locks: the bytes of what it does, and of what others may.
my ($ask_lock, $locks_at, $locks) = (36, 100, 200);
my ($gentle_s, $often_s) = (1, 0.2);

require '/run/conf/start.pl';
my %disks = read_disks(\*STDIN);
my $until = time + $seconds;
my ($line, $heard, $asked) = (undef, '', 0);

# Whether QEMU has a file open. Its own locks say so, whatever else is known.
sub held {
    my ($path) = @_;
    open my $file, '+<', $path or return 0;
    my $lock = pack 's s x4 q q l x4', F_WRLCK, 0, $locks_at, $locks, 0;
    fcntl $file, $ask_lock, $lock or die "$path: $!\n";
    return (unpack 's', $lock)[0] != F_UNLCK;
}

# One line of what the machine says; none when it says nothing for so long.
sub hear {
    my ($patience) = @_;
    my $end = time + $patience;
    while (1) {
        return $1 if $heard =~ s/^(.*?)\n//s;
        return undef if time > $end;
        my $ready = '';
        vec($ready, fileno $line, 1) = 1;
        next if select($ready, undef, undef, $often_s) < 1;
        sysread $line, $heard, 65536, length $heard or die "the machine hung up\n";
    }
}

sub ask {
    my ($verb, $with) = @_;
    $asked++;
    my $arguments = defined $with ? ", \"arguments\": $with" : '';
    syswrite $line, "{\"execute\": \"$verb\", \"id\": \"$asked\"$arguments}\n" or die "the machine: $!\n";
    while (1) {
        my $said = hear($until > time ? $until - time : 1);
        die "the machine does not answer\n" unless defined $said;
        next unless $said =~ /"id": *"$asked"/;
        die "$verb: $1\n" if $said =~ /"error".*"desc": *"((?:[^"\\]|\\.)*)"/;
        return $said;
    }
}

# A connection, without waiting for one: where nobody takes them the queue of those who wait is full at some time.
sub connects {
    socket $line, AF_UNIX, SOCK_STREAM, 0 or die "a socket: $!\n";
    my $flags = fcntl $line, F_GETFL, 0 or die "a socket: $!\n";
    fcntl $line, F_SETFL, $flags | O_NONBLOCK or die "a socket: $!\n";
    my $there = connect $line, pack_sockaddr_un($socket);
    fcntl $line, F_SETFL, $flags or die "a socket: $!\n";
    return $there;
}

# Whether there is a machine to speak to. One that powered itself off leaves a socket at which nobody answers, and has no disk open.
sub meets {
    ($line, $heard) = (undef, '');
    return 0 if $ENV{MACHINE} eq 'off';
    my $end = time + $off_s;
    my $there = 0;
    while (1) {
        $there ||= connects();
        last if $there && defined hear(1);
        if (time >= $end && !held("$vm/disk.raw")) { $line = undef; return 0 }
        die "the machine does not answer\n" if time >= $until;
        select undef, undef, undef, $often_s unless $there;
    }
    ask('qmp_capabilities');
    return 1;
}

# The disks that the guest sees.
sub devices {
    my $said = ask('qom-list', '{"path": "/machine/peripheral"}');
    return map { $_ => 1 } $said =~ /"name": *"disk-([a-z][a-z0-9-]*)"/g;
}

# The disks' files that the machine has open.
sub nodes {
    my $said = ask('query-named-block-nodes', '{"flat": true}');
    return map { $_ => 1 } $said =~ /"node-name": *"extra-([a-z][a-z0-9-]*)"/g;
}

sub wants { my ($name) = @_; return exists $disks{$name} && $disks{$name}{in} }

# Takes from the machine what is not to be in it.
sub take_out {
    my %going = devices();
    delete @going{grep { wants($_) } keys %going};
    for my $name (sort keys %going) {
        # Asked again, one that is on its way is only said to be.
        eval { ask('device_del', "{\"id\": \"disk-$name\"}") };
        my %left = devices();
        while ($left{$name}) {
            die "the server does not let go of $name\n" if time >= $until;
            select undef, undef, undef, $often_s;
            %left = devices();
        }
    }
    # What was begun and broke off is begun anew: nobody holds such a file, so it may have grown unseen.
    my %open = nodes();
    my %seen = devices();
    ask('blockdev-del', "{\"node-name\": \"extra-$_\"}") for grep { !$seen{$_} } sort keys %open;
}

# The files, as far as nobody has them open.
sub files {
    -d "$vm/disks" or mkdir "$vm/disks", 0700 or die "$vm/disks: $!\n";
    for my $path (glob "$vm/disks/*") {
        my ($name) = $path =~ m{/([^/]+)\.raw$};
        next if defined $name && $disks{$name};
        die "$path is open\n" if held($path);
        unlink $path or die "$path: $!\n";
    }
    for my $name (sort keys %disks) {
        my $path = "$vm/disks/$name.raw";
        my $new = -f $path ? $path : "$path.new";
        next if -f $path && (-s $path >= $disks{$name}{bytes} || held($path));
        sysopen my $file, $new, O_RDWR | O_CREAT, 0600 or die "$new: $!\n";
        truncate $file, $disks{$name}{bytes} or die "$new: $!\n";
        rename $new, $path or die "$path: $!\n" if $new ne $path;
    }
}

# Puts into the machine what is to be in it, as large as it is to be.
sub put_in {
    my %open = nodes();
    my %seen = devices();
    for my $name (grep { wants($_) } sort keys %disks) {
        ask('blockdev-add', node($name)) unless $open{$name};
        if (-s "$vm/disks/$name.raw" < $disks{$name}{bytes}) {
            ask('block_resize', "{\"node-name\": \"extra-$name\", \"size\": $disks{$name}{bytes}}");
        }
        ask('device_add', device($name)) unless $seen{$name};
    }
}

# A machine that starts from here on starts with what is wished.
open my $list, '>', "$vm/disks.list.new" or die "the list: $!\n";
print $list map { "$_ $disks{$_}{bytes} " . ($disks{$_}{in} ? 'in' : 'out') . "\n" } sort keys %disks;
$list->flush && $list->sync && close $list or die "the list: $!\n";
rename "$vm/disks.list.new", "$vm/disks.list" or die "the list: $!\n";

until (eval {
    my $runs = meets();
    take_out() if $runs;
    files();
    put_in() if $runs;
    for my $name (sort keys %disks) {
        die "$name is smaller than it is to be\n" if -s "$vm/disks/$name.raw" < $disks{$name}{bytes};
    }
    1;
}) {
    die $@ if time >= $until;
    select undef, undef, undef, $gentle_s;
}

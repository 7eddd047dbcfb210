# Whether the machine runs, asked of the machine itself.
exec perl -e '
    use strict; use warnings; use Socket;
    $SIG{ALRM} = sub { die "the machine does not answer\n" };
    alarm 30;
    socket my $line, AF_UNIX, SOCK_STREAM, 0 or die "$!\n";
    connect $line, pack_sockaddr_un("/run/s/qemu.sock") or die "the machine: $!\n";
    syswrite $line, "{\"execute\": \"qmp_capabilities\"}\n{\"execute\": \"query-status\"}\n";
    while (my $said = <$line>) {
        exit 0 if $said =~ /"status": *"running"/;
        die "the machine: $1\n" if $said =~ /"status": *"([a-z-]+)"/;
    }
    die "the machine hung up\n";
'

# Tells WordPress where its data lies: the values of DB_NAME, DB_USER, DB_PASSWORD and DB_HOST stand on standard input, a line each.
# The file is changed by a rename, so that it says the one thing or the other.
use strict;
use warnings;
my $path = '/srv/www/wp-config.php';
my $away = $ARGV[0] eq 'away';
my %value;
for my $name (qw(DB_NAME DB_USER DB_PASSWORD DB_HOST)) {
    my $line = <STDIN>;
    die "the order is too short\n" unless defined $line;
    chomp $line;
    die "a value that needs quoting\n" if $line =~ /['\\]/;
    $value{$name} = $line;
}
open my $in, '<', $path or die "wp-config.php cannot be read: $!\n";
my $text = do { local $/; <$in> };
close $in;
for my $name (sort keys %value) {
    my $found = $text =~ s/^([ \t]*define\(\s*(['"])$name\2\s*,\s*)(?:'[^'\n]*'|"[^"\n]*")(\s*\)\s*;.*)$/${1}'$value{$name}'${3}/mg;
    die "wp-config.php does not name $name once, in the usual way: change it by hand\n" unless $found && $found == 1;
}
$text =~ s/^define\( 'MYSQL_CLIENT_FLAGS', MYSQLI_CLIENT_SSL \);\n//mg;
$text =~ s/^(?=[ \t]*define\(\s*['"]DB_HOST)/define( 'MYSQL_CLIENT_FLAGS', MYSQLI_CLIENT_SSL );\n/m if $away;
my $mode = (stat $path)[2] & 0777;
open my $out, '>', "$path.new" or die "wp-config.php cannot be written: $!\n";
chmod $mode & 0700, "$path.new";
print $out $text or die "wp-config.php cannot be written: $!\n";
close $out or die "wp-config.php cannot be written: $!\n";
rename "$path.new", $path or die "wp-config.php cannot be written: $!\n";

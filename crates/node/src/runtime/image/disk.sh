# Makes `disk.raw`: a GPT disk whose root filesystem holds what was installed, and that starts by its own loader from BIOS and from UEFI.
# Runs in the tools' runtime, as an unprivileged uid without network. `/mnt` has what was installed (`root.tar`) and the entry's own
# files (`own/`); the working directory becomes the image. $1: size of the disk in MiB.
set -eu
umask 022
size_mib=$1
archive=/mnt/root.tar
own=/mnt/own
mkdir work
cd work
export TMPDIR="$PWD" MTOOLS_SKIP_CHECK=1
if [ -e "$own/fill.sh" ]; then
    . "$own/fill.sh"
    filling=root
else
    filling=$archive
fi

# Sectors of 512 bytes. The root filesystem comes last, so that it can grow with the disk.
bios=2048
esp=4096
esp_kib=8192
root=$((esp + esp_kib * 2))
end=$((size_mib * 2048 - 2048))
truncate -s "${size_mib}M" ../disk.raw
sfdisk --quiet ../disk.raw <<TABLE
label: gpt
start=$bios, size=2048, type=21686148-6449-6E6F-744E-656564454649, name=bios
start=$esp, size=$((esp_kib * 2)), type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=esp
start=$root, size=$((end - root)), type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, name=root
TABLE

# The loader itself knows the simplest words only; what it goes by lies beside it. The kernel is told not to try out its timer: it counts ticks
# over milliseconds, and in a machine that is emulated on a busy host it may get none in that time and panic. With virtualisation it does not try.
cat > early.cfg <<'CFG'
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
search --no-floppy --label ESP --set=esp
normal ($esp)/grub.cfg
CFG
cat > grub.cfg <<'CFG'
search --no-floppy --label root --set=root
echo "The disk's own loader starts the system."
if [ -f ($root)/boot/grub/grub.cfg ]; then
    configfile ($root)/boot/grub/grub.cfg
fi
set timeout=0
linux ($root)/vmlinuz root=LABEL=root ro no_timer_check console=tty0 console=ttyS0,115200
initrd ($root)/initrd.img
boot
CFG
modules="part_gpt fat ext2 search search_label normal configfile linux echo test serial terminal all_video gzio"
grub-mkimage -O x86_64-efi -c early.cfg -p /boot/grub -o boot.efi $modules
grub-mkimage -O i386-pc -c early.cfg -p /boot/grub -o core.img biosdisk $modules

truncate -s "${esp_kib}K" esp.img
mkfs.vfat -n ESP esp.img > /dev/null
mmd -i esp.img ::/EFI ::/EFI/BOOT
mcopy -i esp.img boot.efi ::/EFI/BOOT/BOOTX64.EFI
mcopy -i esp.img grub.cfg ::/grub.cfg
dd if=esp.img of=../disk.raw bs=512 seek=$esp conv=notrunc,sparse status=none

mke2fs -q -t ext4 -L root -d "$filling" -E "offset=$((root * 512)),root_owner=0:0" ../disk.raw "$(((end - root) / 2))k" 2> mke2fs.log \
    || { cat mke2fs.log >&2; exit 1; }

# What grub-bios-setup writes, without a device: the first sector's code says where the loader begins, and the loader's first sector
# where the rest of it lies.
perl -e '
    use strict; use warnings;
    my ($disk, $code, $core, $at) = @ARGV;
    sub whole { open my $file, "<:raw", $_[0] or die "$_[0]: $!"; local $/; <$file> }
    my ($first, $loader) = (whole($code), whole($core));
    my $sectors = int((length($loader) + 511) / 512);
    die "the loader is larger than its partition\n" if $sectors > 2048;
    substr($first, 0x5c, 8) = pack "Q<", $at;
    substr($loader, 0x1f4, 12) = pack "Q<S<S<", $at + 1, $sectors - 1, 0x820;
    open my $out, "+<:raw", $disk or die "$disk: $!";
    print $out substr $first, 0, 440;
    seek $out, $at * 512, 0;
    print $out $loader;
    close $out or die "$disk: $!";
' ../disk.raw /usr/lib/grub/i386-pc/boot.img core.img "$bios"
cd ..
rm -rf work
chmod 644 disk.raw

# Fills the root filesystem of the tiny guest: its kernel, and an initramfs that holds all it runs. `$archive` is what was unpacked, `root`
# is to be filled.
mkdir unpacked root ram
tar -xf "$archive" -C unpacked --exclude='./dev/*'
version=$(ls unpacked/usr/lib/modules)
cp "unpacked/boot/vmlinuz-$version" root/vmlinuz

mkdir -p ram/bin ram/sbin ram/dev ram/proc ram/sys ram/run ram/tmp ram/disk ram/seed ram/root ram/etc/dropbear ram/etc/acpi/PWRF ram/lib64 \
    ram/lib/x86_64-linux-gnu "ram/lib/modules/$version"
cp unpacked/usr/bin/busybox unpacked/usr/sbin/dropbear unpacked/usr/bin/dropbearkey unpacked/usr/sbin/qemu-ga ram/bin/
for library in libtomcrypt libtommath libcrypt libz libc libgmp libutil libudev libnuma liburing libglib-2.0 libgmodule-2.0 libm libatomic \
    libpcre2-8 libcap; do
    # By the name that programs know them by, and not once more by their version.
    cp -L unpacked/usr/lib/x86_64-linux-gnu/$library.so.[0-9] unpacked/usr/lib/x86_64-linux-gnu/$library.so.[0-9][0-9] \
        ram/lib/x86_64-linux-gnu/ 2>/dev/null || true
done
cp -L unpacked/usr/lib64/ld-linux-x86-64.so.2 ram/lib64/
for module in virtio_blk virtio_net net_failover failover virtio-rng virtio_console button evdev cdrom isofs virtio_scsi sd_mod scsi_mod scsi_common; do
    find "unpacked/usr/lib/modules/$version" -name "$module.ko.xz" -exec cp {} "ram/lib/modules/$version/" \;
done
unxz ram/lib/modules/"$version"/*.xz
cp "unpacked/usr/lib/modules/$version"/modules.order "unpacked/usr/lib/modules/$version"/modules.builtin* "ram/lib/modules/$version/"
depmod -b ram "$version"

cp "$own/init" ram/init
echo 'root:x:0:0:root:/root:/bin/sh' > ram/etc/passwd
# No password has this hash, and who asks for one at the screen is told that it is wrong.
echo 'root:$6$nobody$*:19000:0:99999:7:::' > ram/etc/shadow
echo '/bin/sh' > ram/etc/shells
printf '#!/bin/sh\necho "tiny: the power button was pressed" > /dev/console\nsync\numount /disk\npoweroff -f\n' > ram/etc/acpi/PWRF/00000080
printf '#!/bin/sh\necho "tiny: the agent was asked to turn it off" > /dev/console\nsync\numount /disk\npoweroff -f\n' > ram/sbin/shutdown
chmod 755 ram/init ram/etc/acpi/PWRF/00000080 ram/sbin/shutdown ram/bin/*
chmod 700 ram/root ram/etc/dropbear
(cd ram && find . | sort | cpio --quiet -o -H newc -R 0:0) | gzip -9 > root/initrd.img
chmod 644 root/*

#!/bin/bash
# common/block on disks with bad sectors and encrypted ones (device-mapper), growing ext4, and vfat: many test machines' kernels lack the
# first and the last, and their root the right to do the second.
source "$(dirname "$0")/../../tap.sh"

test_program=$(cd "$(dirname "$0")/../../.." && pwd)/build/guest/bin/block_kernel_test

plan 5
check "the modules load" modprobe -a loop dm-mod dm-crypt xts algif_skcipher vfat nls_cp437 nls_iso8859-1
check "ext4 and ext3 grow while they are mounted" "$test_program" 'ext4 grows*'
check "vfat is made, checked and mounted" "$test_program" 'vfat*'
check "what cannot be read is not blank, and what is stood on is in use" "$test_program" 'A device*,A bad sector*'
check "an encrypted disk opens by its passphrase, and is made once" "$test_program" '[encryption]'

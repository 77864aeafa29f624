// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Everything that runs in the kernel of a governed host: one object, so that it is loaded whole
 * or not at all.
 */
#include <linux/bpf.h>

#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "judge.bpf.h"
#include "remember.bpf.h"
#include "links.bpf.h"
#include "hook.bpf.h"

#include "hooks/exec.h"
#include "hooks/file.h"
#include "hooks/mount.h"
#include "hooks/descriptor.h"
#include "hooks/attribute.h"
#include "hooks/network.h"
#include "hooks/guard_task.h"
#include "hooks/process.h"
#include "hooks/guard_kernel.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

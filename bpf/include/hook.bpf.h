/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One body, two programs: on the LSM hook, and as fmod_ret on the function that calls it, for
 * kernels where `bpf` is not in the list of active LSMs. User space loads one of the two.
 */
#ifndef TYR_HOOK_BPF_H
#define TYR_HOOK_BPF_H

/* The context is an array of 64-bit words; ___bpf_ctx_cast makes a pointer of each. */
#define TYR_CAST_BEGIN _Pragma("GCC diagnostic push") \
	_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")
#define TYR_CAST_END _Pragma("GCC diagnostic pop")

/*
 * What a hook may answer. From 6.8 on verifiers want to see it, so the compiler must neither know
 * that these are the only answers already, nor compute them without a branch.
 */
static __always_inline int tyr_answer(long result)
{
	tyr_opaque(result);
	if (result == -ENOMEM) {
		asm volatile("" ::: "memory");
		return -ENOMEM;
	}
	if (result) {
		asm volatile("" ::: "memory");
		return -EPERM;
	}
	return 0;
}

#define TYR_PROGRAM(section, program, name, args...)						\
	SEC(section)										\
	int program(unsigned long long *ctx)							\
	{											\
		TYR_CAST_BEGIN									\
		return tyr_answer(tyr_on_##name(___bpf_ctx_cast(args)));			\
		TYR_CAST_END									\
	}

#define TYR_HOOK(name, hook, function, args...)							\
	static __always_inline int tyr_on_##name(unsigned long long *ctx, ##args);		\
	TYR_PROGRAM("lsm/" hook, lsm_##name, name, ##args)					\
	TYR_PROGRAM("fmod_ret/" function, fmod_##name, name, ##args)				\
	static __always_inline int tyr_on_##name(unsigned long long *ctx, ##args)

/* For hooks without a result, which fmod_ret refuses. */
#define TYR_HOOK_VOID(name, hook, function, args...)						\
	static __always_inline int tyr_on_##name(unsigned long long *ctx, ##args);		\
	TYR_PROGRAM("lsm/" hook, lsm_##name, name, ##args)					\
	TYR_PROGRAM("fentry/" function, fmod_##name, name, ##args)				\
	static __always_inline int tyr_on_##name(unsigned long long *ctx, ##args)

#endif

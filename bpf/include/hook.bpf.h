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

#define TYR_HOOK(name, hook, function, args...)							\
	static __always_inline int tyr_on_##name(unsigned long long *ctx, ##args);		\
	SEC("lsm/" hook)									\
	int lsm_##name(unsigned long long *ctx)							\
	{											\
		TYR_CAST_BEGIN									\
		return tyr_on_##name(___bpf_ctx_cast(args));					\
		TYR_CAST_END									\
	}											\
	SEC("fmod_ret/" function)								\
	int fmod_##name(unsigned long long *ctx)						\
	{											\
		TYR_CAST_BEGIN									\
		return tyr_on_##name(___bpf_ctx_cast(args));					\
		TYR_CAST_END									\
	}											\
	static __always_inline int tyr_on_##name(unsigned long long *ctx, ##args)

/* For hooks without a result, which fmod_ret refuses. */
#define TYR_HOOK_VOID(name, hook, function, args...)						\
	static __always_inline int tyr_on_##name(unsigned long long *ctx, ##args);		\
	SEC("lsm/" hook)									\
	int lsm_##name(unsigned long long *ctx)							\
	{											\
		TYR_CAST_BEGIN									\
		return tyr_on_##name(___bpf_ctx_cast(args));					\
		TYR_CAST_END									\
	}											\
	SEC("fentry/" function)									\
	int fmod_##name(unsigned long long *ctx)						\
	{											\
		TYR_CAST_BEGIN									\
		return tyr_on_##name(___bpf_ctx_cast(args));					\
		TYR_CAST_END									\
	}											\
	static __always_inline int tyr_on_##name(unsigned long long *ctx, ##args)

#endif

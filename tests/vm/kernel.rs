//! What the other tests assume of the kernel they run on.

use tyr::kernel::features;
use tyr::kernel::object::EnforcementMode;

use crate::guest::GUEST;

#[test]
fn the_kernel_can_enforce() {
    let list = features::lsm_list().expect("securityfs");
    assert!(list.split(',').any(|name| name == "bpf"), "active LSMs: {list}");
    assert!(features::has_btf());
    assert!(features::has_bpf_fs());
    assert_eq!(GUEST.programs.mode(), EnforcementMode::Lsm, "{:?}", GUEST.programs.limits());
}

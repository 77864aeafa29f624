//! Which container a cgroup is of.

/// Id of the container that the cgroup path belongs to; empty on the host itself.
///
/// Known forms: Docker, containerd, CRI-O and Podman name a cgroup after the container's 64 hex
/// digits, alone or with a prefix and `.scope`; LXC and systemd-nspawn name it by a word.
pub fn id(cgroup: &str) -> String {
    for part in cgroup.split('/').rev() {
        let name = part.strip_suffix(".scope").unwrap_or(part);
        let last = name.rsplit(['-', ':']).next().unwrap_or(name);
        if last.len() == 64 && last.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return last.to_owned();
        }
        for prefix in ["lxc.payload.", "machine-"] {
            if let Some(word) = name.strip_prefix(prefix)
                && !word.is_empty()
            {
                return word.to_owned();
            }
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::id;

    #[test]
    fn known_runtimes() {
        let hex = "0123456789abcdef".repeat(4);
        for (cgroup, expected) in [
            (format!("/system.slice/docker-{hex}.scope"), hex.as_str()),
            (format!("/docker/{hex}"), &hex),
            (
                format!("/kubepods.slice/kubepods-burstable.slice/cri-containerd-{hex}.scope"),
                &hex,
            ),
            (format!("/kubepods/pod1/crio-{hex}"), &hex),
            (format!("/machine.slice/libpod-{hex}.scope/container"), &hex),
            (
                format!("/kubepods.slice/pod.slice:cri-containerd:{hex}"),
                &hex,
            ),
            ("/lxc.payload.web/system.slice".to_owned(), "web"),
            ("/machine.slice/machine-box.scope".to_owned(), "box"),
            ("/user.slice/user-1000.slice/session-2.scope".to_owned(), ""),
            ("/".to_owned(), ""),
            (String::new(), ""),
        ] {
            assert_eq!(id(&cgroup), expected, "{cgroup}");
        }
    }
}

use proptest::prelude::*;

use super::*;

const OVERLAY: &str = "\
1 0 0:2 / / rw - rootfs rootfs rw
23 1 0:21 / / ro,relatime - 9p /dev/root ro,dirsync
22 23 0:20 / /proc rw,nosuid - proc proc rw
33 23 0:25 / /etc rw,relatime - overlay virtme_rw_overlay0 rw,lowerdir=/etc
61 33 0:23 /tmp/lock /var/lib/dpkg/lock rw,relatime - tmpfs run rw,mode=755
67 36 0:54 / /home/tyr-agent rw,relatime shared:3 master:1 - tmpfs tmpfs rw
";

const BTRFS: &str = "\
30 1 0:27 /@ / rw,relatime shared:1 - btrfs /dev/sda2 rw,subvolid=256,subvol=/@
31 30 0:27 /@home /home rw,relatime shared:2 - btrfs /dev/sda2 rw,subvolid=257,subvol=/@home
32 30 8:1 / /boot rw - ext4 /dev/sda1 rw
40 31 0:27 /@home/u/src /srv/mirror rw - btrfs /dev/sda2 rw
41 30 0:60 / /mnt/with\\040space\\011tab rw - tmpfs tmpfs rw
42 30 0:4 net:[4026531840] /run/netns/x rw - nsfs nsfs rw
";

fn aliases(mounts: &Mounts) -> BTreeMap<u32, Vec<Alias>> {
    mounts
        .superblocks()
        .into_iter()
        .map(|file_system| (file_system.dev, file_system.aliases))
        .collect()
}

fn paths(mounts: &Mounts, dev: u32, path: &str) -> Vec<String> {
    let paths = mounts.host_path(dev, path.as_bytes());
    paths
        .into_iter()
        .map(|path| String::from_utf8(path).unwrap())
        .collect()
}

#[test]
fn lists_the_places_of_each_file_system() {
    let aliases = aliases(&Mounts::parse(BTRFS.as_bytes()));
    let alias = |root: &str, point: &str| Alias {
        root: root.into(),
        mount_point: point.into(),
    };
    assert_eq!(
        aliases[&27],
        [
            alias("/@", "/"),
            alias("/@home", "/home"),
            alias("/@home/u/src", "/srv/mirror")
        ]
    );
    assert_eq!(aliases[&device_number(8, 1)], [alias("/", "/boot")]);
    assert_eq!(device_number(8, 1), 0x80_0001);
    assert_eq!(aliases[&60], [alias("/", "/mnt/with space\ttab")]);
    assert!(!aliases.contains_key(&4), "a namespace is not a tree");
}

#[test]
fn finds_every_name_of_an_object() {
    let mounts = Mounts::parse(BTRFS.as_bytes());
    assert_eq!(paths(&mounts, 27, "/@/etc/passwd"), ["/etc/passwd"]);
    assert_eq!(
        paths(&mounts, 27, "/@home/u/src/a"),
        ["/home/u/src/a", "/srv/mirror/a"]
    );
    assert_eq!(paths(&mounts, 27, "/@home"), ["/home"]);
    assert_eq!(paths(&mounts, 27, "/@homestead/x"), Vec::<String>::new());
    assert_eq!(paths(&mounts, 99, "/x"), Vec::<String>::new());
    assert_eq!(paths(&mounts, 60, ""), ["/mnt/with space\ttab"]);
}

#[test]
fn prefers_names_that_no_mount_covers() {
    let mounts = Mounts::parse(OVERLAY.as_bytes());
    assert_eq!(paths(&mounts, 21, "/usr/bin/git"), ["/usr/bin/git"]);
    assert_eq!(
        paths(&mounts, 21, "/etc/shadow"),
        ["/etc/shadow"],
        "covered, and the only name"
    );
    assert_eq!(paths(&mounts, 25, "/shadow"), ["/etc/shadow"]);
    assert_eq!(paths(&mounts, 21, ""), ["/"]);
    assert_eq!(paths(&mounts, 23, "/tmp/lock"), ["/var/lib/dpkg/lock"]);
}

#[test]
fn finds_the_object_of_a_name() {
    let mounts = Mounts::parse(BTRFS.as_bytes());
    let inside = |path: &str| mounts.inside(path.as_bytes());
    assert_eq!(inside("/etc/passwd"), Some((27, b"/@/etc/passwd".to_vec())));
    assert_eq!(inside("/home/u"), Some((27, b"/@home/u".to_vec())));
    assert_eq!(inside("/boot"), Some((device_number(8, 1), b"".to_vec())));
    assert_eq!(
        inside("/boot/a"),
        Some((device_number(8, 1), b"/a".to_vec()))
    );
    assert_eq!(Mounts::default().inside(b"/x"), None);
}

#[test]
fn leaves_out_what_it_cannot_read() {
    for bad in [
        "",
        "1 2",
        "1 2 x:y / / rw",
        "1 2 0:3 / relative rw",
        "1 2 0:3",
    ] {
        assert_eq!(Mounts::parse(bad.as_bytes()), Mounts::default(), "{bad:?}");
    }
}

#[test]
fn reads_the_table_of_this_machine() {
    let mounts = Mounts::read().unwrap();
    assert!(
        aliases(&mounts)
            .values()
            .flatten()
            .any(|alias| alias.mount_point == b"/")
    );
    let watch = MountWatch::new().unwrap();
    assert!(!watch.wait_for_change(Duration::from_millis(1)).unwrap());
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400), path in ".{0,40}") {
        let mounts = Mounts::parse(&bytes);
        for dev in aliases(&mounts).keys() {
            mounts.host_path(*dev, path.as_bytes());
        }
    }

    #[test]
    fn reads_back_what_the_kernel_escapes(name in proptest::collection::vec(1u8.., 1..40)) {
        let mut escaped = b"1 1 0:9 / /".to_vec();
        for &byte in &name {
            match byte {
                b' ' | b'\t' | b'\n' | b'\\' => escaped.extend(format!("\\{byte:03o}").bytes()),
                _ => escaped.push(byte),
            }
        }
        escaped.extend(b" rw - tmpfs tmpfs rw\n");
        let mounts = Mounts::parse(&escaped);
        prop_assert_eq!(&aliases(&mounts)[&9][0].mount_point, &[b"/", &name[..]].concat());
    }
}

const CONTAINER: &str = "\
700 1 0:90 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/docker/l
701 700 0:91 / /tmp rw - tmpfs tmpfs rw
702 700 0:27 /@home/u/src /workspace rw - btrfs /dev/sda2 rw
";

#[test]
fn containers_add_names_and_take_none() {
    let (host, container) = (
        Mounts::parse(BTRFS.as_bytes()),
        Mounts::parse(CONTAINER.as_bytes()),
    );
    let tables = Tables::new(host.clone(), vec![container]);
    let paths = |dev, path: &str| -> Vec<String> {
        let found = tables.paths(dev, path.as_bytes()).into_iter();
        found.map(|path| String::from_utf8(path).unwrap()).collect()
    };
    assert_eq!(
        paths(90, "/etc/passwd"),
        ["/etc/passwd"],
        "only the container has it"
    );
    assert_eq!(paths(91, "/x"), ["/tmp/x"]);
    assert_eq!(
        paths(27, "/@home/u/src/a"),
        ["/home/u/src/a", "/srv/mirror/a", "/workspace/a"],
        "the host's names first"
    );
    assert_eq!(paths(27, "/@/etc/passwd"), ["/etc/passwd"]);
    let superblocks = tables.superblocks();
    let aliases = |dev| {
        &superblocks
            .iter()
            .find(|one| one.dev == dev)
            .unwrap()
            .aliases
    };
    assert_eq!(aliases(27).len(), 4);
    assert_eq!(aliases(90)[0].mount_point, b"/");
    assert!(tables.has_containers());
    let alone = Tables::new(host.clone(), Vec::new());
    assert_eq!(alone.superblocks(), host.superblocks());
    let twice = Tables::new(host.clone(), vec![host.clone()]);
    assert_eq!(
        twice.superblocks(),
        host.superblocks(),
        "the same name is one"
    );
}

#[test]
fn a_process_shares_the_namespace_of_its_threads() {
    let own = std::process::id();
    let number = namespaces::number(own).unwrap();
    assert_ne!(number, 0);
    assert!(namespaces::number(u32::MAX).is_err());
}

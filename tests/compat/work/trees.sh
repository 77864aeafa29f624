#!/usr/bin/env bash
# Trees of files: copies, archives, searches, edits in place, links, locks; on tmpfs and on an overlay.
set -euo pipefail

work() {
    mkdir -p tree/a/b/c tree/d
    for n in $(seq 20); do printf 'alpha %d\nbeta %d\n' "$n" "$n" >"tree/a/file$n"; done
    printf 'x%.0s' $(seq 5000) >tree/a/b/long
    ln -s ../a/file1 tree/d/link
    ln tree/a/file2 tree/d/hard
    mkfifo tree/d/pipe
    touch "tree/a/b/c/with space" $'tree/a/b/c/new\nline' tree/a/b/c/$'\xff\xfe'
    chmod 0640 tree/a/file3
    cp -a tree copy
    cp --reflink=auto --sparse=always tree/a/b/long copied
    tar -cf tree.tar --sort=name --mtime=@0 --owner=0 --group=0 tree
    sha256sum tree.tar
    mkdir out
    tar -C out -xf tree.tar
    rsync -a --delete tree/ synced/
    echo changed >>tree/a/file4
    rm tree/a/file5
    rsync -ai --delete tree/ synced/ | awk '{print $1, $NF}' | sort
    diff -r --no-dereference -x pipe tree copy || true
    find tree -type f -newermt '2001-01-01' -links 2 | sort
    find tree -name 'file1*' -exec sed -i 's/alpha/omega/' {} +
    grep -rl omega tree --exclude=pipe | sort | head -n3
    find tree -type f -print0 | xargs -0 -P4 -n2 sha256sum | sort | sha256sum
    perl -i -pe 's/beta/gamma/' tree/a/file7
    mv tree/a/b tree/moved
    mv -T tree/moved tree/d/moved
    truncate -s 100 tree/d/moved/long
    flock tree/a -c 'echo locked'
    (flock -n 9 && flock -n tree/lock true || echo 'held') 9>tree/lock
    install -D -m 0700 copied tree/installed/bin/tool
    dd if=/dev/zero of=tree/zero bs=4k count=4 conv=fsync status=none
    split -b 1000 tree/d/moved/long tree/part-
    python3 -m zipfile -c archive.zip tree/a/
    python3 -m zipfile -l archive.zip | wc -l
    rm archive.zip
    gzip -9nk tree.tar && zcat tree.tar.gz | tar -t | wc -l
    patch -s -p0 <<'DIFF'
--- tree/a/file9
+++ tree/a/file9
@@ -1,2 +1,2 @@
-alpha 9
+delta 9
 beta 9
DIFF
    cat tree/a/file9
    find tree -depth -name c -exec rm -r {} \;
    ls -1R tree | wc -l
}

mkdir -p here
(cd here && work)
overlay=$(mktemp -d /var/tmp/compat.XXXXXX)
(cd "$overlay" && work)
(cd "$overlay" && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
rm -rf "$overlay"

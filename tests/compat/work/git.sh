#!/usr/bin/env bash
# Git: objects, branches, merges, rebases, hooks, work trees, clones and packing.
set -euo pipefail

export GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
export GIT_CONFIG_NOSYSTEM=1
# The user's configuration and the hooks of a repository are not an agent's to write.
export GIT_AUTHOR_NAME='An Agent' GIT_AUTHOR_EMAIL=agent@example.org
export GIT_COMMITTER_NAME='An Agent' GIT_COMMITTER_EMAIL=agent@example.org

git init -q --initial-branch main project
cd project
mkdir -p src/deep
for n in 1 2 3 4 5; do echo "line $n" >>src/file; done
echo one >src/deep/one
git add -A
git commit -qm 'first'
mkdir ../hooks
git config core.hooksPath "$PWD/../hooks"
cat >../hooks/pre-commit <<'HOOK'
#!/bin/sh
echo "hook sees $(git diff --cached --name-only | tr '\n' ' ')"
HOOK
chmod +x ../hooks/pre-commit
git checkout -qb side
sed -i 's/line 2/line two/' src/file
git commit -qam 'side' 2>&1
git checkout -q main
git mv src/deep/one src/deep/uno
git commit -qm 'main moves a file' 2>&1
git merge -q --no-edit side
git checkout -qb topic HEAD~1
echo topic >topic
git add topic
git commit -qm 'topic' 2>&1
git rebase -q main
git tag -a v1 -m 'a tag'
git stash list
echo dirty >>topic
git stash -q
git stash pop -q
git checkout -q -- topic
git worktree add -q ../beside side
git -C ../beside log --oneline -1
git worktree remove ../beside
git gc -q --aggressive --prune=now
git fsck --full --strict
cd ..
git clone -q --local project copy
git clone -q --bare "file://$PWD/project" bare.git
git -C copy log --graph --format='%H %s' --all
echo more >copy/more
git -C copy add more
git -C copy commit -qm 'more'
git -C copy push -q origin HEAD:refs/heads/pushed
git -C project branch -v --no-abbrev
git -C copy archive HEAD | tar -tv
git -C copy status --porcelain --branch
git -C copy grep -n 'line two'
git -C copy bisect start HEAD HEAD~2
git -C copy bisect run test -f more
# Times and inode numbers of files.
find . -name index -path '*/.git/*' -delete
